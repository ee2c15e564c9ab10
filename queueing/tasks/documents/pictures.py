"""Files of pictures as page pictures, decoded by Pillow; of a file of several pictures only a TIFF has pages."""

import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import BinaryIO

from PIL import Image, ImageOps, ImageStat
from PIL.TiffImagePlugin import STRIPBYTECOUNTS, STRIPOFFSETS, TILEBYTECOUNTS, TILEOFFSETS, TiffImageFile

from queueing.exceptions import UnusableInput
from queueing.tasks.documents.conf import conf
from queueing.tasks.documents.page import A4_LONG_SIDE, LONG_SIDE, Document
from queueing.tasks.documents.scanning import FewReads, scan_jpeg, scan_png, scan_tiff, scan_webp

# Switch off Pillow's limit: the setting MAX_PIXELS replaces it and is checked before a picture is decoded.
Image.MAX_IMAGE_PIXELS = None

BY_PARTS = {"GIF", "JPEG2000"}  # formats whose header may have any number of parts
HALF = 127  # of 255 levels: what is less opaque is not seen
LIGHT = 170  # likewise: the mean grey of ink that wants a dark ground

# The exceptions of Pillow's readers on damaged files; RuntimeError is that of libavif and libheif.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)


@contextmanager
def open_pictures(file: BinaryIO, kind: str) -> Iterator[Document]:
    """Open and check the pictures in a file. `kind` is Pillow's name of the format.

    Raises UnusableInput if the file is damaged, or has too many pixels, parts or pages.
    """
    try:
        page_count = _checked(file, kind)
    except DAMAGED as error:
        raise UnusableInput("This picture is damaged or incomplete. Please save it again and retry.") from error
    yield Pictures(file, kind, page_count)


class Pictures:
    """One picture, or the pictures of a TIFF. Pillow opens the file at the first one: a WebP takes much memory then."""

    def __init__(self, file: BinaryIO, kind: str, page_count: int) -> None:
        self._file, self._kind = file, kind
        self._image: Image.Image | None = None
        self.page_count = page_count

    def picture(self, index: int) -> Image.Image:
        try:
            image = self._opened()
            if index:  # the first one is there: in a HEIC that of the check, which may be another than number 0
                image.seek(index)
            image.draft("RGB", (LONG_SIDE, LONG_SIDE))  # a large JPEG is decoded at 1/2, 1/4 or 1/8 of its size
            image.load()
            picture = _normalised(image)
            # The next page of a TIFF is decoded into the same memory. A copy takes as long as a tenth of a decoding.
            return picture.copy() if picture is image and self.page_count > 1 else picture
        except DAMAGED as error:
            raise UnusableInput("This page is damaged and could not be read.") from error

    def paper(self, index: int) -> float:
        return A4_LONG_SIDE  # the resolution stated in a picture is seldom true

    def _opened(self) -> Image.Image:
        if self._image is None:
            self._file.seek(0)
            self._image = _open(self._file, self._kind)
        return self._image


def _open(file: BinaryIO | FewReads, kind: str) -> Image.Image:
    if kind == "HEIF":
        import pillow_heif  # seldom needed, and large

        pillow_heif.register_heif_opener(thumbnails=False)
    return Image.open(file, formats=[kind])  # type: ignore[arg-type]  # it needs no more than to read, seek and tell


# Checks: size, counts and completeness, without decoding


def _checked(file: BinaryIO, kind: str) -> int:
    """The number of pages. Raises UnusableInput for a limit, one of DAMAGED for a damaged file."""
    match kind:
        case "WEBP":
            scan_webp(file, _check_pixels)
            return 1
        case "JPEG":
            scan_jpeg(file, _check_pixels)
        case "PNG":
            scan_png(file, _check_pixels)
            file.seek(0)
            _open(file, kind).verify()  # checks the checksum of every chunk
        case "TIFF":
            scan_tiff(file, conf.MAX_PAGES)
    file.seek(0)
    with _open(FewReads(file, kind) if kind in BY_PARTS else file, kind) as image:
        if isinstance(image, TiffImageFile):
            return _check_frames(image, file)
        _check_pixels(*image.size)
        return 1


def _check_pixels(width: int, height: int) -> None:
    if width * height > conf.MAX_PIXELS:
        raise UnusableInput(
            f"This picture has {width:,} by {height:,} pixels; the limit is {conf.MAX_PIXELS:,} pixels in all."
        )


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
    """The picture in RGB, upright, its long side at most LONG_SIDE, on a ground where it is transparent.

    Changes the image, or returns another one.
    """
    if image.mode.startswith("I"):
        image = image.point(lambda value: value * (1 / 256)).convert("L")  # 16 bits of grey
    elif image.mode in {"1", "P", "PA"}:
        image = image.convert("L" if image.mode == "1" else "RGBA")
    longest = max(image.size)
    if longest > LONG_SIDE:
        width, height = (max(1, round(side * LONG_SIDE / longest)) for side in image.size)
        # Hamming's filter takes half the time of Lanczos'; as many words are read.
        image = image.resize((width, height), Image.Resampling.HAMMING, reducing_gap=2.0)
    with suppress(*DAMAGED):  # ignore damaged EXIF data: the picture itself is fine
        ImageOps.exif_transpose(image, in_place=True)
    if image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, _ground(image)), image)
    return image if image.mode == "RGB" else image.convert("RGB")


def _ground(image: Image.Image) -> str:
    """The colour to lay a transparent picture on: white, but black for light ink, which would not be seen on white."""
    grey, alpha = image.convert("LA").split()
    drawn = ImageStat.Stat(grey, mask=alpha.point(lambda value: 255 * (value > HALF)))
    is_mostly_empty = drawn.count[0] < image.width * image.height / 2
    return "black" if is_mostly_empty and drawn.count[0] and drawn.mean[0] > LIGHT else "white"
