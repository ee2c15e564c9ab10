"""The inputs of entries. An input is stored once, and named by the row it came with and by rows that joined again.

One row answers for the bytes of an input in its `input_size`; the other rows that name it have 0 there.
"""

import errno
import io
import logging
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Protocol

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Now

from queueing import parcel
from queueing.exceptions import StorageAway, StorageError, StorageFull, UnusableInput
from queueing.models import Entry, EntryQuerySet, input_path
from queueing.parcel import Part
from queueing.storage import folders

logger = logging.getLogger("queueing")

GONE = "Your input is no longer stored. Please hand it in again."
FOLDER = "entries"  # has a folder for each entry, see `models/files.py`


class Look(Protocol):
    """A look into a form before it is stored."""

    @property
    def was_checked(self) -> bool:
        """True once a checker was asked: then the join counts for its address, whatever comes of it."""
        ...

    def options(self) -> dict[str, Any]:
        """The options of the task. Raises what stands in the way."""
        ...


@dataclass(frozen=True, slots=True)
class Upload:
    """An input that comes with a form."""

    file: "File[bytes]"
    content_type: str
    ending: str = ""  # of the stored name; empty: by the content

    @property
    def size(self) -> int:
        """The bytes that a new entry with this input stores."""
        return self.file.size or 0

    @contextmanager
    def given_to(self, entry: Entry) -> Iterator[None]:
        """Store the input for a row that is inserted inside. After an error nothing is stored.

        Raises StorageFull or StorageAway.
        """
        entry.input_name = PurePath(self.file.name or "input").name[-200:]
        entry.input_size = self.size
        entry.input_type = self.content_type.replace("\0", "")[:100]
        # A name of its own: a second form with the same code must not touch the input of the first.
        name = f"input-{uuid.uuid4().hex[:8]}{self.ending or entry.heavy_task.form.ending_of(self.file)}"
        folders.give_rows_back()
        try:
            entry.input.save(name, self._content(), save=False)
            yield
        except BaseException as error:
            _delete([entry.input.name or input_path(entry, name)])  # also what was stored before the disk was full
            if isinstance(error, StorageError):
                logger.warning("The input of entry %s is not stored: %s", entry.code, error)
                raise StorageAway from error
            if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
                logger.exception("The storage is full")
                raise StorageFull from error
            raise

    def _content(self) -> "File[bytes]":
        """The file, or its open descriptor alone. The storage moves a large upload away, and the second save copies."""
        path = getattr(self.file, "temporary_file_path", None)
        if path is None or Path(path()).exists():
            return self.file
        return File(self.file.file)

    def is_input_of(self, entry: Entry) -> bool:
        """True if the entry was made from this very content: then a form was sent twice."""
        folders.give_rows_back()
        try:
            kept = entry.input.storage.open(str(entry.input.name))
        except FileNotFoundError:
            return False
        with kept:
            same = kept.size == self.file.size and _are_same(kept.chunks(), self.file.chunks())
        with suppress(io.UnsupportedOperation):  # of a parcel, which is read once
            self.file.seek(0)
        return same


def _are_same(one: Iterable[bytes], other: Iterable[bytes]) -> bool:
    """True if both have the same bytes. Each file cuts its content into chunks of its own sizes."""
    chunks, others = iter(one), iter(other)
    left = right = b""
    while True:
        left, right = left or next(chunks, b""), right or next(others, b"")
        size = min(len(left), len(right))
        if left[:size] != right[:size]:
            return False
        if not size:
            return left == right
        left, right = left[size:], right[size:]


@dataclass(frozen=True, slots=True)
class Parts:
    """Several files that come with a form, or those of other fields than `file`: they are stored as a parcel."""

    parts: tuple[Part, ...]

    @property
    def size(self) -> int:
        """As in Upload."""
        return parcel.size_of(self.parts)

    @contextmanager
    def given_to(self, entry: Entry) -> Iterator[None]:
        """As in Upload."""
        first, others = PurePath(self.parts[0].file.name or "input").name, len(self.parts) - 1
        more = f" and {others} more" if others else ""
        upload = Upload(parcel.Parcel(self.parts, f"{first[-150:]}{more}"), "", parcel.ENDING)
        with upload.given_to(entry):
            yield

    def is_input_of(self, entry: Entry) -> bool:
        """As in Upload."""
        return Upload(parcel.Parcel(self.parts, ""), "").is_input_of(entry)


@dataclass(frozen=True, slots=True)
class Nothing:
    """A form without files: its options are the input."""

    options: dict[str, Any]  # as the task gets them
    size: int = 0

    def given_to(self, entry: Entry) -> AbstractContextManager[None]:  # as in Upload
        """Nothing is stored."""
        return nullcontext()

    def is_input_of(self, entry: Entry) -> bool:
        """True if the entry was made from a form with the same options."""
        return not entry.input_name and entry.kwargs == self.options


type Content = Upload | Parts | Kept | Nothing


@dataclass(frozen=True, slots=True)
class Kept:
    """The input of an entry that has ended, for another one."""

    entry: Entry
    size: int = 0  # it is stored already

    @contextmanager
    def given_to(self, entry: Entry) -> Iterator[None]:
        """Share the input with a row that is inserted inside. Raises UnusableInput when it is gone, or StorageAway.

        The lock on the old row is held until the new row is committed. So `release` of the old row waits, and then
        finds the new row, which names the input. The storage, which may be slow, is asked before the lock: nobody
        deletes an input that a row names.
        """
        stored = self._stored_name()
        with transaction.atomic():
            rows = Entry.objects.select_for_update(no_key=True).filter(pk=self.entry.pk, input__gt="")
            source = rows.only("input", "input_name", "input_type").first()
            if source is None or source.input.name != stored:
                raise UnusableInput(GONE)
            entry.input, entry.input_size = source.input.name, 0
            entry.input_name, entry.input_type = source.input_name, source.input_type
            yield

    def _stored_name(self) -> str:
        """The name of the input, which is in the storage. Raises UnusableInput or StorageAway."""
        source = Entry.objects.filter(pk=self.entry.pk, input__gt="").only("input").first()
        folders.give_rows_back()
        try:
            if source is None or not source.input.storage.exists(str(source.input.name)):
                raise UnusableInput(GONE)
        except StorageError as error:
            raise StorageAway from error
        return str(source.input.name)

    def is_input_of(self, entry: Entry) -> bool:
        """True if the entry has joined again with this input."""
        return bool(entry.input) and entry.input.name == self.entry.input.name


def release(pks: Iterable[int]) -> None:
    """These rows give up their inputs. An input that no row names any more is deleted.

    Two rows that name the same input may give it up at the same moment:

    1. Each clears its own name and commits.
    2. Each looks for other rows with that name. At least one of them looks after both commits, and finds none.
    3. That one deletes the file; both may do so.

    So the caller must not be in a transaction: RuntimeError. After a crash between two steps, the keeper deletes the
    file with the folder of the row that it came with.
    """
    with transaction.atomic(durable=True):
        rows = Entry.objects.select_for_update(no_key=True).filter(pk__in=list(pks), input__gt="").order_by("pk")
        named = list(rows.values_list("pk", "input", "input_size"))
        Entry.objects.filter(pk__in=[pk for pk, _, _ in named]).update(input="", input_size=0)
    sizes: Counter[str] = Counter()
    for _, name, size in named:
        sizes[name] += size
    shared = set(naming(sizes).values_list("input", flat=True)) if sizes else set()
    _delete([name for name, size in sizes.items() if name not in shared or not _pass_on(name, size)])


def named_among(paths: Iterable[str]) -> set[str]:
    """Those of the paths that a row names as its input."""
    return set(naming(paths).values_list("input", flat=True))


def delete_folder(code: uuid.UUID) -> None:
    """Delete the results of an entry, and what interrupted attempts have left; inputs that a row names stay."""
    delete_folders([code])


def delete_folders(codes: Iterable[uuid.UUID]) -> None:
    """As `delete_folder`, for several entries, whose files are deleted together. Raises OSError."""
    folders.give_rows_back()
    found = {folder: folders.below(folder) for folder in (f"{FOLDER}/{code}" for code in codes)}
    paths = {path for files in found.values() for path in files}
    named = named_among(paths) if paths else set()
    folders.delete(paths - named)
    for folder, files in found.items():
        folders.remove_inside(folder)
        if named.isdisjoint(files):
            folders.remove(folder)


def delete_attempt(entry: Entry) -> None:
    """Delete the files of this attempt, which has ended without a result. An error is logged: a purge finds them."""
    try:
        folders.delete_tree(f"{FOLDER}/{entry.code}/{entry.attempt}")
    except OSError:
        logger.exception("entry %s: the files of attempt %s cannot be deleted", entry.code, entry.attempt)


def seconds_left(entry: Entry) -> float | None:
    """The time for which the input of an ended entry is kept, by the database's clock. None: it is gone, or due.

    The input of an entry without files is its options.
    """
    if entry.is_live or entry.erased_at or (entry.input_name and not entry.input):
        return None
    rows = Entry.objects.filter(pk=entry.pk, input_until__gt=Now())
    rows = rows.filter(input__gt="") if entry.input else rows
    left = rows.annotate(left=F("input_until") - Now()).values_list("left", flat=True).first()
    return None if left is None else left.total_seconds()


def naming(names: Iterable[str]) -> EntryQuerySet:
    """The rows that name one of these inputs."""
    # The second condition lets both databases use the index `entry_input`.
    return Entry.objects.filter(input__in=list(names), input__gt="")


def _pass_on(name: str, size: int) -> bool:
    """Another row that names the input answers for its bytes from now on. False: no row names it any more."""
    while (other := naming([name]).values_list("pk", flat=True).first()) is not None:
        if not size or Entry.objects.filter(pk=other, input=name).update(input_size=size):
            return True
    return False


def _delete(names: Sequence[str]) -> None:
    """Delete the files, and their folders if those are empty now. An error is logged: the keeper finds them again."""
    folders.give_rows_back()
    try:
        folders.delete(names)
    except OSError:  # it names them
        logger.exception("Inputs stay until the keeper finds them again")
    for folder in {str(PurePath(name).parent) for name in names} if folders.are_real() else ():
        with suppress(OSError, NotImplementedError):  # it has results
            default_storage.delete(folder)
