"""PDF files as page pictures, rendered by PDFium."""

import io
import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image
from pypdfium2.internal import get_bufreader

from queueing.exceptions import UnusableInput
from queueing.tasks.documents.conf import conf
from queueing.tasks.documents.page import A4_LONG_SIDE, LONG_SIDE, Document

# Hold this lock for every call of PDFium, which has global state and is not thread-safe. Checkers and horses call it
# from one thread each; a caller with several threads is safe, too. Close every PDFium object before releasing the lock:
# the garbage collector would close it without the lock.
pdfium_lock = threading.RLock()

PAPER_LIMITS = (72.0, 14_400.0)  # points; the upper limit is that of PDF readers (PDF Reference 1.7, appendix C)


class FromHeader(io.RawIOBase):
    """A file from the header of the PDF on. PDFium looks for the header in the first kilobyte only."""

    def __init__(self, file: BinaryIO, start: int) -> None:
        self._file, self._start = file, start

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset + self._start if whence == io.SEEK_SET else offset, whence) - self._start

    def readinto(self, buffer: Any) -> int:
        content = self._file.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


@contextmanager
def open_pdf(file: BinaryIO, start: int = 0) -> Iterator[Document]:
    """Open and check a PDF whose header begins at `start`.

    Raises UnusableInput if it is damaged, protected, empty, or longer than MAX_PAGES.
    """
    # Both names live as long as this generator, so they outlive the document: PDFium calls them to read the file.
    access, _callback = get_bufreader(FromHeader(file, start) if start else file)
    with pdfium_lock:
        pdf = _load(access)
    try:
        with pdfium_lock:
            page_count = len(pdf)
        _check(page_count)
        yield PdfPages(pdf, page_count)
    finally:
        with pdfium_lock:
            pdf.close()


def _load(access: Any) -> Any:
    # Call PDFium directly. PdfDocument(file) mistakes a document without pages for one that failed to load, and then
    # looks up an error code that is not set.
    handle = pdfium_c.FPDF_LoadCustomDocument(access, None)
    if handle:
        return pdfium.PdfDocument(handle)
    if pdfium_c.FPDF_GetLastError() in {pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY}:
        raise UnusableInput("This PDF is protected with a password. Please save it without one and try again.")
    raise UnusableInput("This PDF is damaged and cannot be opened.")


def _check(page_count: int) -> None:
    if page_count < 1:
        raise UnusableInput("This PDF has no pages.")
    if page_count > conf.MAX_PAGES:
        raise UnusableInput(f"This PDF has {page_count} pages; the limit is {conf.MAX_PAGES}.")


class PdfPages:
    """The pages of a PDF as they would be printed.

    Text stored in the file is not used. Most inputs are scans, and text stored with a scan comes from an earlier
    recognition of unknown quality. Reading the rendered picture works the same way for every PDF.
    """

    def __init__(self, pdf: Any, page_count: int) -> None:
        self._pdf = pdf
        self.page_count = page_count

    def picture(self, index: int) -> Image.Image:
        try:
            with pdfium_lock:
                return self._render(index)
        except (pdfium.PdfiumError, ValueError) as error:
            raise UnusableInput("This page is damaged and could not be read.") from error

    def paper(self, index: int) -> float:
        try:
            with pdfium_lock:
                long_side = max(map(float, self._pdf.get_page_size(index)))
        except pdfium.PdfiumError:
            return A4_LONG_SIDE
        return min(max(long_side, PAPER_LIMITS[0]), PAPER_LIMITS[1])

    def _render(self, index: int) -> Image.Image:
        self._pdf.init_forms()  # before any page is loaded: without it, filled fields are not drawn
        page = self._pdf[index]
        try:
            bitmap = page.render(scale=_scale(*page.get_size()), rev_byteorder=True)
            picture: Image.Image = bitmap.to_pil().convert("RGB")  # a copy: the bitmap's memory is PDFium's
            bitmap.close()
        finally:
            page.close()
        return picture


def _scale(width: float, height: float) -> float:
    """Pixels per point. The picture stays within LONG_SIDE and MAX_PIXELS for a page of any size in points."""
    long_side, area = max(width, height, 1), max(width * height, 1)
    return min(LONG_SIDE / long_side, math.sqrt(conf.MAX_PIXELS / area))
