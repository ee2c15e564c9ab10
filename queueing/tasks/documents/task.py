"""The task "documents", and its registration as a heavy task."""

import io
import logging
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from django.tasks import task
from PIL import Image

from queueing.exceptions import UnusableInput
from queueing.registry import Context, HeavyTask
from queueing.tasks.documents import layout, models, recognition
from queueing.tasks.documents.budget import computing_time
from queueing.tasks.documents.conf import conf
from queueing.tasks.documents.form import DocumentForm
from queueing.tasks.documents.page import Document, Line
from queueing.tasks.documents.recognition import Reading
from queueing.tasks.documents.searchable import SearchablePdf
from queueing.tasks.documents.source import open_document

logger = logging.getLogger("queueing")

TEXT_FILE = "text.txt"
PDF_FILE = "searchable.pdf"
# Confidence of a page. From 0.98 on at most one word in sixteen is wrong, at 0.93 one in three, below 0.9 more, up to
# all of them in writing that the models do not know: see docs/accuracy.md.
DOUBTFUL = 0.95
MUCH, MOST = 0.2, 0.5  # shares of the lines of a page that could not be read
WE_READ = "We read Latin letters, Chinese and Japanese, in print."
UNREAD = f"There is something on this page, but no writing that we can read. {WE_READ}"
MOSTLY_UNREAD = f"Most of this page looks like writing that we cannot read. {WE_READ}"
NOT_UNDERSTOOD = "This page was probably not understood everywhere. Please compare its text with the picture."
DOUBTS = {UNREAD, MOSTLY_UNREAD, NOT_UNDERSTOOD}
SHOWN_WIDTH = 1200  # pixels; greatest width of a picture on the result page


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page as `documents/result.html` reads it."""

    number: int
    picture: str | None = None  # name of the file; None if the page could not be read
    width: int = 0  # pixels of that picture
    height: int = 0
    text: str = ""
    confidence: float | None = None  # 0..1; None without text
    doubtful: bool = False  # some of its text is probably wrong or missing
    lines: list[dict[str, Any]] = field(default_factory=list)  # in reading order
    readable: bool = True
    note: str = ""


# @task is typed for Django's TaskContext; our backend passes a `registry.Context`, which has more methods.
@task(queue_name="documents", takes_context=True)  # type: ignore[arg-type]
def read_document(context: Context) -> dict[str, Any]:
    """The pages with their text; saves the page pictures, the whole text and a searchable PDF as files.

    Raises UnusableInput if no page could be read, and VisitorLeft.
    """
    with context.input_file() as path, path.open("rb") as file, open_document(file) as document, SearchablePdf() as pdf:
        pages = [_read_page(context, document, pdf, index) for index in range(document.page_count)]
        if not any(page.readable for page in pages):
            raise UnusableInput("No page of this document could be read: the file is damaged.")
        # A form feed separates pages, as in the output of pdftotext and Tesseract.
        context.save_file(TEXT_FILE, "\n\f".join(page.text for page in pages).encode(), "text/plain; charset=utf-8")
        context.save_file(PDF_FILE, pdf.content(), "application/pdf")
    lines = [line for page in pages for line in page.lines]
    return {
        "pages": [asdict(page) for page in pages],
        "doubtful_pages": sum(page.doubtful for page in pages),
        "confidence": _confidence((line["text"], line["confidence"]) for line in lines),
        "text_file": TEXT_FILE,
        "pdf_file": PDF_FILE,
    }


def _read_page(context: Context, document: Document, pdf: SearchablePdf, index: int) -> Page:
    """Read one page and add it to the searchable PDF. A damaged page is added empty."""
    number, total = index + 1, document.page_count

    def report(fraction: float) -> None:
        context.progress(index + fraction, total, f"Page {number} of {total}")

    report(0)
    paper = document.paper(index)
    try:
        with computing_time(conf.PAGE_SECONDS):
            picture = document.picture(index)
    except UnusableInput as error:
        logger.warning("page %s of %s cannot be read", number, total, exc_info=True)
        pdf.add_empty_page(paper)
        return Page(number=number, readable=False, note=str(error))
    reading = recognition.read(picture, report)
    rows = layout.rows(reading.lines)
    pdf.add_page(_jpeg(reading.picture), reading.picture.size, paper, _lines_of(rows))
    return _readable_page(context, number, reading, rows)


def _readable_page(context: Context, number: int, reading: Reading, rows: Sequence[layout.Row]) -> Page:
    """Save the picture for the result page; return the page with its text."""
    lines = _lines_of(rows)
    shown = _shrunk(reading.picture)
    confidence = _confidence((line.text, line.confidence) for line in lines)
    name = f"page-{number}.jpg"
    note = _note(reading, confidence)
    context.save_file(name, _jpeg(shown), "image/jpeg")
    return Page(
        number=number,
        picture=name,
        width=shown.width,
        height=shown.height,
        text=layout.text(rows),
        confidence=confidence,
        doubtful=note in DOUBTS,
        lines=[_line(line, reading.picture.size) for line in lines],
        note=note,
    )


def _note(reading: Reading, confidence: float | None) -> str:
    """A warning for the visitor about the text of this page; empty if there is none."""
    if confidence is None:
        return UNREAD if reading.has_ink else "No text was found on this page."
    if reading.unread > MOST:
        return MOSTLY_UNREAD
    return NOT_UNDERSTOOD if confidence < DOUBTFUL or reading.unread > MUCH else ""


def _lines_of(rows: Iterable[layout.Row]) -> list[Line]:
    """The lines of the rows, in reading order."""
    return [piece.line for row in rows for piece in row.pieces]


def _line(line: Line, size: tuple[int, int]) -> dict[str, Any]:
    """A line for the result. Its box is left, top, right, bottom as fractions (0..1) of the page picture."""
    box = [round(min(max(side / size[axis % 2], 0), 1), 4) for axis, side in enumerate(line.box)]
    return {"text": line.text, "confidence": round(line.confidence, 3), "box": box}


def _confidence(lines: Iterable[tuple[str, float]]) -> float | None:
    """The mean confidence (0..1), weighted by the length of the lines; None without text."""
    weights = [(len(text), confidence) for text, confidence in lines]
    letters = sum(length for length, _ in weights)
    return round(sum(length * confidence for length, confidence in weights) / letters, 3) if letters else None


def _shrunk(picture: Image.Image) -> Image.Image:
    """The picture, at most SHOWN_WIDTH wide."""
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
    result_template="documents/result.html",
    isolated=True,
    warm_up=models.warm_up,
    timeout=900,
    typical_seconds=8,  # three scanned pages
    sample=Path(__file__).parent / "sample" / "scan.pdf",
    may_keep=True,
    disk_bytes=512 * 1024**2,
    processes=0,
)
