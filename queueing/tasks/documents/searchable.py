"""A searchable PDF: page pictures with the recognised text over them, invisible, to be found, selected and copied.

The text is written in render mode 3 (neither filled nor stroked), in a font whose codes are UTF-16 and whose glyphs are
never drawn. So text in any script needs no font for that script. The idea is from Tesseract (`GlyphLessFont` in its
pdfrenderer.cpp). PDFium still requires a real font file, and gets the small one that comes with Pillow.
"""

import ctypes
import io
import math
import re
from collections.abc import Iterable, Iterator
from itertools import chain
from types import TracebackType
from typing import Any, Self

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import ImageFont

from queueing.tasks.documents.page import Line
from queueing.tasks.documents.pdf import pdfium_lock

# The font's map from codes to text: every code is the UTF-16 unit of its character.
TO_UNICODE = b"""/CIDInit /ProcSet findresource begin
12 dict begin
begincmap
/CMapName /Adobe-Identity-UCS def
/CMapType 2 def
1 begincodespacerange
<0000> <FFFF>
endcodespacerange
1 beginbfrange
<0000> <FFFF> <0000>
endbfrange
endcmap
CMapName currentdict /CMap defineresource pop
end
end
"""
# The font's map from codes to glyphs: every code has this glyph. It is never drawn, but readers select text by the size
# of its glyphs, and PDFium does not find a single letter without a glyph. Glyph numbers in this font: three that stand
# for no character, then ASCII from the space on.
GLYPH = "M"
TO_GLYPH = (ord(GLYPH) - ord(" ") + 3).to_bytes(2, "big") * 0x10000
# A word with the space behind it; of scripts without spaces each letter.
WORD, WHOLE = re.compile(r"[\u2e80-\U0003ffff]\s*|[^\s\u2e80-\U0003ffff]+\s*"), re.compile(r".+", re.DOTALL)
MOST_DROP = 0.3  # of its height: a line that drops or climbs by more is written word by word
BASELINE = 0.2  # the baseline's distance from the lower edge of a line, as a share of the line's height


class SearchablePdf:
    """A PDF that is written page by page. Use it in a `with` block, which frees PDFium's memory."""

    def __enter__(self) -> Self:
        with pdfium_lock:
            self._pdf = pdfium.PdfDocument.new()
            self._font, self._code_width = _load_font(self._pdf)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with pdfium_lock:
            pdfium_c.FPDFFont_Close(self._font)
            self._pdf.close()

    def add_page(self, jpeg: bytes, size: tuple[int, int], paper: float, lines: Iterable[Line]) -> None:
        """Add a page: a JPEG picture of `size` pixels with its lines of text.

        The long side of the page's paper is `paper` points. The corners of the lines are in pixels of the picture.
        """
        points = paper / max(size)  # per pixel
        width, height = size[0] * points, size[1] * points
        with pdfium_lock:
            page = self._pdf.new_page(width, height)
            page.insert_obj(_image_object(self._pdf, jpeg, pdfium.PdfMatrix().scale(width, height)))
            for line in chain.from_iterable(map(_level, lines)):
                page.insert_obj(self._text_object(line, points, height))
            page.gen_content()
            page.close()

    def add_empty_page(self, paper: float) -> None:
        """Add an empty page in place of one that could not be read, so that the others keep their page numbers."""
        with pdfium_lock:
            self._pdf.new_page(paper / math.sqrt(2), paper).close()

    def content(self) -> bytes:
        """The PDF file."""
        with pdfium_lock, io.BytesIO() as buffer:
            self._pdf.save(buffer)
            return buffer.getvalue()

    def _text_object(self, line: Line, points: float, page_height: float) -> Any:
        """The level line as text, with its width in the picture. `points` is points per pixel."""
        top_left, _, bottom_right, bottom_left = line.corners
        size = max((bottom_left[1] - top_left[1]) * points, 1)
        width = max((bottom_right[0] - bottom_left[0]) * points, 1)
        codes = _codes(line.text)
        raw = pdfium_c.FPDFPageObj_CreateTextObj(self._pdf, self._font, size)
        pdfium_c.FPDFText_SetCharcodes(raw, codes, len(codes))
        pdfium_c.FPDFTextObj_SetTextRenderMode(raw, pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE)
        text = pdfium.PdfObject(raw, pdf=self._pdf)
        text.set_matrix(
            pdfium.PdfMatrix()
            .translate(0, BASELINE * size)
            .scale(width / (size * self._code_width * len(codes)), 1)
            .translate(bottom_left[0] * points, page_height - bottom_left[1] * points)
        )
        return text


def _level(line: Line) -> Iterator[Line]:
    """The line as level text: as a whole, or word by word if it is too much askew.

    Poppler takes letters on a slanted base for many lines of a letter or two, so it finds no word of them.
    """
    top_left, _, bottom_right, bottom_left = (complex(*corner) for corner in line.corners)
    height, along = abs(bottom_left - top_left), bottom_right - bottom_left
    words = list(WORD.finditer(line.text)) if abs(along.imag) > MOST_DROP * height else []
    if len(words) < 2:
        words = list(WHOLE.finditer(line.text))
    for word in words:
        ends = [bottom_left + along * place / len(line.text) for place in word.span()]
        left, right = sorted(end.real for end in ends)
        base = (ends[0].imag + ends[1].imag) / 2
        corners = (left, base - height), (right, base - height), (right, base), (left, base)
        yield Line(word[0], line.confidence, corners)


def _load_font(pdf: Any) -> tuple[Any, float]:
    """PDFium's handle of the font, and the width of every code as a fraction of the font's size."""
    font = ImageFont.load_default(1000)
    assert isinstance(font, ImageFont.FreeTypeFont)  # Pillow's wheels have FreeType
    file = font.font_bytes
    handle = pdfium_c.FPDFText_LoadCidType2Font(
        pdf, _array(ctypes.c_uint8, file), len(file), TO_UNICODE, _array(ctypes.c_uint8, TO_GLYPH), len(TO_GLYPH)
    )
    return handle, font.getlength(GLYPH) / font.size


def _image_object(pdf: Any, jpeg: bytes, matrix: Any) -> Any:
    image = pdfium.PdfImage.new(pdf)
    image.load_jpeg(io.BytesIO(jpeg), inline=True)
    image.set_matrix(matrix)
    return image


def _codes(text: str) -> Any:
    """The UTF-16 units of a text, as a C array."""
    encoded = text.encode("utf-16-le", "replace")
    units = memoryview(encoded).cast("H")
    return _array(ctypes.c_uint32, units)


def _array(kind: Any, values: Any) -> Any:
    return (kind * len(values))(*values)
