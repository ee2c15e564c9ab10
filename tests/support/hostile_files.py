"""Hostile files of any size: each has as many as fit of what a reader might count, keep or go back over."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import partial

from PIL import Image

from tests.support import documents, hostile_pictures

MIB = 1024**2


def filled(head: bytes, part: bytes, tail: bytes, size: int) -> bytes:
    """The head, as many parts as fit, and the tail."""
    return head + part * max(1, (size - len(head) - len(tail)) // len(part)) + tail


# Tables

TABLES: dict[str, tuple[bytes, bytes, bytes]] = {
    "a time without end": (b"1-1-1T", b"1", b"!,x\n1,2\n"),
    "a time of colons": (b"1-1-1 ", b":1", b"!,x\n1,2\n"),
    "digits": (b"a,b\n", b"1", b",2\n"),
    "digits and a sign": (b"a;b\n+", b"1", b"x;2\n"),
    "points": (b"a,b\n1", b".1", b"x,2\n"),
    "percents": (b"a,b\n1", b"%", b",2\n"),
    "commas": (b"", b",", b"\n"),
    "every delimiter": (b"", b",;\t|^~:\x1e", b"\n"),
    "quotation marks": (b"a,b\n", b'"', b",2\n"),
    "quoted cells": (b"", b'"a",', b"\n"),
    "an open quotation": (b'a,b\n"', b"x\n", b""),
    "blanks": (b"a,b\n1,", b" ", b"x\n"),
    "newlines": (b"a,b\n", b"\n", b"1,2\n"),
    "old newlines": (b"a,b\r", b"\r", b"1,2\r"),
    "short rows": (b"a,b\n", b"1,2\n", b""),
    "rows of times": (b"a,b\n", b"1-1-1T" + b"1" * 500 + b"!,2\n", b""),
    "rows of decimals": (b"a;b\n", b"1,1" * 20 + b";2\n", b""),
    "names alike": (b"", b"a (2),", b"\n1,2\n"),
    "sep=": (b"sep=", b";", b"\na;b\n"),
    "broken UTF-8": (b"a,b\n", b"\xc3(", b",2\n"),
    "broken UTF-16": (b"\xff\xfe", b"\x00\xd8", b""),
    "broken UTF-32": (b"\xff\xfe\0\0", b"\xff\xff\xff\xff", b""),
    "UTF-16 rows": (b"\xff\xfe", "a,b\n".encode("utf-16-le"), b""),
    "a mark and zeros": (b"\xef\xbb\xbf", b"\0", b""),
    "signs": (b"a,b\n", b"+-", b",2\n"),
    "markup": (b"a,b\n", b"<", b",2\n"),
}


def tables(size: int) -> Iterator[tuple[str, bytes]]:
    for name, (head, part, tail) in TABLES.items():
        yield name, filled(head, part, tail, size)


# Pictures


def _picture(kind: str) -> bytes:
    return documents.saved(Image.new("RGB", (64, 64)), kind)


def _jpeg(part: bytes) -> Callable[[int], bytes]:
    """Parts between the first marker of a JPEG and the rest of it."""
    return lambda size: filled(b"\xff\xd8", part, _picture("JPEG")[2:], size)


def _scans(size: int) -> bytes:
    picture = _picture("JPEG")
    scan = picture[picture.index(b"\xff\xda") : -2]
    return filled(picture[:-2], scan, b"\xff\xd9", size)


def _scans_behind_an_end(between: bytes) -> Callable[[int], bytes]:
    """Scans of a progressive picture, with a segment in front of the second one."""

    def make(size: int) -> bytes:
        picture = documents.saved(Image.new("RGB", (64, 64)), "JPEG", progressive=True)
        first = picture.index(b"\xff\xda")
        second = picture.index(b"\xff\xda", first + 1)
        last = picture.rindex(b"\xff\xda")
        return filled(picture[:second] + between + picture[second:-2], picture[last:-2], b"\xff\xd9", size)

    return make


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def _png(part: bytes) -> Callable[[int], bytes]:
    """Chunks between the header of a PNG and its pixels."""
    picture = _picture("PNG")
    return lambda size: filled(picture[:33], part, picture[33:], size)


BOMB = zlib.compress(bytes(MIB), 9)


def _tiff_of_tags(size: int, *, is_big: bool) -> bytes:
    """One page with more tags than there are."""
    count = (size - 64) // (20 if is_big else 12)
    tag = struct.pack("<HHQQ", 270, 2, 1, 65) if is_big else struct.pack("<HHII", 270, 2, 1, 65)
    head = b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, count) if is_big else b""
    head = head or b"II*\0" + struct.pack("<IH", 8, min(count, 65535))
    return head + tag * count + bytes(16)


def _tiff_of_values(number: int) -> Callable[[int], bytes]:
    """One page, and a tag with as many numbers as fit."""

    def make(size: int) -> bytes:
        count = (size - 256) // 4
        base = {256: 64, 257: 64, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 1, 279: 64}
        tags = [struct.pack("<HHII", key, 4, 1, value) for key, value in base.items() if key != number]
        tags.append(struct.pack("<HHII", number, 4, count, 256))
        tags.sort(key=lambda tag: struct.unpack_from("<H", tag)[0])
        head = b"II*\0" + struct.pack("<IH", 8, len(tags)) + b"".join(tags) + bytes(4)
        return head.ljust(256, b"\0") + struct.pack("<I", 1) * count

    return make


def _tiff_of_same_values(kind: int, count: int) -> Callable[[int], bytes]:
    """Pages with many tags, each of which names the same bytes; Pillow makes an object of each number of each."""

    def make(size: int) -> bytes:
        pages, tags = 30, 900
        length = 2 + tags * 12 + 4
        where = 8 + pages * length
        content = io.BytesIO()
        content.write(b"II*\0" + struct.pack("<I", 8))
        for page in range(pages):
            content.write(struct.pack("<H", tags))
            for tag in range(tags):
                content.write(struct.pack("<HHII", 300 + tag, kind, count, where))
            content.write(struct.pack("<I", 0 if page == pages - 1 else 8 + (page + 1) * length))
        return content.getvalue().ljust(max(size, where + 8 * count), b"\1")

    return make


def _tiff_of_pages(size: int) -> bytes:
    """A page that is followed by another one, and so on, each with many tags."""
    tags = 1000
    length = 2 + tags * 12 + 4
    content = io.BytesIO()
    content.write(b"II*\0" + struct.pack("<I", 8))
    for page in range(max(1, (size - 8) // length)):
        content.write(struct.pack("<H", tags))
        for tag in range(tags):
            content.write(struct.pack("<HHII", 256 + tag, 4, 1, 64))
        content.write(struct.pack("<I", 8 + (page + 1) * length))
    return content.getvalue()


def _webp(size: int) -> bytes:
    head = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + b"\x3f\0\0\x3f\0\0"
    body = filled(b"WEBP" + head, b"ANMF" + struct.pack("<I", 16) + bytes(16), b"", size)
    return b"RIFF" + struct.pack("<I", len(body)) + body


PICTURES: dict[str, Callable[[int], bytes]] = {
    "jpeg, empty segments": _jpeg(b"\xff\xe5\0\2"),
    "jpeg, comments": _jpeg(b"\xff\xfe\0\3x"),
    "jpeg, fill bytes": _jpeg(b"\xff"),
    "jpeg, restarts": _jpeg(b"\xff\xd0"),
    "jpeg, stray bytes": lambda size: filled(b"\xff\xd8\xff\xe5\0\2", b"\0", _picture("JPEG")[2:], size),
    "jpeg, hidden segments": _jpeg(b"\xff\x00\xff\xfc" + b"\xff\xe5\0\2" * 16_383),
    "jpeg, segments hidden behind another marker": _jpeg(b"\xff\xf0\xff\xfc" + b"\xff\xe5\0\2" * 16_383),
    "jpeg, tables": _jpeg(b"\xff\xdb" + struct.pack(">H", 2 + 65 * 900) + (b"\0" + bytes(64)) * 900),
    "jpeg, resources": _jpeg(
        b"\xff\xed" + struct.pack(">H", 2 + 14 + 12 * 5000) + b"Photoshop 3.0\0" + b"8BIM\0\1\0\0\0\0\0\0" * 5000
    ),
    "jpeg, exif": _jpeg(b"\xff\xe1" + struct.pack(">H", 8 + 60_000) + b"Exif\0\0" + b"II*\0\x08\0\0\0" * 7500),
    "jpeg, scans": _scans,
    "jpeg, scans behind a comment with an end": _scans_behind_an_end(b"\xff\xfe\0\4\xff\xd9"),
    "jpeg, scans behind a table with an end": _scans_behind_an_end(b"\xff\xef\0\6\xff\xd9\xff\xd9"),
    "jpeg, scans behind a marker without a length": _scans_behind_an_end(b"\xff\x01\xff\xff"),
    "jpeg, segments between scans": lambda size: _scans_behind_an_end(b"\xff\xe5\0\2" * (size // 4))(1),
    "png, empty chunks": _png(_chunk(b"teSt", b"")),
    "png, texts": _png(_chunk(b"tEXt", b"k\0v")),
    "png, packed texts": _png(_chunk(b"zTXt", b"k\0\0" + BOMB)),
    "png, packed profiles": _png(_chunk(b"iCCP", b"k\0\0" + BOMB)),
    "png, pixels": _png(_chunk(b"IDAT", b"")),
    "tiff, tags": lambda size: _tiff_of_tags(size, is_big=False),
    "bigtiff, tags": lambda size: _tiff_of_tags(size, is_big=True),
    "tiff, strips": _tiff_of_values(273),
    "tiff, bits": _tiff_of_values(258),
    "tiff, formats": _tiff_of_values(339),
    "tiff, pages": _tiff_of_pages,
    "tiff, the same numbers in each tag": _tiff_of_same_values(3, 90_000),
    "tiff, the same bytes in each tag": _tiff_of_same_values(7, 400_000),
    "webp, frames": _webp,
    **{name: partial(filled, *shape) for name, shape in hostile_pictures.FILLED.items()},
    **hostile_pictures.GROWN,
}

# PDFs


def _objects(blank: bytes) -> Callable[[int], bytes]:
    part = b"1 0%bobj\n<<>>\nendobj\n" % blank
    return lambda size: filled(b"%PDF-1.7\n", part, b"trailer<</Root 1 0 R>>\n", size)


def _nested(opening: bytes) -> Callable[[int], bytes]:
    return lambda size: filled(b"%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages ", opening, b"\ntrailer<</Root 1 0 R>>", size)


def _packed_xref(size: int) -> bytes:
    """A table of objects that unpacks to a thousand times the size of the file."""
    packer = zlib.compressobj(9)
    packed = b"".join(packer.compress(bytes(MIB)) for _ in range(min(1000, size // 1100))) + packer.flush()
    table = b"<</Type/XRef/W[1 4 2]/Size 4000000/Root 1 0 R/Filter/FlateDecode/Length %d>>stream\n" % len(packed)
    body = b"%PDF-1.7\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n"
    return body + b"3 0 obj\n" + table + packed + b"\nendstream\nendobj\nstartxref\n%d\n%%%%EOF" % len(body)


def _kids(size: int) -> bytes:
    kids = b"2 0 R " * (size // 6)
    tree = b"<< /Type /Pages /Kids [%b] >>" % kids
    return documents.pdf(documents.CATALOGUE, tree)


PDFS: dict[str, Callable[[int], bytes]] = {
    "pdf, objects": _objects(b" "),
    "pdf, objects on two lines": _objects(b"\n"),
    "pdf, objects behind a tab": _objects(b"\t"),
    "pdf, objects behind a zero": _objects(b"\0"),
    "pdf, objects behind a comment": _objects(b"%\r"),
    "pdf, objects behind what PDFium takes for a blank": _objects(b"\x80"),
    "pdf, arrays": _nested(b"["),
    "pdf, dictionaries": _nested(b"<</a "),
    "pdf, brackets": _nested(b"("),
    "pdf, packed table": _packed_xref,
    "pdf, pages that are their own": _kids,
    "pdf, headers": lambda size: filled(b"", b"%PDF-1.7\n", b"", size),
    "pdf, trailers": lambda size: filled(b"%PDF-1.7\n", b"trailer<</Prev 9>>startxref\n9\n%%EOF\n", b"", size),
    "pdf, xrefs": lambda size: filled(b"%PDF-1.7\n", b"xref\n0 99999999\n", b"startxref\n9\n%%EOF", size),
}


def scans(size: int) -> Iterator[tuple[str, bytes]]:
    for name, make in (PICTURES | PDFS).items():
        yield name, make(size)
