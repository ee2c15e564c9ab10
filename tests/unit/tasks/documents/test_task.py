"""The task "documents" on real files: the sample is really read, small drawn pages show the rest."""

import io
import os
import signal
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import repeat
from typing import Any

import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
import pytest
from PIL import Image, ImageChops, ImageStat

from queueing.exceptions import UnusableInput, VisitorLeft
from queueing.registry import get_task
from queueing.tasks.documents import recognition
from queueing.tasks.documents.page import LONG_SIDE, Line
from queueing.tasks.documents.searchable import SearchablePdf
from queueing.tasks.documents.source import open_document
from queueing.tasks.documents.task import heavy_task, read_document
from queueing.testing.tasks import handed_in, run_task
from tests.support import documents
from tests.support.paths import SCAN


@dataclass
class Reading:
    """A document that was read, with what the task left behind."""

    result: dict[str, Any]
    files: dict[str, bytes]
    reports: list[tuple[float, str]]

    @property
    def texts(self) -> list[str]:
        return [page["text"] for page in self.result["pages"]]

    def file(self, name: str) -> bytes:
        return self.files[name]


Read = Callable[[bytes], Reading]


def read_all(content: bytes) -> Reading:
    done = run_task(read_document, file=content)
    return Reading(done.result, done.files, done.reports)


@pytest.fixture
def read() -> Read:
    return read_all


@pytest.fixture(scope="module")
def sample() -> Reading:
    return read_all(SCAN.read_bytes())


# The sample


def test_the_text_of_each_page_of_the_sample_is_read_with_confidence(sample: Reading) -> None:
    first, second, third = sample.texts
    assert "thanked the rowing club for the benches and read the minutes of" in first
    assert "The lamp in the crate" in second
    assert "The cash box was counted twice" in third
    assert all(page["readable"] and page["confidence"] > 0.95 for page in sample.result["pages"])
    assert sample.result["confidence"] > 0.95
    assert get_task("documents") is heavy_task
    assert heavy_task.sample == SCAN


def test_columns_are_read_one_after_the_other(sample: Reading) -> None:
    words = ["forgotten light", "For eleven years", "0417", "The repair began", "promised", "Visiting", "The stairs"]
    places = [sample.texts[1].index(word) for word in words]
    assert places == sorted(places)


def test_tables_are_read_row_by_row(sample: Reading) -> None:
    assert "Item\tQuantity\tEach\tTotal\nBrass screws\t240\t0.35\t84.00\nGreen glass panes\t2\t" in sample.texts[2]


def test_progress_is_told_page_by_page_and_within_a_page(sample: Reading) -> None:
    fractions = [fraction for fraction, _ in sample.reports]
    messages = [message for _, message in sample.reports]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0
    assert fractions[-1] == pytest.approx(1)
    assert list(dict.fromkeys(messages)) == ["Page 1 of 3", "Page 2 of 3", "Page 3 of 3"]
    assert all(messages.count(message) >= 5 for message in messages)


def test_pictures_are_light_and_as_large_as_the_result_says(sample: Reading) -> None:
    for page in sample.result["pages"]:
        content = sample.file(page["picture"])
        with Image.open(io.BytesIO(content)) as picture:
            assert (picture.format, picture.size) == ("JPEG", (page["width"], page["height"]))
        assert page["width"] <= 1200
        assert len(content) < 300_000


def test_lines_say_where_they_are(sample: Reading) -> None:
    lines = [line for page in sample.result["pages"] for line in page["lines"]]
    assert len(lines) > 80
    assert all(0 <= left < right <= 1 and 0 <= top < bottom <= 1 for left, top, right, bottom in boxes(lines))
    title = sample.result["pages"][0]["lines"][0]
    assert title["text"] == "Lantern Harbour Society"
    assert title["box"] == pytest.approx([0.1, 0.08, 0.55, 0.11], abs=0.02)


def boxes(lines: list[dict[str, Any]]) -> list[list[float]]:
    return [line["box"] for line in lines]


def test_the_text_is_one_file_with_form_feeds_between_pages(sample: Reading) -> None:
    assert sample.file(sample.result["text_file"]).decode() == "\n\f".join(sample.texts)


def test_the_pdf_has_every_line_where_it_is_seen(sample: Reading) -> None:
    with pdfium.PdfDocument(sample.file(sample.result["pdf_file"])) as pdf:
        assert [round(side) for side in pdf.get_page_size(0)] == [595, 842]
        for page, told in zip(pdf, sample.result["pages"], strict=True):
            width, height = page.get_size()
            text = page.get_textpage()
            for line in told["lines"]:
                left, top, right, bottom = line["box"]
                area = (left * width - 3, height - bottom * height - 3, right * width + 3, height - top * height + 3)
                assert line["text"] in text.get_text_bounded(*area).replace("\r\n", " ")


def test_the_text_of_the_pdf_is_invisible(sample: Reading) -> None:
    with pdfium.PdfDocument(sample.file(sample.result["pdf_file"])) as pdf:
        page = pdf[0]
        texts = list(page.get_objects(filter=[pdfium_c.FPDF_PAGEOBJ_TEXT]))
        modes = {pdfium_c.FPDFTextObj_GetTextRenderMode(text) for text in texts}
        assert modes == {pdfium_c.FPDF_TEXTRENDERMODE_INVISIBLE}
        with_text = page.render(scale=1).to_pil().copy()
        for text in texts:
            page.remove_obj(text)
        page.gen_content()
        assert ImageChops.difference(with_text, page.render(scale=1).to_pil()).getbbox() is None


# What people hand in


@pytest.mark.parametrize("turn", [90, 180, 270])
def test_a_page_may_lie_on_any_side(turn: int, read: Read) -> None:
    [page] = read(documents.saved(documents.drawn().rotate(turn, expand=True), "PNG")).result["pages"]
    assert page["text"].splitlines() == list(documents.WORDS)
    assert (page["width"], page["height"]) == (620, 300)


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "I;16"), ("PNG", "P"), ("PNG", "LA"), ("JPEG", "CMYK"), ("WEBP", "RGBA"), ("TIFF", "1")]
)
def test_pictures_of_any_kind_become_plain(kind: str, mode: str) -> None:
    page = documents.drawn()
    odd = page.convert("I").point(lambda value: value * 257).convert("I;16") if mode == "I;16" else page.convert(mode)
    plain = opened(documents.saved(odd, kind)).convert("L")
    assert plain.size == page.size
    assert ImageStat.Stat(ImageChops.difference(plain, page.convert("L"))).mean[0] < 8


def opened(content: bytes) -> Image.Image:
    with open_document(io.BytesIO(content)) as document:
        picture = document.picture(0)
        assert picture.mode == "RGB"
        return picture


def test_what_is_transparent_is_white() -> None:
    see_through = Image.new("RGBA", (40, 40), (0, 0, 0, 0))
    assert opened(documents.saved(see_through, "PNG")).getpixel((5, 5)) == (255, 255, 255)


def test_a_camera_says_how_it_was_held() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn right
    for kind in ("JPEG", "PNG", "WEBP", "TIFF"):
        assert opened(documents.saved(Image.new("RGB", (60, 20)), kind, exif=exif)).size == (20, 60)


@pytest.mark.parametrize("size", [(1_000_000, 1_000_000), (10, 100_000), (0, 0), (14_400, 14_400)])
def test_no_pdf_page_makes_a_picture_beyond_the_limit(size: tuple[int, int]) -> None:
    assert max(opened(documents.pdf_of_sizes(size)).size) <= LONG_SIDE


def test_a_large_picture_is_made_smaller() -> None:
    assert opened(documents.saved(Image.new("1", (9_000, 3_000)), "PNG")).size == (2000, 667)


# What is wrong with it shows only while reading


def test_a_broken_page_is_marked_and_the_others_are_read(read: Read) -> None:
    read_it = read(torn_tiff([True, False, True]))
    first, broken, last = read_it.result["pages"]
    assert first["text"] == last["text"] == "\n".join(documents.WORDS)
    assert broken["readable"] is False
    assert broken["note"] == "This page is damaged and could not be read."
    assert (broken["picture"], broken["confidence"], broken["lines"]) == (None, None, [])
    assert read_it.file("text.txt").decode().split("\f")[1] == "\n"
    with pdfium.PdfDocument(read_it.file("searchable.pdf")) as pdf:
        assert len(pdf) == 3
        assert documents.WORDS[0] in pdf[2].get_textpage().get_text_bounded()


def test_a_missing_page_of_a_pdf_is_marked(read: Read) -> None:
    tree = "<< /Type /Pages /Kids [3 0 R 4 0 R] /Count 2 >>"
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 842 100] >>"
    empty, missing = read(documents.pdf(documents.CATALOGUE, tree, page, "(no page)")).result["pages"]
    assert (empty["readable"], empty["note"]) == (True, "No text was found on this page.")
    assert (empty["text"], empty["confidence"], empty["picture"]) == ("", None, "page-1.jpg")
    assert (missing["readable"], missing["note"]) == (False, "This page is damaged and could not be read.")


def test_nothing_to_read_is_said_to_the_visitor(read: Read) -> None:
    with pytest.raises(UnusableInput, match=r"^No page of this document could be read: the file is damaged\.$"):
        read(torn_tiff([False, False]))


def test_what_the_form_refuses_is_refused_by_the_task_too(read: Read) -> None:
    with pytest.raises(UnusableInput, match="protected with a password"):
        read(documents.encrypted_pdf())


def torn_tiff(whole: list[bool]) -> bytes:
    """A TIFF whose pages are complete, but some with noise where the compressed pixels were."""
    content = bytearray(documents.tiff(*[documents.drawn()] * len(whole), compression="tiff_adobe_deflate"))
    with Image.open(io.BytesIO(bytes(content))) as image:
        for index, is_whole in enumerate(whole):
            image.seek(index)
            offsets, sizes = image.tag_v2[273], image.tag_v2[279]  # type: ignore[attr-defined]
            for offset, size in zip(offsets, sizes, strict=True):
                if not is_whole:
                    content[offset : offset + size] = b"\xff" * size
    return bytes(content)


def test_a_visitor_who_left_stops_the_reading() -> None:
    pages = documents.tiff(documents.drawn(), documents.drawn())
    with handed_in(file=pages, leaves_at=0.01) as means:
        with pytest.raises(VisitorLeft):
            run_task(read_document)
        assert len(means.reports) == 2  # at the first page's beginning and in its middle


# The parts


def test_the_pdf_carries_any_script() -> None:
    corners = ((10.0, 10.0), (190.0, 14.0), (190.0, 34.0), (10.0, 30.0))
    texts = ["Größe, Łódź", "灯塔的历史", "Маяк", "φάρος", "\x07 odd \ud83d\ude00", "x"]
    jpeg = documents.saved(Image.new("RGB", (200, 100), "white"), "JPEG")
    with SearchablePdf() as pdf:
        for text in texts:
            pdf.add_page(jpeg, (200, 100), 842, [Line(text, 0.9, corners), Line("end", 0.9, (corners[0],) * 4)])
        content = pdf.content()
    with pdfium.PdfDocument(content) as written:
        found = [page.get_textpage().get_text_range() for page in written]
    assert [text in back for text, back in zip(texts[:4], found, strict=False)] == [True] * 4
    assert all("end" in back for back in found)


def test_an_alarm_gets_through_the_engine() -> None:
    """A job's timeout is a signal; rapidocr takes it for an error of its own."""

    def ring(*_: object) -> None:
        raise TimeoutError("enough")

    usual = signal.signal(signal.SIGUSR1, ring)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGUSR1))
    try:
        timer.start()
        with pytest.raises(TimeoutError, match="enough"):
            deque(map(recognition.read, repeat(documents.drawn()), repeat(lambda _: None)))  # on and on
    finally:
        timer.cancel()
        signal.signal(signal.SIGUSR1, usual)


def test_a_picture_too_small_for_a_line_is_not_read() -> None:
    assert recognition.read(Image.new("RGB", (2000, 1)), lambda _: None).lines == []
