"""Hostile pictures of the kinds that Pillow and its libraries read by themselves: each ends with a sentence."""

import io

import pytest
from PIL import Image

from queueing.exceptions import UnusableInput
from queueing.tasks.documents.source import open_document
from queueing.tasks.documents.task import read_document
from queueing.testing.tasks import run_task
from tests.support import documents
from tests.support.hostile_files import MIB, PICTURES
from tests.support.hostile_pictures import DAMAGED


@pytest.mark.parametrize("name", DAMAGED)
def test_a_damaged_picture_is_unusable(name: str) -> None:
    with pytest.raises(UnusableInput, match="damaged"):
        run_task(read_document, file=DAMAGED[name])


@pytest.mark.parametrize(
    "name",
    [
        "gif, comments",
        "gif, a comment in pieces",
        "gif, extensions",
        "gif, stray bytes",
        "jpeg 2000, boxes",
        "jpeg 2000, boxes in its header",
        "jpeg 2000, a box of boxes",
        "jpeg 2000, segments",
    ],
)
def test_the_parts_of_a_header_are_counted_as_pillow_reads_them(name: str) -> None:
    with pytest.raises(UnusableInput, match="in its header"), open_document(io.BytesIO(PICTURES[name](5 * MIB))):
        pass


def test_the_picture_of_a_heic_is_the_one_whose_size_was_checked() -> None:
    first, primary = Image.new("RGB", (640, 480), "white"), Image.new("RGB", (64, 48), "white")
    content = documents.saved(first, "HEIF", save_all=True, append_images=[primary], primary_index=1)
    with open_document(io.BytesIO(content)) as document:
        assert document.picture(0).size == primary.size
