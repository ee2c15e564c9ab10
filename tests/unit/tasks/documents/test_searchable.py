"""The text of a searchable PDF is found by the libraries of the usual viewers and programs, on skewed pages too."""

import io
import math
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pypdfium2 as pdfium
import pytest
from PIL import Image

from queueing.tasks.documents.page import Line
from queueing.tasks.documents.searchable import SearchablePdf
from tests.support import documents

TEXTS = [
    "The keeper counted every vessel near the old bridge.",
    "Größe, Łódź and 12.50 in the margin",
    "灯塔的历史",
    "x",
]


def line(text: str, top: float, angle: float) -> Line:
    """A line on a page of 1000 x 800 pixels that was turned around its middle."""
    turn = complex(math.cos(math.radians(angle)), math.sin(math.radians(angle)))
    left, width, height, middle = 150, 14 * len(text), 26, complex(500, 400)
    points = [complex(left, top), complex(left + width, top), complex(left + width, top + height)]
    points = [(point - middle) * turn + middle for point in [*points, complex(left, top + height)]]
    one, two, three, four = ((point.real, point.imag) for point in points)
    return Line(text, 0.9, (one, two, three, four))


def poppler(path: Path) -> str:
    if not shutil.which("pdftotext"):
        pytest.skip("pdftotext is missing; on Debian: apt install poppler-utils")
    return subprocess.run(["pdftotext", path, "-"], capture_output=True, text=True, check=True).stdout


def by_pdfium(path: Path) -> str:
    with pdfium.PdfDocument(path) as pdf:
        text: str = pdf[0].get_textpage().get_text_range()
    return text


def pdfminer(path: Path) -> str:
    text: str = pytest.importorskip("pdfminer.high_level").extract_text(path)
    return text


def pypdf(path: Path) -> str:
    text: str = pytest.importorskip("pypdf").PdfReader(path).pages[0].extract_text()
    return text


@pytest.mark.parametrize("angle", [0, 1.5, -3, 15])
@pytest.mark.parametrize("extract", [poppler, by_pdfium, pdfminer, pypdf])
def test_every_word_is_found_on_a_skewed_page(extract: Callable[[Path], str], angle: float, tmp_path: Path) -> None:
    jpeg = documents.saved(Image.new("RGB", (1000, 800), "white"), "JPEG")
    with SearchablePdf() as pdf:
        pdf.add_page(jpeg, (1000, 800), 842, [line(text, 150 + 80 * n, angle) for n, text in enumerate(TEXTS)])
        (tmp_path / "page.pdf").write_bytes(pdf.content())
    found = extract(tmp_path / "page.pdf").split()
    words = [word for text in TEXTS for word in text.split() if word.isascii() or word.startswith(("G", "Ł"))]
    assert set(words) <= set(found)
    assert "灯塔的历史" in "".join(found)


def test_a_word_lies_where_it_is_seen_on_a_skewed_page() -> None:
    jpeg = documents.saved(Image.new("RGB", (1000, 800), "white"), "JPEG")
    with SearchablePdf() as pdf:
        pdf.add_page(jpeg, (1000, 800), 1000, [line(TEXTS[0], 300, 6)])
        content = io.BytesIO(pdf.content())
    with pdfium.PdfDocument(content) as written:
        page = written[0].get_textpage()
        first, last = page.get_text_bounded(130, 520, 190, 560), page.get_text_bounded(770, 430, 900, 480)
    assert ("The" in first, "bridge." in last, "bridge." in first) == (True, True, False)
