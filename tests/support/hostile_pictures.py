"""Hostile pictures of the formats that Pillow and its libraries read by themselves: GIF, BMP, JPEG 2000, HEIC, AVIF."""

import struct
from collections.abc import Callable, Iterator
from functools import partial

import pillow_heif
from PIL import Image

from tests.support import documents

pillow_heif.register_heif_opener()

SIDE = 7000  # pixels; its square is just below the limit
HUGE = 12_000  # pixels; its square is above the limit
SMALL = Image.new("RGB", (64, 64), "white")
GIF, BMP, JP2, HEIC, AVIF = (documents.saved(SMALL, kind) for kind in ("GIF", "BMP", "JPEG2000", "HEIF", "AVIF"))
J2K = documents.saved(SMALL, "JPEG2000", no_jp2=True)
SCREEN = 13 + 3 * 4  # bytes of a GIF before its first block: header, and a table of four colours
SIZ = 4 + 47  # bytes of a JPEG 2000 codestream before its second segment


def box(kind: bytes, content: bytes = b"") -> bytes:
    """A box of JPEG 2000, HEIC and AVIF (ISO 14496-12, 4.2)."""
    return struct.pack(">I", 8 + len(content)) + kind + content


def boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    position = 0
    while position < len(content):
        length, kind = struct.unpack_from(">I4s", content, position)
        yield kind, content[position + 8 : position + length]
        position += length


HEADS = {b"meta": 4, b"iinf": 6}  # bytes of a box before the boxes in it


def _grown(picture: bytes, path: tuple[bytes, ...], part: bytes, size: int) -> bytes:
    """The picture with as many parts as fit at the end of the box at this path."""
    room = max(1, (size - len(picture)) // len(part))
    made = b""
    for kind, content in boxes(picture):
        body = content
        if kind == path[0]:
            head, inner = body[: HEADS.get(kind, 0)], body[HEADS.get(kind, 0) :]
            if kind == b"iinf":
                head = head[:4] + struct.pack(">H", min(room + 1, 65535))
            body = head + (_grown(inner, path[1:], part, size) if len(path) > 1 else inner + part * room)
        made += box(kind, body)
    return made


def _nested(picture: bytes, kind: bytes, size: int) -> bytes:
    """Boxes in boxes at the end of the box "meta"."""
    depth = min(size // 8, 200_000)
    inner = b"".join(struct.pack(">I", 8 * (depth - level)) + kind for level in range(depth))
    return b"".join(box(name, body + inner if name == b"meta" else body) for name, body in boxes(picture))


def _behind_the_first(picture: bytes, part: bytes) -> tuple[bytes, bytes, bytes]:
    (length,) = struct.unpack_from(">I", picture)
    return picture[:length], part, picture[length:]


ITEM = box(b"infe", b"\2\0\0\0" + struct.pack(">HH", 7, 0) + b"Exif\0")

# What comes first, what is repeated, and what comes last.
FILLED: dict[str, tuple[bytes, bytes, bytes]] = {
    "gif, comments": (GIF[:SCREEN], b"!\xfe\1x\0", GIF[SCREEN:]),
    "gif, a comment in pieces": (GIF[:SCREEN] + b"!\xfe", b"\1x", b"\0" + GIF[SCREEN:]),
    "gif, extensions": (GIF[:SCREEN], b"!\xf9\4\0\0\0\0\0", GIF[SCREEN:]),
    "gif, empty extensions": (GIF[:SCREEN], b"!\1\0", GIF[SCREEN:]),
    "gif, stray bytes": (GIF[:SCREEN], b"\1", GIF[SCREEN:]),
    "gif, frames": (GIF[:SCREEN], GIF[SCREEN:-1], b";"),
    "gif, a picture in pieces": (GIF[:-2], b"\1\0", b"\0;"),
    "jpeg 2000, boxes": (JP2[:12], box(b"free"), JP2[12:]),
    "jpeg 2000, segments": (J2K[:SIZ], b"\xff\x30\0\2", J2K[SIZ:]),
    "heic, boxes": _behind_the_first(HEIC, box(b"free")),
    "heic, boxes with a meaning": _behind_the_first(HEIC, box(b"moov")),
    "avif, boxes": _behind_the_first(AVIF, box(b"free")),
    "avif, boxes with a meaning": _behind_the_first(AVIF, box(b"moov")),
}
GROWN: dict[str, Callable[[int], bytes]] = {
    "jpeg 2000, boxes in its header": partial(_grown, JP2, (b"jp2h",), box(b"free")),
    "jpeg 2000, a box of boxes": lambda size: _grown(JP2, (b"jp2h",), box(b"res ", box(b"resd") * (size // 8)), 0),
    **{
        f"{name}, {what}": partial(_grown, picture, path, part)
        for name, picture in (("heic", HEIC), ("avif", AVIF))
        for what, path, part in (
            ("brands", (b"ftyp",), b"mif1"),
            ("boxes in meta", (b"meta",), box(b"free")),
            ("items", (b"meta", b"iinf"), ITEM),
            ("properties", (b"meta", b"iprp", b"ipco"), box(b"free")),
        )
    },
    "heic, nested": partial(_nested, HEIC, b"iprp"),
    "avif, nested": partial(_nested, AVIF, b"dinf"),
}

# Small files that claim to be large, and files that end too soon


def _bmp_of_runs(runs: bytes) -> bytes:
    head = struct.pack("<IiiHHIIiiII", 40, SIDE, SIDE, 1, 8, 1, len(runs), 0, 0, 256, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 14 + len(head) + 1024) + head + bytes(1024) + runs


def _jpeg_2000_of(picture: bytes, side: int, tile: int) -> bytes:
    content, position = bytearray(picture), picture.index(b"\xff\x51") + 6
    struct.pack_into(">IIIIII", content, position, side, side, 0, 0, tile, tile)
    if (header := picture.find(b"ihdr")) > 0:
        struct.pack_into(">II", content, header + 4, side, side)
    return bytes(content)


def _box_of_size(picture: bytes, side: int) -> bytes:
    content = bytearray(picture)
    struct.pack_into(">II", content, picture.index(b"ispe") + 8, side, side)
    return bytes(content)


def _half(kind: str) -> bytes:
    whole = documents.saved(documents.drawn(), kind)
    return whole[: len(whole) * 3 // 4]


# Refused by the form for their size in pixels.
TOO_LARGE = {
    "gif, larger than its screen": GIF[: SCREEN + 5] + struct.pack("<HH", HUGE, HUGE) + GIF[SCREEN + 9 :],
    "jpeg 2000": _jpeg_2000_of(JP2, HUGE, HUGE),
    "jpeg 2000, without a box": _jpeg_2000_of(J2K, HUGE, HUGE),
    "heic": _box_of_size(HEIC, HUGE),
    "avif": _box_of_size(AVIF, HUGE),
}
# Taken or refused by the form, and no page for the task.
DAMAGED = {
    "bmp, packed": _bmp_of_runs(b"\xff\1" * (SIDE * (SIDE // 255 + 1))),
    "bmp, packed, with a single run": _bmp_of_runs(b"\xff\1"),
    "jpeg 2000, tiles of a pixel": _jpeg_2000_of(JP2, SIDE, 1),
    "heic, declared": _box_of_size(HEIC, SIDE),
    "heic, its data elsewhere": b"".join(_behind_the_first(HEIC, box(b"free"))),
    "avif, its data elsewhere": b"".join(_behind_the_first(AVIF, box(b"free"))),
    **{f"{kind}, half": _half(kind) for kind in ("GIF", "BMP", "JPEG2000", "HEIF", "AVIF")},
}
# Decoded to a large blank page.
LARGE = {
    "bmp, packed, with ends of lines": _bmp_of_runs(b"\1\1\0\0" * SIDE),
    "bmp, packed, with jumps": _bmp_of_runs(b"\0\2\xff\xff" * 100_000),
    "gif": documents.saved(Image.new("P", (SIDE, SIDE)), "GIF"),
    "jpeg 2000": _jpeg_2000_of(JP2, SIDE, SIDE),
    "jpeg 2000, tiles": _jpeg_2000_of(JP2, SIDE, 28),
    "avif": _box_of_size(AVIF, SIDE),
}
