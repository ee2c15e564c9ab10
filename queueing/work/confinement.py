"""What a horse may do, from its fork to its end. Its task gets what it needs and no more.

prepare       in a worker, before its first fork: no keys that a horse could inherit
begin         in a new horse: the kernel's limits, and the temporary folder
enter         before the task, when its entry is known: no new privileges, writes in a few folders only, processes
task_is_over  after the task: the worker gives the horse more time, to store the end

A rule that the kernel does not know is left out; the worker says so at its start.
"""

import ctypes
import logging
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.conf import settings

from queueing import sandbox
from queueing.models import Entry, EntryFile, file_path
from queueing.registry import all_tasks
from queueing.work import horse
from queueing.work.guard import Guard
from queueing.work.limits import prepare_worker, set_limits

logger = logging.getLogger("queueing")

# Settings that sign what browsers send back, or open pages. Only web processes use them.
KEYS_OF_THE_WEB: dict[str, object] = {"SECRET_KEY": "", "SECRET_KEY_FALLBACKS": [], "METRICS_TOKEN": ""}

RULES = (sandbox.PRIVILEGES, sandbox.FILES, sandbox.PROCESSES)

_guard: Guard | None = None  # the worker's, in its horse; None in every other process


def prepare(worker: str) -> None:
    """In a worker, before its first fork. The log gets a line for each rule that this machine cannot keep."""
    prepare_worker()
    forget_keys()
    for rule in missing():
        logger.warning("Worker %s: this machine keeps no rule for %s of a task", worker, rule)


def forget_keys() -> None:
    """In a worker: remove the keys of the web processes from settings and environment. No horse inherits them."""
    for name, empty in KEYS_OF_THE_WEB.items():
        setattr(settings, name, empty)
        for module in list(sys.modules.values()):
            if getattr(module, "__dict__", {}).get(name):  # the modules of the settings
                setattr(module, name, empty)
        _forget_variable(name)


def _forget_variable(name: str) -> None:
    """Overwrite a variable of the environment, which /proc/<pid>/environ would show else, and remove it."""
    if value := os.environ.get(name):
        sandbox.LIBC.getenv.restype = ctypes.c_void_p
        if address := sandbox.LIBC.getenv(os.fsencode(name)):
            ctypes.memset(address, ord("x"), len(os.fsencode(value)))
    os.environ.pop(name, None)


def begin(guard: Guard) -> None:
    """In a new horse: its limits and its temporary folder."""
    global _guard  # noqa: PLW0603  # a horse has one for its whole life
    _guard = guard
    folder = str(guard.scratch.path)
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    set_limits(guard.limits, inherited=guard.inherited_data)


def enter(entry: Entry) -> None:
    """Before the task: no new privileges, no processes where the task has none, and writes in its own folders only."""
    if _guard is not None:
        folders = _writable(entry, _guard.scratch.path)
        sandbox.restrict(read=None, write=folders, network=True, processes=_guard.limits.processes > 0)


def task_is_over() -> None:
    """After the task: the worker waits for the storing of its end."""
    if _guard is not None:
        _guard.note_task_is_over()


def missing() -> list[str]:
    """The rules that this machine cannot keep."""
    kept = _kept()
    lacks = [rule for rule in RULES if rule not in kept]
    return lacks if horse.CHILDREN.exists() else [*lacks, "a count of memory, disk and processes"]


def _kept() -> list[str]:
    """The rules that this machine keeps: a child tries them, because they hold for good."""
    child = os.fork()
    if child == 0:
        status = 0
        with suppress(BaseException):
            kept = sandbox.restrict(read=None, write=[], network=True, processes=False)
            status = sum(1 << number for number, rule in enumerate(RULES) if rule in kept)
        os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return [rule for number, rule in enumerate(RULES) if max(status, 0) >> number & 1]


def _writable(entry: Entry, scratch: Path) -> Iterator[Path]:
    """The paths that this entry's horse writes to: temporary files, results, SQLite's files, and the task's own."""
    yield scratch
    yield Path(os.devnull)
    if results := _results_folder(entry):
        yield results
    for database in settings.DATABASES.values():
        if database["ENGINE"] == "django.db.backends.sqlite3" and (file := _sqlite_file(str(database["NAME"]))):
            yield file.parent  # for its journals, too
    if (heavy_task := all_tasks().get(entry.queue)) is not None:
        yield from heavy_task.writable


def _sqlite_file(name: str) -> Path | None:
    """The file of this database, whose name may be relative to where the worker was started, or a URI; None: memory."""
    if name == ":memory:" or "mode=memory" in name or name.startswith("file::memory:"):
        return None
    if name.startswith("file:"):
        name = unquote(urlsplit(name).path)
    return Path(name).absolute() if name else None


def _results_folder(entry: Entry) -> Path | None:
    """The folder of this attempt's files, which is made here; None in a storage without paths."""
    file = EntryFile(entry=entry, attempt=entry.attempt)
    try:
        folder = Path(file.file.storage.path(file_path(file, "x"))).parent
    except NotImplementedError:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    return folder
