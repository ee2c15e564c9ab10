"""Counts that a file chooses by itself: parts of a picture, objects of a PDF. Checked before a library believes them.

Pillow and PDFium make an object of each part, so a small file of many empty parts would take much time and memory. No
scanner here decodes anything. They raise UnusableInput beyond a limit, and the errors of a damaged file (EOFError,
struct.error and the like) where a file ends too soon.
"""

import re
import struct
from collections.abc import Callable
from typing import Any, BinaryIO

from queueing.exceptions import UnusableInput

BLOCK, NEAR = 1024**2, 4096  # bytes of one read, and of the first one in a search
# The most parts of an honest file are far below these limits; one beyond them is refused.
MOST_SEGMENTS = 10_000  # of a JPEG, before its picture; stray bytes between two of them count as segments
MOST_HEADER = 16 * 1024**2  # bytes of them; Pillow takes some of them apart
MOST_SCANS = 100  # of a progressive JPEG; each costs a pass over the whole picture
MOST_CHUNKS = 1_000  # of a PNG, beside those of its pixels; of a WebP
MOST_PIXEL_CHUNKS = 100_000  # of a PNG: encoders write chunks of 4 KB and more
MOST_TAGS = 1_000  # of a page of a TIFF
MOST_VALUES = 100_000  # of a tag with numbers; a strip for each row of pixels has as many
MOST_VALUES_IN_FILE = 1_000_000  # of all tags of all pages: any number of tags may name the same bytes
MOST_BYTES_IN_TAGS = 256 * 1024**2  # likewise
MOST_OBJECTS = 500_000  # of a PDF, uncompressed
MOST_READS = 100_000  # of the header of a GIF or JPEG 2000, whose parts Pillow reads one by one
MOST_BYTES_READ = 4 * 1024**2  # likewise: some of the parts it reads at once, and takes apart

# Markers of JPEG. They are read as Pillow reads them, or a file could show each of the two another number of segments.
SIZES = {*range(0xC0, 0xD0), 0xDE} - {0xC4, 0xC8, 0xCC}  # they begin a frame, with its size
ALONE = {0x00, 0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)}  # they have no length
UNKNOWN = {*range(0x01, 0xC0)}
END, SCAN = b"\xff\xd9", b"\xff\xda"
# A marker in or behind the compressed data of a scan: no stuffed zero, no restart, no filling byte.
MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
# Those that libjpeg skips or reads by their length. It stops at all others, or goes on with the byte behind them.
BETWEEN_SCANS = {0xC4, 0xCC, *range(0xDA, 0xDE), *range(0xE0, 0xF0), 0xFE}
BYTES = {1, 2, 6, 7}  # types of TIFF's values that Pillow leaves as bytes

type CheckSize = Callable[[int, int], object]


def scan_jpeg(file: BinaryIO, check_size: CheckSize) -> None:
    """The segments before the picture, then the scans of the picture up to its end (ITU T.81, B.1.1)."""
    position, parts = 2, 0
    while (marker := _marker(file, position)) != SCAN[1]:
        if marker is None or marker == 0xFF:  # a stray byte, which readers skip; a filling byte
            length = 1
        elif marker in ALONE:
            length = 2
        elif marker in UNKNOWN:
            raise EOFError
        else:
            head = _read(file, 2)
            length = 2 + int.from_bytes(head, "big")
            if marker in SIZES:
                height, width = struct.unpack(">xHH", _read(file, 5))
                check_size(width, height)
        position += length
        parts += 1
        _limit(parts, MOST_SEGMENTS, "JPEG", "segments")
        _limit(position, MOST_HEADER, "JPEG", "bytes before its picture")
    _scan_picture(file, position)


def _marker(file: BinaryIO, position: int) -> int | None:
    """The second byte of the marker at this position; None where there is no marker."""
    file.seek(position)
    first, second = _read(file, 2)
    return second if first == 0xFF else None


def _scan_picture(file: BinaryIO, position: int) -> None:
    """The scans, and the segments between them, whose content may look like any marker (ITU T.81, B.2)."""
    scans = parts = 0
    while True:
        position, marker = _next_marker(file, position)
        if marker == END:
            return
        scans += marker == SCAN
        parts += 1
        _limit(scans, MOST_SCANS, "JPEG", "scans")
        _limit(parts, MOST_SEGMENTS, "JPEG", "segments")
        position += 2
        if marker[1] in BETWEEN_SCANS:
            file.seek(position)
            position += int.from_bytes(_read(file, 2), "big")


def _next_marker(file: BinaryIO, position: int) -> tuple[int, bytes]:
    """The next marker behind compressed data, and where it is. Reads more and more, as most markers are near."""
    size = NEAR
    while True:
        file.seek(position)
        block = file.read(size)
        if found := MARKER.search(block):
            return position + found.start(), found[0]
        if len(block) < size:
            raise EOFError
        position += len(block) - 1  # a marker may begin with the last byte
        size = min(4 * size, BLOCK)


def scan_png(file: BinaryIO, check_size: CheckSize) -> None:
    """The size, then the chunks (PNG specification, 5.3 and 11.2.1)."""
    file.seek(16)
    check_size(*struct.unpack(">II", _read(file, 8)))
    position, others, pixels = 8, 0, 0
    while True:
        file.seek(position)
        length, kind = struct.unpack(">I4s", _read(file, 8))
        if kind == b"IEND":
            return
        if kind in {b"IDAT", b"fdAT"}:
            pixels += 1
        else:
            others += 1
        _limit(pixels, MOST_PIXEL_CHUNKS, "PNG", "chunks")
        _limit(others, MOST_CHUNKS, "PNG", "chunks")
        position += 12 + length


def scan_webp(file: BinaryIO, check_size: CheckSize) -> None:
    """The size by the header, the length, then the chunks (RFC 9649). Pillow takes memory for all pixels at opening."""
    head = _read(file, 30)
    match head[12:16]:
        case b"VP8X":
            size = [int.from_bytes(head[start : start + 3], "little") + 1 for start in (24, 27)]
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            size = [(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1]
        case _:
            size = [int.from_bytes(head[start : start + 2], "little") & 0x3FFF for start in (26, 28)]
    check_size(*size)
    end = int.from_bytes(head[4:8], "little") + 8
    if end > file.seek(0, 2):
        raise EOFError
    position, chunks = 12, 0
    while position + 8 <= end:
        file.seek(position + 4)
        length = int.from_bytes(_read(file, 4), "little")
        position += 8 + length + length % 2
        chunks += 1
        _limit(chunks, MOST_CHUNKS, "WebP", "chunks")


def scan_tiff(file: BinaryIO, most_pages: int) -> None:
    """The tags of each page, up to one more than the most that are allowed (TIFF 6.0, section 2; BigTIFF)."""
    head = _read(file, 16)
    order = "<" if head.startswith(b"II") else ">"
    is_big = b"+" in head[2:4]
    offset, tags, tag = ("Q", "Q", "HHQ8x") if is_big else ("I", "H", "HHI4x")
    (position,) = struct.unpack_from(order + offset, head, 8 if is_big else 4)
    numbers = in_bytes = 0
    for _ in range(most_pages + 1):
        if not position:
            return
        file.seek(position)
        (count,) = _unpacked(file, order + tags)
        _limit(count, MOST_TAGS, "TIFF", "tags")
        for _number, kind, values in struct.iter_unpack(order + tag, _read(file, count * struct.calcsize(order + tag))):
            if kind in BYTES:
                in_bytes += values
            else:
                _limit(values, MOST_VALUES, "TIFF", "values in one tag")
                numbers += values
        _limit(numbers, MOST_VALUES_IN_FILE, "TIFF", "values in its tags")
        _limit(in_bytes, MOST_BYTES_IN_TAGS, "TIFF", "bytes in its tags")
        (position,) = _unpacked(file, order + offset)


def scan_pdf(file: BinaryIO) -> None:
    """The objects, as far as they are not compressed. Leaves the file at its beginning.

    PDFium takes more bytes for blanks than the specification, so each "obj" counts, whatever is in front of it.
    """
    file.seek(0)
    objects, rest = 0, b""
    while block := file.read(BLOCK):
        block = rest + block
        objects += block.count(b"obj", 1 if rest else 0) - block.count(b"dobj")  # "endobj"
        rest = block[-3:]  # the first three bytes were counted, unless a word goes on behind them
        _limit(objects, MOST_OBJECTS, "PDF", "objects")
    file.seek(0)


class FewReads:
    """A file that Pillow opens: it may read a few parts and bytes of it."""

    def __init__(self, file: BinaryIO, kind: str) -> None:
        self._file, self._kind = file, kind
        self._reads = self._bytes = 0

    def read(self, size: int) -> bytes:
        self._reads += 1
        self._bytes += size
        _limit(self._reads, MOST_READS, self._kind, "parts in its header")
        _limit(self._bytes, MOST_BYTES_READ, self._kind, "bytes in its header")
        return self._file.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


def _limit(count: int, most: int, kind: str, parts: str) -> None:
    if count > most:
        raise UnusableInput(f"This {kind} file has more than {most:,} {parts}. Please save it again and retry.")


def _unpacked(file: BinaryIO, form: str) -> tuple[Any, ...]:
    return struct.unpack(form, _read(file, struct.calcsize(form)))


def _read(file: BinaryIO, size: int) -> bytes:
    """So many bytes. Raises EOFError if the file has fewer."""
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data
