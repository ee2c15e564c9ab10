"""One attempt at an entry's task, as the task sees it: its input, its progress, its files."""

import logging
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from django.core.files.base import File
from django.db import connection
from django.db.models.fields.files import FieldFile
from django.tasks import TaskContext

from queueing import events
from queueing.exceptions import FilesTooLarge, InsideTransaction, VisitorLeft
from queueing.line import presence
from queueing.line.clients import RedisError, own_address, patient_for, told
from queueing.models import Entry, EntryEvent, EntryFile
from queueing.models.moves import clean
from queueing.models.trouble import DATABASE_ERRORS
from queueing.parcel import Handed, InputFile
from queueing.states import Absence
from queueing.storage import folders
from queueing.work import patience
from queueing.work.limits import limits_of
from queueing.work.saving import body_of, check_file

logger = logging.getLogger("queueing")

REPORT_INTERVAL = 0.5  # seconds between two writes of progress to the row; each shows whether it was cancelled
HINT_INTERVAL = 1.0  # seconds between two hints to the pages
LOOK_INTERVAL = 2.0  # seconds between two looks at presence
TASK_REDIS_TIMEOUT = 0.2  # seconds that a hint or a look may keep the task waiting
REDIS_PAUSE = 15.0  # seconds without hints and looks after one that got no answer

BLOCK = 256 * 1024  # bytes of an input that are copied at a time


@dataclass(slots=True)
class Attempt:
    """A running attempt: what it has told, looked at and stored so far."""

    entry: Entry
    files: list[EntryFile] = field(default_factory=list)
    absence: Absence | None = None  # the one that ended the attempt
    error: BaseException | None = None  # the one that ended it, if our program is to blame
    began: float = field(default_factory=time.monotonic)
    progress: tuple[float, str] = (0.0, "")  # that was reported last
    # Transactions that were open around the task when it began: none but in tests.
    _transactions: int = field(default_factory=lambda: len(connection.atomic_blocks))
    _reported: float = 0.0
    _hinted: float = 0.0
    _looked: float = 0.0
    # Until when a Redis that did not answer is left alone; True: that of the line, if it has one of its own.
    _alone_until: dict[bool, float] = field(default_factory=dict)
    _quarter: int = 0

    def report(self, fraction: float, message: str) -> None:
        """Write progress to the row, hint to the pages, and look at presence, each no more often than its interval.

        Raises VisitorLeft when the attempt is no longer wanted, and InsideTransaction.
        """
        self._refuse_transactions()
        self.progress = fraction, message
        now = time.monotonic()
        if now - self._reported >= REPORT_INTERVAL or fraction >= 1:
            self._reported = now
            self._write(fraction, message)
        if now - self._hinted >= HINT_INTERVAL and self._may_ask(own=False):
            self._hinted = now
            if not events.publish(self.entry.code, client=patient_for(TASK_REDIS_TIMEOUT)):
                self._leave_alone(own=False)
        own = bool(own_address(self.entry.queue))
        if self.entry.stops_on_leave and now - self._looked >= LOOK_INTERVAL and self._may_ask(own=own):
            self._looked = now
            self._check_visitor(own=own)

    def _may_ask(self, *, own: bool) -> bool:
        return time.monotonic() >= self._alone_until.get(own, 0.0)

    def _leave_alone(self, *, own: bool) -> None:
        """A Redis that did not answer keeps the task waiting once in REDIS_PAUSE."""
        self._alone_until[own] = time.monotonic() + REDIS_PAUSE

    def report_now(self, fraction: float, message: str) -> None:
        """As `report`, whenever the last one was: the row and the pages show an older message otherwise."""
        self._reported = self._hinted = 0.0
        self.report(fraction, message)

    def _write(self, fraction: float, message: str) -> None:
        """Progress to the row. A database that refuses it ends no task: the next write shows who owns the row."""
        try:
            if not self.entry.report(fraction, message):
                raise VisitorLeft
            self._write_quarter(fraction, message)
        except DATABASE_ERRORS:
            logger.warning("entry %s: progress is not stored, the task goes on", self.entry.code, exc_info=True)
            connection.close()

    def _write_quarter(self, fraction: float, message: str) -> None:
        """The timeline gets a line at 25, 50 and 75 percent, not at each report."""
        if (quarter := int(fraction * 4)) > self._quarter and quarter < 4:
            EntryEvent.objects.create(
                entry=self.entry, kind=EntryEvent.Kind.PROGRESS, detail=clean(f"{quarter * 25} % {message}")[:200]
            )
        self._quarter = max(self._quarter, int(fraction * 4))

    def _check_visitor(self, *, own: bool) -> None:
        queue, client = self.entry.queue, patient_for(TASK_REDIS_TIMEOUT, self.entry.queue)
        try:
            visitor = presence.inspect(queue, self.entry.job_id, self.entry.keep_seconds, client=client)
        except RedisError as error:
            logger.warning("entry %s: no look at presence, the task goes on: %s", self.entry.code, told(error))
            self._leave_alone(own=own)
            return
        if visitor.is_over:
            self.absence = visitor.absence
            raise VisitorLeft

    def _refuse_transactions(self) -> None:
        """A transaction of the task would hold the lock of the row until its end: no lease, no Stop, no keeper."""
        if self.is_in_transaction:
            raise InsideTransaction

    @property
    def is_in_transaction(self) -> bool:
        """True if the task has a transaction open."""
        return len(connection.atomic_blocks) > self._transactions

    @contextmanager
    def handed(self) -> Iterator[Handed]:
        """The input as a path on this machine."""
        stored, about = self.entry.input, (self.entry.input_name, self.entry.input_type)
        if not stored:
            yield Handed(None, *about)
            return
        try:
            path = Path(stored.path)
        except NotImplementedError:  # a storage without paths
            with tempfile.TemporaryDirectory() as folder:
                copy = Path(folder) / Path(str(stored.name)).name
                yield Handed(patience.while_storage_is_away(self, partial(_copied, stored, copy)), *about)
        else:
            yield Handed(path, *about)

    @contextmanager
    def input_file(self, field: str = "") -> Iterator[Path]:
        """The path of a file of the input. Raises UnusableInput when it is gone."""
        with self.handed() as handed, handed.file(field) as path:
            yield path

    @contextmanager
    def input_files(self) -> Iterator[list[InputFile]]:
        """All files of the input. Raises UnusableInput when they are gone."""
        with self.handed() as handed, handed.files() as files:
            yield files

    def save_file(self, name: str, content: "bytes | File[bytes]", content_type: str) -> None:
        """Keep a file for the visitor.

        Raises ValueError for a name that is not plain or was used before, and for a content type that is too long.
        Raises TypeError for a content that is neither bytes nor a File. Raises FilesTooLarge if the files of this
        attempt are then larger than the task's limit. Waits for a storage that is away.
        """
        body = body_of(name, content, content_type)
        check_file(name, content_type, [file.name for file in self.files])
        if sum(file.size for file in self.files) + body.size > limits_of(self.entry.queue).disk:
            raise FilesTooLarge
        file = EntryFile(
            entry=self.entry, attempt=self.entry.attempt, name=name, content_type=content_type, size=body.size
        )
        store = partial(file.file.save, name, body, save=False)
        if body.seekable():
            patience.while_storage_is_away(self, store)
        else:  # it can be read once
            store()
        self.files.append(file)

    def delete_files(self) -> None:
        """The attempt did not succeed: nothing of it is kept."""
        try:
            folders.delete([str(file.file.name) for file in self.files])
        except OSError as error:
            logger.warning("entry %s: files of an attempt stay until its purge: %s", self.entry.code, error)


def _copied(stored: FieldFile, path: Path) -> Path | None:
    """The path, with a copy of what is stored. None: it is not stored any more."""
    try:
        source = stored.storage.open(str(stored.name))
    except FileNotFoundError:
        return None
    with source, path.open("wb") as target:
        shutil.copyfileobj(source, target, BLOCK)
    return path


# Generic for the type checker only.
if TYPE_CHECKING:
    Base = TaskContext[..., Any]
else:
    Base = TaskContext


class Running(Protocol):
    """The part of an attempt that `EntryContext` uses: `Attempt` in the horse, `Remote` in an isolated process."""

    def input_file(self, field: str = "") -> AbstractContextManager[Path]: ...

    def input_files(self) -> AbstractContextManager[list[InputFile]]: ...

    def report(self, fraction: float, message: str) -> None: ...

    def save_file(self, name: str, content: "bytes | File[bytes]", content_type: str) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryContext(Base):  # type: ignore[misc]  # Django's is frozen, its type stubs do not say so
    """Django's TaskContext, with what a long task in a queue needs: see `queueing.registry.Context`."""

    running: Running

    def input_file(self, field: str = "") -> AbstractContextManager[Path]:
        return self.running.input_file(field)

    def input_files(self) -> AbstractContextManager[list[InputFile]]:
        return self.running.input_files()

    def progress(self, done: float, total: float, message: str = "") -> None:
        fraction = min(max(done / total, 0.0), 1.0) if total > 0 else 0.0
        self.running.report(fraction, message)

    def save_file(self, name: str, content: "bytes | File[bytes]", content_type: str) -> None:
        self.running.save_file(name, content, content_type)
