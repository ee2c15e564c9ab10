"""Detects the encoding of a file and converts it to UTF-8, block by block."""

import codecs
import re
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from queueing.tasks.tables.choices import AUTO, ENCODINGS, label_of
from queueing.tasks.tables.guessing import HIGH, UNREADABLE, WIDER, Encoding, guessed

BLOCK = 1024**2  # bytes (or characters) of one read
LEAST_NULS = 3  # of a table in UTF-16
MOST_OF_ASCII = 0.8  # share of NULs among every second byte, if the others are plain text
BEYOND_TEXT = re.compile(rb"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\xff]")
# Byte order marks: mark, name, codec. UTF-32 comes before UTF-16, because its little-endian mark starts with UTF-16's.
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "UTF-8", "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF32_BE, "UTF-32", "utf-32"),
    (codecs.BOM_UTF16_LE, "UTF-16", "utf-16"),
    (codecs.BOM_UTF16_BE, "UTF-16", "utf-16"),
)
SAMPLE = 64 * 1024  # bytes of lines beyond ASCII that the library looks at


def has_old_line_ends(head: bytes) -> bool:
    """True if lines end with a lone carriage return, as in Excel's "CSV (Macintosh)"."""
    return head.count(b"\r") > 2 * head.count(b"\n")


def of_head(head: bytes, choice: str = AUTO) -> Encoding:
    """The encoding of a file that begins like this, for a first look. `detect` looks at the whole file."""
    if known := _chosen(choice) or marked(head) or unmarked_utf16(head):
        return known
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    high, broken = len(head) - len(head.translate(None, HIGH)), decoder.decode(head).count(UNREADABLE)
    return guessed(_lines_beyond_ascii(head)) if broken * 10 > high else Encoding("UTF-8", "utf-8")


def marked(head: bytes) -> Encoding | None:
    """The encoding that the byte order mark names; None without a mark."""
    return next((Encoding(name, codec) for mark, name, codec in BYTE_ORDER_MARKS if head.startswith(mark)), None)


def unmarked_utf16(head: bytes) -> Encoding | None:
    """UTF-16 without a mark: every second byte of ASCII is NUL there. None if NULs do not lie so."""
    even, odd = head[0::2].count(0), head[1::2].count(0)
    few, many = sorted((even, odd))
    if many * 20 < len(head) / 2 or few * 10 > many:
        return None
    if many < LEAST_NULS or (many < MOST_OF_ASCII * len(head) / 2 and not BEYOND_TEXT.search(head)):
        return None  # stray ones among plain text, of which every second byte would be one
    return Encoding("UTF-16", "utf-16-le" if odd > even else "utf-16-be")


def detect(path: Path, tick: Callable[[], None], choice: str = AUTO) -> Encoding:
    """The encoding of a file. Calls `tick` before each block; its exceptions pass through.

    A byte order mark decides. Without one, the file is UTF-8 if at most a tenth as many places are broken as there are
    bytes beyond ASCII. Otherwise it is guessed. The whole file is examined, because the first byte beyond ASCII may
    come late.
    """
    with path.open("rb") as file:
        head = file.read(BLOCK)
    if known := _chosen(choice) or marked(head) or unmarked_utf16(head):
        return known
    scan = _Scan()
    scan.read(path, tick)
    if scan.broken * 10 > scan.high:
        return guessed(scan.sample)
    return Encoding("UTF-8", "utf-8", ready=scan.is_ready)


class _Scan:
    """Facts about the bytes of a whole file."""

    def __init__(self) -> None:
        self.high = 0  # bytes beyond ASCII
        self.broken = 0  # places where they are not valid UTF-8
        self.has_nul = False
        self.has_lone_cr = False  # a carriage return that no newline follows
        self.sample = b""  # lines with bytes beyond ASCII

    @property
    def is_ready(self) -> bool:
        return not self.broken and not self.has_nul and not self.has_lone_cr

    def read(self, path: Path, tick: Callable[[], None]) -> None:
        if self._is_valid(path, tick):
            return
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        for block in _blocks(path):
            tick()
            self.has_nul = self.has_nul or b"\0" in block
            self.high += len(block) - len(block.translate(None, HIGH))
            self.broken += decoder.decode(block).count(UNREADABLE)
            if len(self.sample) < SAMPLE:
                self.sample += _lines_beyond_ascii(block)
            if self.broken > 1_000 and self.broken * 10 > self.high and len(self.sample) >= SAMPLE:
                break  # decided; going on takes minutes for a large file
        self.broken += decoder.decode(b"", final=True).count(UNREADABLE)

    def _is_valid(self, path: Path, tick: Callable[[], None]) -> bool:
        """True if the file is valid UTF-8 throughout: the usual case, found in half of the time."""
        decoder, last = codecs.getincrementaldecoder("utf-8")(), False
        try:
            for block in _blocks(path):
                tick()
                self.has_nul = self.has_nul or b"\0" in block
                if last or b"\r" in block:
                    breaks = block.count(b"\r\n") + (last and block[:1] == b"\n")
                    is_cut_off = block[-1:] == b"\r"
                    self.has_lone_cr = self.has_lone_cr or last + block.count(b"\r") != breaks + is_cut_off
                    last = is_cut_off
                if not block.isascii() or decoder.getstate()[0]:
                    decoder.decode(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError:
            return False
        return True


def _lines_beyond_ascii(block: bytes) -> bytes:
    """Lines with bytes beyond ASCII, up to SAMPLE bytes. Without the others, a rare letter has its weight."""
    found, size = [], 0
    for line in block.splitlines(keepends=True):
        if not line.isascii():
            found.append(line[:SAMPLE])
            size += len(line)
            if size >= SAMPLE:
                break
    return b"".join(found)


def _chosen(choice: str) -> Encoding | None:
    """The encoding that the visitor chose; None for "auto"."""
    if choice == AUTO:
        return None
    codec = "utf-8-sig" if choice == "utf-8" else WIDER.get(choice, choice)
    return Encoding(label_of(ENCODINGS, choice), codec)


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
    """Copy the text with plain line ends; a NUL, which no cell needs, is left out."""
    unreadable = 0
    with (
        path.open(encoding=codec, errors="replace", newline=None) as source,
        copy.open("w", encoding="utf-8", newline="") as target,
    ):
        while text := source.read(BLOCK):
            tick()
            unreadable += text.count(UNREADABLE)
            target.write(text.replace("\0", "").removeprefix("\ufeff"))
    return unreadable
