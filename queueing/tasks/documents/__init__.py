"""The heavy task "documents": a scan or a photo in, its text out, page by page.

    form.py           refuses what cannot be read
    source.py         what was handed in, by its content: pdf.py with PDFium, pictures.py with Pillow
    engine.py         a page picture -> lines of text, with rapidocr
    layout.py         lines -> rows and paragraphs, as one reads: reading_order.py
    searchable.py     page pictures and lines -> a PDF that can be searched
    page.py           what these hand to each other

rapidocr, onnxruntime and OpenCV are loaded at the first page only, so a web process never has them. A worker that
forks may call `warm_up()` before, which saves each job the import.
"""

import io
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from django.tasks import task
from PIL import Image

from queueing.exceptions import UnusableInput
from queueing.tasks import Context, HeavyTask
from queueing.tasks.documents import engine, layout
from queueing.tasks.documents.engine import warm_up
from queueing.tasks.documents.form import DocumentForm
from queueing.tasks.documents.page import Document, Line
from queueing.tasks.documents.searchable import SearchablePdf
from queueing.tasks.documents.source import open_document

__all__ = ["heavy_task", "read_document", "warm_up"]

logger = logging.getLogger("queueing")

TEXT_FILE = "text.txt"
PDF_FILE = "searchable.pdf"
SHOWN_WIDTH = 1200  # pixels of the picture on the page


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page as the result template gets it."""

    number: int
    picture: str | None = None  # the name of a file
    width: int = 0  # pixels of that picture
    height: int = 0
    text: str = ""
    confidence: float | None = None  # 0..1; None without text
    lines: list[dict[str, Any]] = field(default_factory=list)  # in reading order
    readable: bool = True
    note: str = ""


# Our backend hands in its own context, a TaskContext that can do more; @task only knows of the plain one.
@task(queue_name="documents", takes_context=True)  # type: ignore[arg-type]
def read_document(context: Context) -> dict[str, Any]:
    """The pages with their text; pictures, the whole text and a searchable PDF are files."""
    with context.input_file() as path, path.open("rb") as file, open_document(file) as document, SearchablePdf() as pdf:
        pages = [_read_page(context, document, pdf, index) for index in range(document.page_count)]
        if not any(page.readable for page in pages):
            raise UnusableInput("No page of this document could be read: the file is damaged.")
        # A form feed between pages, as pdftotext and Tesseract write it.
        context.save_file(TEXT_FILE, "\n\f".join(page.text for page in pages).encode(), "text/plain; charset=utf-8")
        context.save_file(PDF_FILE, pdf.content(), "application/pdf")
    lines = [line for page in pages for line in page.lines]
    return {
        "pages": [asdict(page) for page in pages],
        "confidence": _confidence((line["text"], line["confidence"]) for line in lines),
        "text_file": TEXT_FILE,
        "pdf_file": PDF_FILE,
    }


def _read_page(context: Context, document: Document, pdf: SearchablePdf, index: int) -> Page:
    """Read one page, and keep its picture and its place in the searchable PDF."""
    number, total = index + 1, document.page_count

    def report(fraction: float) -> None:
        context.progress(index + fraction, total, f"Page {number} of {total}")

    report(0)
    paper = document.paper(index)
    try:
        picture = document.picture(index)
    except UnusableInput as error:
        logger.warning("page %s of %s cannot be read", number, total, exc_info=True)
        pdf.add_empty_page(paper)
        return Page(number=number, readable=False, note=str(error))
    picture, lines = engine.read(picture, report)
    rows = layout.rows(lines)
    lines = [piece.line for row in rows for piece in row.pieces]
    pdf.add_page(_jpeg(picture), picture.size, paper, lines)
    shown = _shown(picture)
    name = f"page-{number}.jpg"
    context.save_file(name, _jpeg(shown), "image/jpeg")
    return Page(
        number=number,
        picture=name,
        width=shown.width,
        height=shown.height,
        text=layout.text(rows),
        confidence=_confidence((line.text, line.confidence) for line in lines),
        lines=[_line(line, picture.size) for line in lines],
        note="" if lines else "No text was found on this page.",
    )


def _line(line: Line, size: tuple[int, int]) -> dict[str, Any]:
    """A line for the result, its box as fractions of the page."""
    box = [round(min(max(side / size[axis % 2], 0), 1), 4) for axis, side in enumerate(line.box)]
    return {"text": line.text, "confidence": round(line.confidence, 3), "box": box}


def _confidence(lines: Iterable[tuple[str, float]]) -> float | None:
    """The mean over all letters."""
    weights = [(len(text), confidence) for text, confidence in lines]
    letters = sum(length for length, _ in weights)
    return round(sum(length * confidence for length, confidence in weights) / letters, 3) if letters else None


def _shown(picture: Image.Image) -> Image.Image:
    if picture.width <= SHOWN_WIDTH:
        return picture
    return picture.resize((SHOWN_WIDTH, max(1, round(picture.height * SHOWN_WIDTH / picture.width))), reducing_gap=2.0)


def _jpeg(picture: Image.Image) -> bytes:
    with io.BytesIO() as buffer:
        picture.save(buffer, "JPEG", quality=72, optimize=True)
        return buffer.getvalue()


heavy_task = HeavyTask(
    task=read_document,
    title="Read a scan",
    summary="Hand in a scanned PDF or a photo of a page, and get its text, page by page, to copy or to search.",
    verb="Reading the pages",
    form=DocumentForm,
    result_template="queueing/results/documents.html",
    timeout=900,
    sample="scan.pdf",
    may_keep=True,
)
