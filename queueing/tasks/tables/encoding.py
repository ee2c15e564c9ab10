"""Detects the encoding of a file and converts it to UTF-8, block by block."""

import codecs
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

BLOCK = 1024**2  # bytes (or characters) of one read
# Byte order marks: mark, name, codec. UTF-32 comes before UTF-16, because its little-endian mark starts with UTF-16's.
MARKS = (
    (codecs.BOM_UTF8, "UTF-8", "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF32_BE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF16_LE, "UTF-16", "utf-16"),
    (codecs.BOM_UTF16_BE, "UTF-16", "utf-16"),
)
UNREADABLE = "\N{REPLACEMENT CHARACTER}"
HIGH = bytes(range(0x80, 0x100))  # the bytes beyond ASCII


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of one file."""

    name: str  # for the page
    codec: str  # for Python
    ready: bool = False  # valid UTF-8 without a byte order mark or old line ends: can be read without a copy


def marked(head: bytes) -> Encoding | None:
    """The encoding that the byte order mark names; None without a mark."""
    return next((Encoding(name, codec) for mark, name, codec in MARKS if head.startswith(mark)), None)


def has_old_line_ends(head: bytes) -> bool:
    """True if lines end with a lone carriage return, as in Excel's "CSV (Macintosh)"."""
    return head.count(b"\r") > 2 * head.count(b"\n")


def detect(path: Path, tick: Callable[[], None]) -> Encoding:
    """The encoding of a file. Calls `tick` before each block; its exceptions pass through.

    A byte order mark decides. Without one, the file is UTF-8 if at most a tenth as many places are broken as there are
    bytes beyond ASCII. Otherwise it is Windows-1252, which contains every printable character of Latin-1. The whole
    file is examined, because the first byte beyond ASCII may come late.
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
    """The number of bytes beyond ASCII, and of places where they are not valid UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    high = broken = 0
    for block in _blocks(path):
        tick()
        if block.isascii() and not decoder.getstate()[0]:
            continue
        high += len(block) - len(block.translate(None, HIGH))
        broken += decoder.decode(block).count(UNREADABLE)
        if broken > 1_000 and broken * 10 > high:  # decided; going on takes minutes for a large file
            break
    return high, broken + decoder.decode(b"", final=True).count(UNREADABLE)


def _blocks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            yield block


@contextmanager
def as_utf8(path: Path, encoding: Encoding, tick: Callable[[], None]) -> Iterator[tuple[Path, int]]:
    """The path of the file as plain UTF-8, and the number of its unreadable characters.

    The path is the original if it can be read as it is, else a temporary copy that lives as long as the block. Calls
    `tick` before each part that is copied; its exceptions pass through.
    """
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
