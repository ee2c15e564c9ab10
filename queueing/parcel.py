"""The files of a visitor: one, as it is; several, or those of other fields than `file`, as one input, a *parcel*.

A parcel is a tar archive that is made while it is stored, and unpacked for its task. The names inside are ours. Its
first member lists the fields, and the names and types that the browser gave.
"""

import io
import json
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from django.core.files.base import File

from queueing.exceptions import UnusableInput

ENDING = ".parcel"  # of the stored name, which no visitor chooses
LIST = "list.json"
BLOCK = tarfile.BLOCKSIZE
GONE = "The file that was handed in is no longer stored."
NOTHING = "No file was handed in."


type Member = tuple[str, int, io.BytesIO | File[bytes]]  # the name inside, the bytes, the content


class Part(NamedTuple):
    """An uploaded file of a form."""

    field: str
    file: "File[bytes]"
    content_type: str
    ending: str  # of the name inside, by the content


class InputFile(NamedTuple):
    """A file that a visitor has handed in, for its task."""

    field: str  # of the form
    path: Path
    name: str  # as the browser gave it; never trust it
    content_type: str  # likewise


@dataclass(frozen=True, slots=True)
class Handed:
    """The input of an entry, on this machine."""

    path: Path | None  # None: nothing, or it is not stored any more
    name: str  # the column `input_name`; empty: nothing
    content_type: str = ""

    @contextmanager
    def files(self) -> Iterator[list[InputFile]]:
        """All files, in the order of the form. Raises UnusableInput when they are gone."""
        if self.path is None:
            if self.name:
                raise UnusableInput(GONE)
            yield []
        elif self.path.suffix != ENDING:
            yield [InputFile("file", self.path, self.name, self.content_type)]
        else:
            with tempfile.TemporaryDirectory() as folder:
                yield _unpacked(self.path, Path(folder))

    @contextmanager
    def file(self, field: str = "") -> Iterator[Path]:
        """The path of this field's file, or of the first one. Raises UnusableInput, or LookupError for a field."""
        with self.files() as files:
            yield pick(files, field)


def pick(files: Sequence[InputFile], field: str = "") -> Path:
    """The path of this field's file, or of the first one. Raises UnusableInput, or LookupError for a field."""
    if not files:
        raise UnusableInput(NOTHING)
    for file in files:
        if field in {"", file.field}:
            return file.path
    raise LookupError(f"No file came in the field {field!r}")


class Parcel(File):  # type: ignore[type-arg]  # of bytes
    """Files as one. Read it once; make another one for another time."""

    def __init__(self, parts: Sequence[Part], name: str) -> None:
        names = [f"{number}{part.ending}" for number, part in enumerate(parts)]
        listed = [
            {"path": path, "field": part.field, "name": _base(part.file), "content_type": part.content_type}
            for path, part in zip(names, parts, strict=True)
        ]
        content = json.dumps(listed).encode()
        members: list[Member] = [(LIST, len(content), io.BytesIO(content))]
        members += [(path, part.file.size or 0, part.file) for path, part in zip(names, parts, strict=True)]
        self.size = sum(BLOCK + _blocks(size) for _, size, _ in members) + 2 * BLOCK
        super().__init__(io.BufferedReader(_Stream(_written(members))), name)


def size_of(parts: Sequence[Part]) -> int:
    """The bytes of a parcel of these parts."""
    return Parcel(parts, "").size


def _base(file: "File[bytes]") -> str:
    return Path(file.name or "input").name[-200:]


def _blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _written(members: Sequence[Member]) -> Iterator[bytes]:
    for name, size, file in members:
        info = tarfile.TarInfo(name)
        info.size = size
        yield info.tobuf(tarfile.GNU_FORMAT)
        file.seek(0)
        while chunk := file.read(64 * 1024):
            yield chunk
        yield bytes(_blocks(size) - size)
    yield bytes(2 * BLOCK)


class _Stream(io.RawIOBase):
    """A readable file over a generator of bytes."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks, self._rest = chunks, b""

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # io gives a memoryview
        while not self._rest and (chunk := next(self._chunks, None)) is not None:
            self._rest = chunk
        taken, self._rest = self._rest[: len(buffer)], self._rest[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)


def _unpacked(path: Path, folder: Path) -> list[InputFile]:
    with tarfile.open(path, "r:") as archive:
        archive.extractall(folder, filter="data")
    listed = json.loads((folder / LIST).read_text())
    return [InputFile(**file | {"path": folder / file["path"]}) for file in listed]
