"""A stamp across the text takes no line with it, and comes last."""

import io
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageDraw

from queueing.tasks.documents import engine, layout, recognition, stamps
from tests.support import documents
from tests.support.fonts import face

WORDS = ("copper", "meadow", "quarry", "saddle", "timber", "violet", "walnut", "anchor")
PROSE = [f"The {word} keeper counted every vessel near the bridge in {1800 + 7 * n}." for n, word in enumerate(WORDS)]
BLUE, RED, BLACK = (30, 40, 180), (200, 20, 30), (0, 0, 0)


def page(ink: Any = "black") -> Any:
    picture = Image.new("RGB", (900, 400), "white")
    for number, line in enumerate(PROSE):
        ImageDraw.Draw(picture).text((30, 20 + 44 * number), line, ink, face("DejaVuSans", 22))
    return picture


def stamped(text: str, ink: Any, *, angle: float, size: int, at: tuple[int, int]) -> Any:
    """The page with a stamp in a frame; what is black stays so below it."""
    font = face("DejaVuSans", size)
    stamp = Image.new("RGB", (int(font.getlength(text)) + 60, round(1.5 * size)), "white")
    draw = ImageDraw.Draw(stamp)
    draw.text((stamp.width / 2, stamp.height / 2), text, ink, font, anchor="mm")
    draw.rectangle((3, 3, stamp.width - 4, stamp.height - 4), outline=ink, width=5)
    over = Image.new("RGB", (900, 400), "white")
    over.paste(stamp.rotate(angle, expand=True, fillcolor="white", resample=Image.Resampling.BICUBIC), at)
    return ImageChops.multiply(page(), over)


def as_jpeg(picture: Any) -> Any:
    return Image.open(io.BytesIO(documents.saved(picture, "JPEG", quality=70))).convert("RGB")


def text_of(picture: Any) -> list[str]:
    lines = layout.text(layout.rows(recognition.read(picture, lambda _: None).lines)).splitlines()
    return [line for line in lines if line]


@pytest.mark.parametrize(("ink", "angle"), [(BLUE, 8), (RED, 25)])
def test_the_lines_below_a_coloured_stamp_are_read_and_the_stamp_comes_last(ink: Any, angle: float) -> None:
    assert text_of(as_jpeg(stamped("PAID", ink, angle=angle, size=100, at=(260, 60)))) == [*PROSE, "PAID"]


def test_the_lines_below_a_seal_are_read() -> None:
    seal = Image.new("RGB", (900, 400), "white")
    draw = ImageDraw.Draw(seal)
    draw.ellipse((300, 60, 580, 340), outline=BLUE, width=6)
    draw.ellipse((322, 82, 558, 318), outline=BLUE, width=3)
    assert text_of(ImageChops.multiply(page(), seal)) == PROSE


def test_a_stamp_beside_the_text_comes_last() -> None:
    assert text_of(stamped("COPY", BLACK, angle=30, size=34, at=(765, 60))) == [*PROSE, "COPY"]


def test_coloured_words_that_cross_no_text_stay_in_their_lines() -> None:
    picture = page()
    for number in range(len(PROSE)):  # the middle of each line is blue
        strip = (250, 20 + 44 * number, 560, 60 + 44 * number)
        picture.paste(page(BLUE).crop(strip), strip[:2])
    for image in (as_jpeg(picture), page(), Image.new("RGB", (900, 400), BLUE)):
        assert stamps.parted(engine.pixels_of(image)) is None
