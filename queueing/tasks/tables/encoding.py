"""Which encoding a file has, and the way from there to UTF-8, in blocks."""

import codecs
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1024**2  # bytes read at once
# The first four bytes tell; UTF-32 stands before UTF-16, whose mark is the beginning of its own.
MARKS = (
    (codecs.BOM_UTF8, "UTF-8", "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF32_BE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF16_LE, "UTF-16", "utf-16"),
    (codecs.BOM_UTF16_BE, "UTF-16", "utf-16"),
)
UNREADABLE = "\N{REPLACEMENT CHARACTER}"
HIGH = bytes(range(0x80, 0x100))


@dataclass(frozen=True, slots=True)
class Encoding:
    name: str
    codec: str
    ready: bool = False  # valid UTF-8 without a mark, lines ended by \n: can be read as it is


def marked(head: bytes) -> Encoding | None:
    """The encoding that a byte order mark names."""
    return next((Encoding(name, codec) for mark, name, codec in MARKS if head.startswith(mark)), None)


def has_old_line_ends(head: bytes) -> bool:
    """Lines end with a lone carriage return, as Excel still writes for "CSV (Macintosh)"."""
    return head.count(b"\r") > 2 * head.count(b"\n")


def detect(path: Path, tick: Callable[[], None]) -> Encoding:
    """Look at all of the file: the first umlaut may come late.

    Without a mark it is UTF-8 if that explains the bytes, a few broken ones excepted; else Windows-1252, which
    holds all that is printable in Latin-1.
    """
    with path.open("rb") as file:
        head = file.read(BLOCK)
    if mark := marked(head):
        return mark
    high, broken = _count_high_and_broken(path, tick)
    if broken * 10 > high:
        return Encoding("Windows-1252", "cp1252")
    return Encoding("UTF-8", "utf-8", ready=not broken and not has_old_line_ends(head))


def _count_high_and_broken(path: Path, tick: Callable[[], None]) -> tuple[int, int]:
    """Bytes beyond ASCII, and places where they are no UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    high = broken = 0
    for block in _blocks(path):
        tick()
        if block.isascii() and not decoder.getstate()[0]:
            continue
        high += len(block) - len(block.translate(None, HIGH))
        broken += decoder.decode(block).count(UNREADABLE)
        if broken > 1_000 and broken * 10 > high:  # decided; replacing every letter of a large file takes minutes
            break
    return high, broken + decoder.decode(b"", final=True).count(UNREADABLE)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


@contextmanager
def as_utf8(path: Path, encoding: Encoding, tick: Callable[[], None]) -> Iterator[tuple[Path, int]]:
    """The file as plain UTF-8, and how many characters could not be read; a temporary copy where need be."""
    if encoding.ready:
        yield path, 0
        return
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "table.csv"
        yield copy, _copy(path, copy, encoding.codec, tick)


def _copy(path: Path, copy: Path, codec: str, tick: Callable[[], None]) -> int:
    unreadable = 0
    with (
        path.open(encoding=codec, errors="replace", newline=None) as source,
        copy.open("w", encoding="utf-8", newline="") as target,
    ):
        while text := source.read(BLOCK):
            tick()
            unreadable += text.count(UNREADABLE)
            target.write(text.replace("\0", UNREADABLE))
    return unreadable
