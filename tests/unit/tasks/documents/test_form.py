"""The form of the task "documents": each bad file gets one sentence, each good one is taken, whatever its name."""

import struct
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pillow_heif
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile, UploadedFile
from django.utils.datastructures import MultiValueDict
from PIL import Image

from queueing.tasks.documents.form import DocumentForm
from queueing.tasks.documents.task import heavy_task
from tests.support import documents

pillow_heif.register_heif_opener()
PAGE = documents.drawn()
A4 = (595, 842)
GOOD = {
    "pdf": documents.pdf_of_sizes(A4, A4),
    "pdf behind other bytes": b"\xef\xbb\xbf\n" + documents.pdf_of_sizes(A4),
    "pdf behind the lines of a print server": b"@PJL SET COPIES=1\r\n" * 300 + documents.pdf_of_sizes(A4),
    "pdf whose offsets count what is before it": documents.pdf_of_sizes(A4, before=b"Received: by mail\r\n" * 200),
    "png": documents.saved(PAGE, "PNG"),
    "png, transparent": documents.saved(PAGE.convert("RGBA"), "PNG"),
    "jpeg": documents.saved(PAGE, "JPEG"),
    "jpeg, progressive": documents.saved(PAGE, "JPEG", progressive=True),
    "jpeg, with a tail": documents.saved(PAGE, "JPEG") + b"\xff\xda" + bytes(5000),
    "tiff": documents.tiff(PAGE, PAGE, PAGE),
    "tiff, fax": documents.tiff(PAGE.convert("1"), compression="group4"),
    "tiff, big": documents.tiff(PAGE, big_tiff=True),
    "webp": documents.saved(PAGE, "WEBP"),
    "webp, lossless": documents.saved(PAGE, "WEBP", lossless=True),
    "webp, transparent": documents.saved(PAGE.convert("RGBA"), "WEBP"),
    "heic": documents.saved(PAGE, "HEIF"),
    "avif": documents.saved(PAGE, "AVIF"),
    "gif": documents.saved(PAGE, "GIF"),
    "gif, moving": documents.saved(PAGE, "GIF", save_all=True, append_images=[PAGE.rotate(180)]),
    "bmp": documents.saved(PAGE, "BMP"),
    "bmp, two colours": documents.saved(PAGE.convert("1"), "BMP"),
    "jpeg 2000": documents.saved(PAGE, "JPEG2000"),
    "jpeg 2000, without a box": documents.saved(PAGE, "JPEG2000", no_jp2=True),
}
DAMAGED_PDF = "This PDF is damaged and cannot be opened."
DAMAGED_PICTURE = "This picture is damaged or incomplete. Please save it again and retry."
LOCKED = "This PDF is protected with a password. Please save it without one and try again."
UNKNOWN = "This is neither a PDF nor a picture of a kind that we can read."
HUGE = "This picture has 12,000 by 12,000 pixels; the limit is 50,000,000 pixels in all."
BAD = {
    "text with a PDF's name": (b"Dear Sir or Madam", UNKNOWN),
    "zip": (b"PK\x03\x04" + bytes(100), UNKNOWN),
    "svg": (b"<svg xmlns='http://www.w3.org/2000/svg'/>", UNKNOWN),
    "mp4": (b"\0\0\0\x18ftypisom" + bytes(100), UNKNOWN),
    "text that begins like a bitmap": (b"BMW 320, one owner, 1998\n", UNKNOWN),
    "pdf behind too much": (bytes(20_000) + documents.pdf_of_sizes(A4), UNKNOWN),
    "other riff": (b"RIFF\x10\0\0\0WAVEfmt " + bytes(20), UNKNOWN),
    "pdf, nothing behind its header": (b"%PDF-1.7\n", DAMAGED_PDF),
    "pdf, noise": (b"%PDF-1.7\n" + bytes(range(256)) * 20, DAMAGED_PDF),
    "pdf, password": (documents.encrypted_pdf(), LOCKED),
    "pdf, unknown lock": (documents.encrypted_pdf("Turnstile"), LOCKED),
    "pdf, no pages": (documents.pdf_of_sizes(), "This PDF has no pages."),
    "pdf, too many pages": (documents.pdf_of_sizes(*[A4] * 31), "This PDF has 31 pages; the limit is 30."),
    "png, huge": (documents.png_of(12_000, 12_000), HUGE),
    "jpeg, huge": (documents.jpeg_of(12_000, 12_000), HUGE),
    "webp, huge": (documents.webp_of(12_000, 12_000), HUGE),
    "gif, huge": (GOOD["gif"][:6] + struct.pack("<HH", 12_000, 12_000) + GOOD["gif"][10:], HUGE),
    "bmp, huge": (GOOD["bmp"][:18] + struct.pack("<ii", 12_000, 12_000) + GOOD["bmp"][26:], HUGE),
    "jpeg 2000, cut": (GOOD["jpeg 2000"][:60], DAMAGED_PICTURE),
    "heic, cut": (GOOD["heic"][:200], DAMAGED_PICTURE),
    "avif, cut": (GOOD["avif"][:200], DAMAGED_PICTURE),
    "tiff, second page huge": (
        documents.tiff(PAGE.convert("1"), Image.new("1", (12_000, 12_000)), compression="group4"),
        HUGE,
    ),
    "png, cut": (GOOD["png"][:-200], DAMAGED_PICTURE),
    "png, one byte wrong": (GOOD["png"][:300] + b"?" + GOOD["png"][301:], DAMAGED_PICTURE),
    "jpeg, cut": (GOOD["jpeg"][:-200], DAMAGED_PICTURE),
    "jpeg, cut in its header": (GOOD["jpeg"][:100], DAMAGED_PICTURE),
    "webp, cut": (GOOD["webp"][:-200], DAMAGED_PICTURE),
    "webp, only a header": (GOOD["webp"][:20], DAMAGED_PICTURE),
    "tiff, cut": (GOOD["tiff"][:-200_000], DAMAGED_PICTURE),
    "tiff, only a header": (b"II*\0\x08\0\0\0", DAMAGED_PICTURE),
}


def in_memory(content: bytes, name: str = "scan.pdf") -> "UploadedFile[bytes]":
    return SimpleUploadedFile(name, content, "application/pdf")


def on_disk(content: bytes, name: str = "scan.pdf") -> "UploadedFile[bytes]":
    upload = TemporaryUploadedFile(name, "application/pdf", len(content), None)
    upload.write(content)
    upload.seek(0)
    return upload


Make = Callable[[bytes, str], "UploadedFile[bytes]"]


def form_with(upload: "UploadedFile[bytes] | None") -> DocumentForm:
    return DocumentForm({}, MultiValueDict({"file": [upload]} if upload else {}))


def sentences(upload: "UploadedFile[bytes] | None") -> dict[str, list[str]]:
    return {field: list(map(str, errors)) for field, errors in form_with(upload).errors.items()}


def test_the_sample_is_taken_and_read_from_its_start() -> None:
    assert heavy_task.sample
    form = form_with(in_memory(heavy_task.sample.read_bytes()))
    assert form.is_valid()
    assert form.options() == {}
    assert form.cleaned_data["file"].tell() == 0


@pytest.mark.parametrize("make", [in_memory, on_disk])
@pytest.mark.parametrize("content", GOOD.values(), ids=GOOD)
def test_takes_what_it_knows_by_its_content(content: bytes, make: Make) -> None:
    with make(content, "holiday.mp3") as upload:
        assert sentences(upload) == {}
        assert upload.read() == content  # from the start, and still open


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")  # Pillow says this of a TIFF file that ends too soon
@pytest.mark.parametrize("make", [in_memory, on_disk])
@pytest.mark.parametrize(("content", "sentence"), BAD.values(), ids=BAD)
def test_refuses_with_one_sentence(content: bytes, sentence: str, make: Make) -> None:
    with make(content, "scan.pdf") as upload:
        assert sentences(upload) == {"file": [sentence]}


def test_asks_for_a_file() -> None:
    assert sentences(None) == {"file": ["Please choose a file."]}
    assert sentences(in_memory(b"")) == {"file": ["This file is empty."]}


def test_limits_are_settings(settings: Any) -> None:
    settings.QUEUEING = {"DOCUMENT_MAX_PAGES": 2, "DOCUMENT_MAX_PIXELS": 150_000, "MAX_UPLOAD_BYTES": 400_000}
    assert sentences(in_memory(documents.tiff(*[PAGE.resize((99, 99))] * 3))) == {
        "file": ["This TIFF file has more pages than the limit of 2."]
    }
    assert sentences(in_memory(GOOD["png"])) == {
        "file": ["This picture has 620 by 300 pixels; the limit is 150,000 pixels in all."]
    }
    assert sentences(in_memory(bytes(400_001))) == {"file": ["This file is too large; the limit is 390.6\xa0KB."]}


def test_a_pdf_that_lies_about_its_pages_is_refused_without_reading_them() -> None:
    [sentence] = sentences(in_memory(documents.pdf_of_sizes(A4, count=1_000_000)))["file"]
    assert sentence.endswith("pages; the limit is 30.")


def test_a_page_of_any_size_is_taken() -> None:
    """A large page is rendered smaller, not refused: see test_documents."""
    assert sentences(in_memory(documents.pdf_of_sizes((1_000_000, 1_000_000), (0, 0), (1, 100_000)))) == {}


def test_files_are_checked_in_several_threads() -> None:
    """PDFium has no locks of its own."""
    contents = [GOOD["pdf"], BAD["pdf, noise"][0], GOOD["pdf"], BAD["pdf, password"][0]] * 25
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda content: form_with(in_memory(content)).is_valid(), contents))
    assert found == [True, False, True, False] * 25


def test_the_file_dialogue_offers_what_is_taken() -> None:
    html = str(DocumentForm()["file"])
    assert "application/pdf" in html
    assert "image/*" in html


def test_the_sample_is_small_and_what_the_script_draws(tmp_path: Path) -> None:
    from queueing.tasks.documents.sample import make_scan

    assert heavy_task.sample
    make_scan.main(tmp_path / "scan.pdf")
    assert heavy_task.sample.stat().st_size < 1_000_000
    assert (tmp_path / "scan.pdf").stat().st_size == pytest.approx(heavy_task.sample.stat().st_size, rel=0.2)
