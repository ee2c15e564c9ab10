"""The spaces of a line are those that its picture shows, whatever the recogniser made of them."""

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from queueing.tasks.documents import engine
from queueing.tasks.documents.spacing import with_spaces
from tests.support import documents
from tests.support.fonts import face

SANS, MONO = "DejaVuSans", "DejaVuSansMono"


def line(text: str, name: str, size: int, *, quality: int, blur: float = 0) -> Any:
    """The picture of a line as the detector cuts it out."""
    font = face(name, size)
    page = Image.new("RGB", (int(font.getlength(text)) + 14, round(1.3 * size)), "white")
    ImageDraw.Draw(page).text((7, 0.52 * page.height), text, "black", font, anchor="lm")
    page = page.filter(ImageFilter.GaussianBlur(blur)) if blur else page
    return engine.pixels_of(Image.open(io.BytesIO(documents.saved(page, "JPEG", quality=quality))))


def read(text: str, name: str, size: int, *, quality: int = 75, blur: float = 0) -> str:
    [(found, _)] = engine.recognise([line(text, name, size, quality=quality, blur=blur)])
    return found


@pytest.mark.parametrize(
    ("text", "name", "size"),
    [
        ("718.70  92014  3.5", MONO, 24),
        ("718.70 92014", SANS, 34),
        ("11.10 11.10 11.10 73.14", SANS, 24),
        ("1 111 111,11 4 250 000", SANS, 24),
        ("6 302 640 139 900", MONO, 24),
        ("v1.10.11 of 10.11.1912", SANS, 24),
        ("lamp fly AWAY we were ill at ease", SANS, 24),
    ],
)
def test_a_space_that_the_picture_shows_is_in_the_text(text: str, name: str, size: int) -> None:
    assert read(text, name, size, blur=1.2 if size > 30 else 0) == " ".join(text.split())


def test_words_of_a_blurred_line_stay_apart() -> None:
    text = "The fog delays the margin of the OUT TITLE"
    assert read(text, SANS, 34, quality=50, blur=1.2) == text


@pytest.mark.parametrize(("name", "size"), [(SANS, 24), (MONO, 24), (SANS, 34)])
def test_a_widely_set_heading_is_read_as_its_words(name: str, size: int) -> None:
    assert read("T I T L E   O U T", name, size, blur=1.2 if size > 30 else 0) == "TITLE OUT"


@pytest.mark.parametrize("name", [SANS, MONO])
@pytest.mark.parametrize("size", [14, 24])
@pytest.mark.parametrize("text", ["it will fill a little vessel, if 12 fit", "1,111,111.11", "127.0.0.1", "AVATAR"])
def test_no_word_or_number_is_torn(text: str, name: str, size: int) -> None:
    assert read(text, name, size, quality=60) == text


def test_a_rule_below_the_letters_hides_no_space() -> None:
    crop = line("11.10 11.10 11.10 73.14", SANS, 24, quality=75)
    crop[-3:-1] = 0
    [(text, _)] = engine.recognise([crop])
    assert text == "11.10 11.10 11.10 73.14"


def test_a_line_without_ink_and_one_of_ideograms_stay_as_they_are() -> None:
    empty = np.zeros((30, 200), bool)
    assert with_spaces("ab", [0.5, 3], empty) == "ab"
    gap = empty.copy()
    gap[5:25, 5:25] = gap[5:25, 150:170] = True
    assert with_spaces("ab", [0.5, 5.3], gap) == "a b"
    assert with_spaces("灯塔", [0.5, 5.3], gap) == "灯塔"
    assert with_spaces("ab", [0.5], gap) == "ab"
