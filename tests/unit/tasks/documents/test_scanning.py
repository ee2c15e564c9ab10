"""The counts of a file hold, wherever the parts hide: a shape that a library reads counts as the library counts it."""

import io

import pytest
from PIL import Image

from queueing.exceptions import UnusableInput
from queueing.tasks.documents import scanning
from queueing.tasks.documents.scanning import scan_jpeg, scan_pdf
from tests.support import documents
from tests.support.hostile_files import PDFS, PICTURES

SCANS = [name for name in PICTURES if name.startswith("jpeg, scans")]
OBJECTS = [name for name in PDFS if name.startswith("pdf, objects")]


def any_size(width: int, height: int) -> None:
    pass


@pytest.mark.parametrize("name", SCANS)
def test_scans_of_a_jpeg_count_behind_every_kind_of_segment(name: str) -> None:
    content = PICTURES[name](100_000)
    assert content.count(scanning.SCAN) > scanning.MOST_SCANS
    with pytest.raises(UnusableInput, match="scans"):
        scan_jpeg(io.BytesIO(content), any_size)


def test_a_hidden_scan_is_one_that_pillow_decodes() -> None:
    content = PICTURES["jpeg, scans behind a comment with an end"](1)
    with Image.open(io.BytesIO(content)) as picture:
        picture.load()
    with pytest.raises(EOFError):  # the end that counts is the last one
        scan_jpeg(io.BytesIO(content[:-2]), any_size)


def test_segments_between_scans_count_too() -> None:
    content = PICTURES["jpeg, segments between scans"](200_000)
    with pytest.raises(UnusableInput, match="segments"):
        scan_jpeg(io.BytesIO(content), any_size)


@pytest.mark.parametrize("near", [2, 3, 4096])
def test_a_marker_is_found_across_the_borders_of_reads(near: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanning, "NEAR", near)
    content = documents.saved(Image.effect_noise((200, 200), 90), "JPEG", progressive=True)
    scan_jpeg(io.BytesIO(content), any_size)
    with pytest.raises(EOFError):
        scan_jpeg(io.BytesIO(content[:-2]), any_size)


@pytest.mark.parametrize("block", [5, 7, 1024])
@pytest.mark.parametrize("name", OBJECTS)
def test_objects_of_a_pdf_count_whatever_blank_is_in_front(
    name: str, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = PDFS[name](2_000)
    count = content.count(b"<<>>")
    monkeypatch.setattr(scanning, "BLOCK", block)
    monkeypatch.setattr(scanning, "MOST_OBJECTS", count)
    scan_pdf(io.BytesIO(content))
    monkeypatch.setattr(scanning, "MOST_OBJECTS", count - 1)
    with pytest.raises(UnusableInput, match="objects"):
        scan_pdf(io.BytesIO(content))
