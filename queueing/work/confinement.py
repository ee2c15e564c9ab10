"""The rights of a horse, from its fork to its end. Its task gets what it needs and no more.

prepare       in a worker, before its first fork: no keys that a horse could inherit (`forgetting.py`)
make_ready    in a standby: what `enter` will take, as far as it is known without an entry
begin         in a new horse: the kernel's limits, and the temporary folder
enter         before the task, when its entry is known: no new privileges, writes in a few folders only, processes;
              the room of an isolated task, which has less (`inside.py`)

A rule that the kernel does not know is left out; the worker says so at its start.
"""

import logging
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from django.conf import settings

from queueing import sandbox
from queueing.deployment import sqlite_file
from queueing.models import Entry, EntryFile, results_folder
from queueing.registry import all_tasks
from queueing.sandbox import Restriction
from queueing.work import forgetting, horse, inside
from queueing.work.birth import Terms
from queueing.work.inside import Room
from queueing.work.limits import limits_of, prepare_worker, set_limits

logger = logging.getLogger("queueing")

RULES = (sandbox.PRIVILEGES, sandbox.FILES, sandbox.PROCESSES)
OF_ISOLATED = sandbox.SOCKETS  # one more rule, where a task is isolated

_terms: Terms | None = None  # of this horse; None in every other process
_ready: dict[str, Restriction] = {}  # of this standby, by lines


def prepare(worker: str) -> None:
    """In a worker, before its first fork. The log gets a line for each rule that this machine cannot keep."""
    prepare_worker()
    forgetting.forget_keys()
    if _is_any_isolated():
        inside.warm_up()
    for rule in missing():
        logger.warning("Worker %s: this machine keeps no rule for %s of a task", worker, rule)


def begin(terms: Terms) -> None:
    """In a new horse: its limits and its temporary folder."""
    global _terms  # noqa: PLW0603  # a horse has them for its whole life
    _terms = terms
    os.environ["TMPDIR"] = tempfile.tempdir = str(terms.folder)
    set_limits(terms.limits, inherited=terms.inherited_data)


def make_ready(queue: str, scratch: Path) -> None:
    """In a standby with this temporary folder: make ready what `enter` will take for an entry of this line."""
    if queue in _ready:
        return
    made = _restriction(queue, scratch)
    if made.is_whole:
        _ready[queue] = made
    else:  # `enter` makes another one
        made.drop()


def enter(entry: Entry) -> Room | None:
    """Before the task: no new privileges, no processes where the task has none, and writes in its own folders only.

    Returns the room of an isolated task, whose horse may start the process that runs it.
    """
    if _terms is None:
        return None
    restriction = _ready.pop(entry.queue, None) or _restriction(entry.queue, _terms.folder)
    while _ready:  # of lines whose entry this one is not
        _ready.popitem()[1].drop()
    for path in _writable(entry):
        restriction.leave(path)
    restriction.take()
    return _room(entry, _terms) if _terms.limits.isolated else None


def rehearse(entry: Entry) -> None:
    """In a standby: what `enter` does, but for what it makes and takes away."""
    _results_folder(entry)


def _restriction(queue: str, scratch: Path) -> Restriction:
    """The rights that all entries of a line share: temporary files, SQLite's files, and processes where it has some."""
    limits, shared = limits_of(queue), [scratch, Path(os.devnull), *_folders_of_sqlite()]
    return Restriction(read=None, write=shared, network=True, processes=limits.isolated or limits.processes > 0)


def _room(entry: Entry, terms: Terms) -> Room:
    folder = terms.folder / "task"  # the horse writes beside it, where the task cannot
    folder.mkdir(mode=0o700)
    task = all_tasks()[entry.queue]
    return Room(
        folder=folder,
        processes=terms.limits.processes > 0,
        readable=task.readable,
        writable=task.writable,
        retry_on=task.retry_on,
    )


def missing() -> list[str]:
    """The rules that this machine cannot keep."""
    wanted = (*RULES, OF_ISOLATED) if _is_any_isolated() else RULES
    kept = _kept(wanted)
    lacks = [rule for rule in wanted if rule not in kept]
    return lacks if horse.CHILDREN.exists() else [*lacks, "a count of memory, disk and processes"]


def _is_any_isolated() -> bool:
    return any(task.isolated for task in all_tasks().values())


def _kept(rules: Sequence[str]) -> list[str]:
    """The rules that this machine keeps: a child tries them, because they hold for good."""
    child = os.fork()
    if child == 0:
        status = 0
        with suppress(BaseException):
            kept = sandbox.restrict(read=None, write=[], network=False, processes=False)
            status = sum(1 << number for number, rule in enumerate(rules) if rule in kept)
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return [rule for number, rule in enumerate(rules) if max(status, 0) >> number & 1]


def _writable(entry: Entry) -> Iterator[Path]:
    """The paths of its own that this entry's horse writes to: its results, and those of its task."""
    if results := _results_folder(entry):
        results.mkdir(parents=True, exist_ok=True)
        yield results
    if (heavy_task := all_tasks().get(entry.queue)) is not None:
        yield from heavy_task.writable


def _folders_of_sqlite() -> Iterator[Path]:
    """The folders of SQLite's files, for their journals, too."""
    for database in settings.DATABASES.values():
        if database["ENGINE"] == "django.db.backends.sqlite3" and (file := sqlite_file(str(database["NAME"]))):
            yield file.parent


def _results_folder(entry: Entry) -> Path | None:
    """The folder of this attempt's files; None in a storage without paths."""
    storage: Any = EntryFile._meta.get_field("file").storage
    try:
        return Path(storage.path(results_folder(entry, entry.attempt)))
    except NotImplementedError:
        return None
