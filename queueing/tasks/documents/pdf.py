"""PDF files as pages, rendered by PDFium."""

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from PIL import Image
from pypdfium2.internal import get_bufreader

from queueing.conf import conf
from queueing.exceptions import UnusableInput
from queueing.tasks.documents.page import A4_LONG_SIDE, LONG_SIDE, Document

# PDFium has global state and no locks, and two requests may check two uploads at once, in two threads. Whoever calls
# it holds this lock, and closes what it opened before letting go: the garbage collector would not wait for the lock.
pdfium_lock = threading.RLock()

PAPER_LIMITS = (72.0, 14_400.0)  # points; the larger is what readers show (PDF Reference 1.7, appendix C)


@contextmanager
def open_pdf(file: BinaryIO) -> Iterator[Document]:
    """Open and check a PDF. Raises UnusableInput."""
    # Freed with the function, so it outlives the document: PDFium reads through it whenever it needs more of the file.
    access, _kept = get_bufreader(file)
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
    # Not by PdfDocument(file): it takes a document without pages for one that could not be loaded, and then asks for
    # an error of which there is none.
    handle = pdfium_c.FPDF_LoadCustomDocument(access, None)
    if handle:
        return pdfium.PdfDocument(handle)
    if pdfium_c.FPDF_GetLastError() in {pdfium_c.FPDF_ERR_PASSWORD, pdfium_c.FPDF_ERR_SECURITY}:
        raise UnusableInput("This PDF is protected with a password. Please save it without one and try again.")
    raise UnusableInput("This PDF is damaged and cannot be opened.")


def _check(page_count: int) -> None:
    if page_count < 1:
        raise UnusableInput("This PDF has no pages.")
    if page_count > conf.DOCUMENT_MAX_PAGES:
        raise UnusableInput(f"This PDF has {page_count} pages; the limit is {conf.DOCUMENT_MAX_PAGES}.")


class PdfPages:
    """The pages of a PDF as they would be printed.

    Text that the file already carries is not used: what people hand in are scans, and the text below a scan is an
    older recognition of unknown quality. What the eye sees is there in every PDF, and one way suits all of them.
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
        page = self._pdf[index]
        try:
            bitmap = page.render(scale=_scale(*page.get_size()), rev_byteorder=True)
            picture: Image.Image = bitmap.to_pil().convert("RGB")  # a copy: the bitmap's memory is PDFium's
            bitmap.close()
        finally:
            page.close()
        return picture


def _scale(width: float, height: float) -> float:
    """Pixels per point, such that no page, however large, makes a picture beyond the limits."""
    long_side, area = max(width, height, 1), max(width * height, 1)
    return min(LONG_SIDE / long_side, math.sqrt(conf.DOCUMENT_MAX_PIXELS / area))
