"""Pages that the models alone misread: turned, nearly empty, or in writing that they do not know."""

import io
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont, ImageOps

from queueing.tasks.documents import ink, layout, recognition
from queueing.tasks.documents.source import open_document
from queueing.tasks.documents.task import DOUBTS, read_document
from queueing.testing.tasks import run_task
from tests.support import documents
from tests.support.fonts import face
from tests.support.paths import ROOT
from tests.support.slow import slow

A4 = (1414, 2000)  # pixels
WORDS = ["lantern", "harbour", "copper", "meadow", "quarry", "saddle", "timber", "violet", "walnut", "anchor", "candle"]
PROSE = [
    f"The {word} keeper counted every vessel near the old bridge in {1800 + 7 * number}."
    for number, word in enumerate(WORDS)
]


@pytest.fixture
def page_of() -> Callable[[bytes], dict[str, Any]]:
    """The first page of the task's result."""

    def read(content: bytes) -> dict[str, Any]:
        page: dict[str, Any] = run_task(read_document, file=content).result["pages"][0]
        return page

    return read


def drawn(lines: Sequence[str], font: Any, size: tuple[int, int], *, ink: Any = "black", paper: Any = "white") -> Any:
    """A page with lines of text from (90, 90) on."""
    page = Image.new("RGBA" if paper == (0, 0, 0, 0) else "RGB", size, paper)
    draw = ImageDraw.Draw(page)
    for number, line in enumerate(lines):
        draw.text((90, 90 + 1.7 * number * font.size), line, ink, font)
    return page


def text_of(page: Image.Image) -> str:
    return layout.text(layout.rows(recognition.read(page, lambda _: None).lines))


def recall(truth: str, text: str) -> float:
    """The share (0..1) of the true words that are in the text."""
    words = Counter(truth.split())
    return (words & Counter(text.split())).total() / words.total()


# The right way up


@pytest.mark.parametrize("turn", [0, 180, *slow(90, 270)])
@pytest.mark.parametrize(
    ("name", "size"), [("DejaVuSansMono", 16), ("DejaVuSans", 28), *slow(("DejaVuSansMono", 26), ("DejaVuSans", 18))]
)
def test_a_page_is_turned_only_when_it_reads_better(name: str, size: int, turn: int) -> None:
    page = drawn(PROSE, face(name, size), (1300, 180 + int(1.7 * len(PROSE) * size)))
    assert recall(" ".join(PROSE), text_of(page.rotate(turn, expand=True))) > 0.97


def test_a_lone_digit_is_not_turned() -> None:
    assert text_of(drawn(["7"], ImageFont.load_default(40), (400, 300))) == "7"


# Nearly empty pages


@pytest.mark.parametrize("lines", [["Please call back on Tuesday"], ["Please call back", "on Tuesday"], ["7"]])
@pytest.mark.parametrize("size", [16, 24])
def test_a_line_on_an_empty_page_is_read(lines: list[str], size: int) -> None:
    assert text_of(drawn(lines, ImageFont.load_default(size), A4)).splitlines() == lines


def test_ink_in_no_line_is_found_and_what_is_no_letter_is_not() -> None:
    page = drawn(["A note"], ImageFont.load_default(30), A4)
    draw = ImageDraw.Draw(page)
    draw.line((100, 900, 1300, 900), "black", 3)  # a rule
    draw.rectangle((100, 1200, 900, 1800), "grey")  # a picture
    pixels = np.asarray(page)
    [(left, top, right, bottom)] = ink.unexplained(pixels, [])
    assert left < 90 < right < 400
    assert top < 90 < bottom < 300
    line = np.array([(85, 85), (250, 85), (250, 140), (85, 140)], np.float32)
    assert ink.unexplained(pixels, [line]) == []


# Warnings about text that was not read


def test_a_page_that_reads_as_garbage_says_so(page_of: Callable[[bytes], dict[str, Any]]) -> None:
    page = page_of(documents.saved(ImageOps.mirror(documents.drawn()), "PNG"))
    assert page["note"] in DOUBTS


@pytest.mark.parametrize(
    "lines",
    [
        ["Смотритель маяка считал каждое судно возле моста.", "Весной гавань пахнет смолой, канатами и краской."],
        ["Φύλακας του φάρου μετρούσε κάθε πλοίο.", "Την άνοιξη το λιμάνι μυρίζει πίσσα και μπογιά."],
    ],
    ids=["Cyrillic", "Greek"],
)
def test_writing_that_the_models_do_not_know_is_said_to_be_that(
    page_of: Callable[[bytes], dict[str, Any]], lines: list[str]
) -> None:
    page = page_of(documents.saved(drawn(lines, face("DejaVuSans", 24), (900, 240)), "PNG"))
    assert page["doubtful"]
    assert page["note"] in DOUBTS
    assert page["confidence"] is None or page["confidence"] < 0.9


def test_letters_of_another_script_do_not_count_as_read() -> None:
    page = drawn(["Смотритель маяка считал каждое судно возле моста."], face("DejaVuSans", 24), (900, 240))
    assert recognition.read(page, lambda _: None).unread == 1


def test_a_page_that_is_read_has_no_note(page_of: Callable[[bytes], dict[str, Any]]) -> None:
    assert page_of(documents.saved(documents.drawn(), "PNG"))["note"] == ""


def test_signs_that_are_no_text_are_not_said_to_be_nothing(page_of: Callable[[bytes], dict[str, Any]]) -> None:
    page = Image.new("RGB", (900, 600), "white")
    draw = ImageDraw.Draw(page)
    for number in range(9):
        draw.ellipse((100 + 60 * number, 200, 124 + 60 * number, 236), outline="black", width=5)
        draw.arc((110 + 60 * number, 190, 150 + 60 * number, 240), 90, 250 + 9 * number, "black", 4)
    told = page_of(documents.saved(page, "PNG"))
    assert told["note"] != "No text was found on this page."


def test_nobody_is_told_of_a_reading() -> None:
    text_of(documents.drawn())
    assert "openvino" in sys.modules
    assert sys.modules["openvino_telemetry"] is None
    assert "\nopenvino-telemetry==" not in (ROOT / "requirements.txt").read_text()


# Marks that every viewer shows


def test_the_value_of_a_form_field_is_read(page_of: Callable[[bytes], dict[str, Any]]) -> None:
    assert "Marigold Featherstone" in page_of(documents.filled_form("Marigold Featherstone"))["text"]


def test_light_letters_on_nothing_are_read(page_of: Callable[[bytes], dict[str, Any]]) -> None:
    page = drawn(documents.WORDS, ImageFont.load_default(34), (620, 300), ink="white", paper=(0, 0, 0, 0))
    assert page_of(documents.saved(page, "PNG"))["text"].splitlines() == list(documents.WORDS)


def test_dark_letters_on_nothing_stay_on_white() -> None:
    page = drawn(documents.WORDS, ImageFont.load_default(34), (620, 300), paper=(0, 0, 0, 0))
    with open_document(io.BytesIO(documents.saved(page, "PNG"))) as document:
        assert document.picture(0).getpixel((2, 2)) == (255, 255, 255)
