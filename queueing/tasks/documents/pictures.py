"""PNG, JPEG, TIFF and WebP files as page pictures, decoded by Pillow."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from PIL import Image, ImageOps
from PIL.TiffImagePlugin import STRIPBYTECOUNTS, STRIPOFFSETS, TILEBYTECOUNTS, TILEOFFSETS, TiffImageFile

from queueing.exceptions import UnusableInput
from queueing.tasks.documents.conf import conf
from queueing.tasks.documents.page import A4_LONG_SIDE, LONG_SIDE, Document

# Switch off Pillow's limit: the setting MAX_PIXELS replaces it and is checked before a picture is decoded.
Image.MAX_IMAGE_PIXELS = None

# The exceptions of Pillow's readers on damaged files.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    struct.error,
    zlib.error,
)


@contextmanager
def open_pictures(file: BinaryIO, kind: str) -> Iterator[Document]:
    """Open and check the pictures in a file. `kind` is Pillow's name of the format.

    Raises UnusableInput if the file is damaged, or has too many pixels or pages.
    """
    try:
        image, page_count = _checked(file, kind)
    except DAMAGED as error:
        raise UnusableInput("This picture is damaged or incomplete. Please save it again and retry.") from error
    with image:
        yield Pictures(image, page_count)


class Pictures:
    """One picture, or the pictures of a TIFF."""

    def __init__(self, image: Image.Image, page_count: int) -> None:
        self._image = image
        self.page_count = page_count

    def picture(self, index: int) -> Image.Image:
        try:
            self._image.seek(index)
            self._image.draft("RGB", (LONG_SIDE, LONG_SIDE))  # a large JPEG is decoded at 1/2, 1/4 or 1/8 of its size
            self._image.load()
            return _normalised(self._image)
        except DAMAGED as error:
            raise UnusableInput("This page is damaged and could not be read.") from error

    def paper(self, index: int) -> float:
        return A4_LONG_SIDE  # the resolution stated in a picture is seldom true


# Checks: size and completeness, without decoding


def _checked(file: BinaryIO, kind: str) -> tuple[Image.Image, int]:
    """The image and its number of pages. Raises UnusableInput for a limit, one of DAMAGED for a damaged file."""
    match kind:
        case "WEBP":
            _check_webp(file)
        case "JPEG":
            _check_jpeg(file)
        case "PNG":
            Image.open(file, formats=[kind]).verify()  # checks the checksum of every chunk
    file.seek(0)
    image = Image.open(file, formats=[kind])
    if isinstance(image, TiffImageFile):
        return image, _check_frames(image, file)
    _check_pixels(*image.size)
    return image, 1


def _check_pixels(width: int, height: int) -> None:
    if width * height > conf.MAX_PIXELS:
        raise UnusableInput(
            f"This picture has {width:,} by {height:,} pixels; the limit is {conf.MAX_PIXELS:,} pixels in all."
        )


def _check_webp(file: BinaryIO) -> None:
    """Check size and length by the header (RFC 9649). Pillow allocates all pixels as soon as it opens a WebP."""
    head = file.read(30)
    match head[12:16]:
        case b"VP8X":
            size = [int.from_bytes(head[start : start + 3], "little") + 1 for start in (24, 27)]
        case b"VP8L":
            bits = int.from_bytes(head[21:25], "little")
            size = [(bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1]
        case _:
            size = [int.from_bytes(head[start : start + 2], "little") & 0x3FFF for start in (26, 28)]
    _check_pixels(*size)
    if int.from_bytes(head[4:8], "little") + 8 > file.seek(0, 2):
        raise EOFError


def _check_jpeg(file: BinaryIO) -> None:
    """Check that an end-of-image marker follows the segments (ITU T.81, B.1.1.5).

    Compressed data cannot contain the bytes of a marker.
    """
    data = file.read()
    position = 2
    while data[position] == 0xFF and data[position + 1] != 0xDA:
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    if data.find(b"\xff\xd9", position) < 0:
        raise EOFError


def _check_frames(image: TiffImageFile, file: BinaryIO) -> int:
    """The number of pages of a TIFF. Checks the size of each page and that its data lies within the file.

    Stops at the first page beyond MAX_PAGES. The file may claim any number of pages.
    """
    end = file.seek(0, 2)
    for index in range(conf.MAX_PAGES + 1):
        try:
            image.seek(index)
        except EOFError:
            return index
        _check_pixels(*image.size)
        for offsets, sizes in ((STRIPOFFSETS, STRIPBYTECOUNTS), (TILEOFFSETS, TILEBYTECOUNTS)):
            parts = zip(image.tag_v2.get(offsets, ()), image.tag_v2.get(sizes, ()), strict=False)
            if any(offset + size > end for offset, size in parts):
                raise EOFError
    raise UnusableInput(f"This TIFF file has more pages than the limit of {conf.MAX_PAGES}.")


# Decoding


def _normalised(image: Image.Image) -> Image.Image:
    """A copy in RGB, upright, with its long side at most LONG_SIDE, and white where the picture is transparent."""
    if image.mode.startswith("I"):
        image = image.point(lambda value: value * (1 / 256)).convert("L")  # 16 bits of grey
    elif image.mode in {"1", "P", "PA"}:
        image = image.convert("L" if image.mode == "1" else "RGBA")
    longest = max(image.size)
    if longest > LONG_SIDE:
        width, height = (max(1, round(side * LONG_SIDE / longest)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=2.0)
    with suppress(*DAMAGED):  # ignore damaged EXIF data: the picture itself is fine
        image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
    return image.convert("RGB")
