"""Scans out of two packages, read by the task and by tesseract: word recall, and seconds of computing for a page."""

import os
import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pypdfium2 as pdfium

from queueing.tasks.documents import layout, recognition
from queueing.tasks.documents.source import open_document
from tests.corpus import packages
from tests.corpus.report import table
from tests.support import documents

OCRMYPDF, PYPDF = "ocrmypdf==17.13.0", "pypdf==7.1.1"
SCANS = ("linn.png", "ccitt.pdf", "skew.pdf", "rotated_skew.pdf", "jbig2.pdf")  # of one page
WITH_LAYER = ("Seige_of_Vicksburg_Sample_OCR.pdf", "crazyones.pdf")  # a letterpress book, a page of poetry
DPI = 300  # of the pictures that tesseract is given of a PDF
# Results of this task when it ran onnxruntime and asked a classifier which side is up.
BEFORE = {
    "linn.png": "0.993",
    "ccitt.pdf": "0.993",
    "skew.pdf": "0.988",
    "rotated_skew.pdf": "0.986",
    "jbig2.pdf": "0.993",
    "Seige_of_Vicksburg_Sample_OCR.pdf": "0.965",
}
SECONDS_BEFORE = dict.fromkeys(SCANS, "13 to 16") | {"Seige_of_Vicksburg_Sample_OCR.pdf": "6.8"}
HEAD = ("file", "pages", "words", "recall before", "recall", "tesseract", "CPU s a page before", "CPU s", "tesseract")


@dataclass(frozen=True)
class Sample:
    path: Path
    truth: str


def measure(folder: Path) -> str:
    recognition.read(documents.drawn(), lambda _: None)  # the models are loaded once, and not counted
    return table(HEAD, map(_row, _samples(folder)))


def _samples(folder: Path) -> Iterator[Sample]:
    scans = packages.unpacked(OCRMYPDF, folder)
    truth = packages.found("linn.txt", scans).read_text()
    for name in SCANS:
        yield Sample(packages.found(name, scans), truth)
    books = packages.unpacked(PYPDF, folder)
    for name in WITH_LAYER:
        path = packages.found(name, books)
        with pdfium.PdfDocument(path) as pdf:
            yield Sample(path, "\n".join(page.get_textpage().get_text_range() for page in pdf))


def _row(sample: Sample) -> list[str]:
    text, seconds, pages = _read(sample.path)
    peer, peer_seconds = _tesseract(sample.path)
    name = sample.path.name
    return [
        name,
        str(pages),
        str(_words(sample.truth).total()),
        BEFORE.get(name, ""),
        f"{_recall(sample.truth, text):.3f}",
        "" if peer is None else f"{_recall(sample.truth, peer):.3f}",
        SECONDS_BEFORE.get(name, ""),
        f"{seconds / pages:.1f}",
        "" if peer is None else f"{peer_seconds / pages:.1f}",
    ]


def _read(path: Path) -> tuple[str, float, int]:
    """The text, the seconds of computing and the number of pages."""
    began = time.process_time()
    with path.open("rb") as file, open_document(file) as document:
        pages = [recognition.read(document.picture(index), lambda _: None) for index in range(document.page_count)]
    text = "\n".join(layout.text(layout.rows(page.lines)) for page in pages)
    return text, time.process_time() - began, len(pages)


def _tesseract(path: Path) -> tuple[str | None, float]:
    """The same of tesseract, with one thread; None without it. Drawing the pages of a PDF is not counted."""
    if not shutil.which("tesseract"):
        return None, 0
    with tempfile.TemporaryDirectory() as folder:
        pictures = list(_pictures(path, Path(folder)))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        environment = os.environ | {"OMP_THREAD_LIMIT": "1"}
        texts = [
            subprocess.run(
                ["tesseract", picture, "-"], capture_output=True, text=True, check=True, env=environment
            ).stdout
            for picture in pictures
        ]
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return "\n".join(texts), after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _pictures(path: Path, folder: Path) -> Iterator[Path]:
    if path.suffix != ".pdf":
        yield path
        return
    with pdfium.PdfDocument(path) as pdf:
        for number, page in enumerate(pdf):
            picture = folder / f"{number}.png"
            page.render(scale=DPI / 72).to_pil().save(picture, dpi=(DPI, DPI))
            yield picture


def _recall(truth: str, text: str) -> float:
    """The share (0..1) of the true words that are in the text."""
    return (_words(truth) & _words(text)).total() / max(_words(truth).total(), 1)


def _words(text: str) -> Counter[str]:
    """Words of three letters or more: signs, figures and bullets are written in many ways, also in the truth."""
    return Counter(re.findall(r"[^\W\d_]{3,}", text.casefold()))
