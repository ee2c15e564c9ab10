"""The form of the task "tables": what is no table gets one sentence, before anything is stored."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.datastructures import MultiValueDict

from queueing.models import Entry
from queueing.tasks.tables.form import CHUNK, TableForm
from queueing.tasks.tables.task import heavy_task
from tests.support.files import stored_files


def form(content: bytes, name: str = "table.csv", **data: str) -> TableForm:
    return TableForm(data, MultiValueDict({"file": [SimpleUploadedFile(name, content)]}))


def sentence(content: bytes, name: str = "table.csv") -> str:
    """The one sentence that the visitor reads about this file."""
    checked = form(content, name)
    assert not checked.is_valid()
    [message] = checked.errors["file"]
    return str(message)


def packed(*names: str) -> bytes:
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in names:
                archive.writestr(name, "content")
        return buffer.getvalue()


def test_the_sample_is_taken_and_read_from_its_start() -> None:
    assert heavy_task.sample
    checked = form(heavy_task.sample.read_bytes())
    assert checked.is_valid(), checked.errors
    assert checked.options() == {"header": "auto"}
    assert checked.cleaned_data["file"].tell() == 0


@pytest.mark.parametrize("header", ["auto", "yes", "no"])
def test_the_visitor_may_say_where_the_names_are(header: str) -> None:
    checked = form(b"a,b\n1,2\n", header=header)
    assert checked.is_valid()
    assert checked.options() == {"header": header}


def test_an_unknown_choice_is_refused() -> None:
    assert "header" in form(b"a,b\n1,2\n", header="perhaps").errors


@pytest.mark.parametrize(
    "content",
    [
        b"a,b,c",
        b"a\n1\n",
        b"a,b\r1,2\r" * 200_000,
        "a;b\nü;2\n".encode("utf-16"),
        "a;b\nü;2\n".encode("cp1252"),
        b'a,b\n"never closed,2\n',
        b"a,b\n1,\x002\n",
        b"a,b\n" * 200_000 + b"\0",
        "name;city\n\u0418\u0432\u0430\u043d;\u041a\u0430\u0437\u0430\u043d\u044c\n".encode("utf-16-le"),
        b'a,b\n"' + b"line\n" * 300_000 + b'",2\n',
    ],
)
def test_takes_what_may_be_a_table(content: bytes) -> None:
    checked = form(content, "whatever.bin")
    assert checked.is_valid(), checked.errors


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "This file is empty."),
        (b"\n \t\r\n\n", "This file has no columns"),
        (b"\xef\xbb\xbf", "This file has no columns"),
        (b"\xff\xfe", "This file has no columns"),
        (packed("[Content_Types].xml", "xl/workbook.xml"), "This is an Excel workbook; save it as CSV."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "This is an Excel workbook; save it as CSV."),
        (packed("mimetype", "table.csv"), "This is a packed file; unpack it first."),
        (b"\x1f\x8b\x08\0" + b"\1" * 50, "This is a packed file; unpack it first."),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "This is a picture, not a table."),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "This is a picture, not a table."),
        (b"%PDF-1.7\n1 0 obj", "This is a PDF, not a table."),
        (b"\n<!DOCTYPE html><table><tr><td>1", "This is a web page or XML, not a table; save it as CSV."),
        (b"PAR1\x15\x04", "This is a database or a binary table; export it as CSV."),
        (b"a,b\n1,2\n" + b"3,\x00\x00\x00\x00\n", "This is not a text file; save the table as CSV."),
        (b"a,b\n" * 200_000 + b"\0\0" * 1000, "This is not a text file; save the table as CSV."),
    ],
)
def test_one_sentence_for_what_is_no_table(content: bytes, words: str) -> None:
    assert sentence(content).startswith(words)


def test_no_file_at_all() -> None:
    assert TableForm({}, MultiValueDict()).errors["file"] == ["Please choose a file."]


def test_too_many_columns(settings: Any) -> None:
    settings.QUEUEING = {"TABLE_MAX_COLUMNS": 5}
    assert form(b"a,b,c,d,e\n").is_valid()
    assert sentence(b"a,b,c,d,e,f\n") == "This table has 6 columns; the limit is 5."


def test_too_large(settings: Any) -> None:
    settings.QUEUEING = {"TABLE_MAX_UPLOAD_BYTES": 1024}
    assert "the limit is 1\xa0KB" in sentence(b"a,b\n" * 1000)


@pytest.mark.parametrize("limit", [1000, CHUNK, 3 * CHUNK + 17])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_a_line_beyond_the_limit_wherever_it_is(settings: Any, limit: int, newline: bytes) -> None:
    settings.QUEUEING = {"TABLE_MAX_LINE_BYTES": limit}
    short = (b"1,2" + newline) * 5000
    room = limit - len(newline) + 1
    for before, after in ((b"a,b" + newline, b""), (short, b""), (short, newline + short)):
        assert form(before + b"x" * room + after).is_valid()
        assert sentence(before + b"x" * (limit + 1) + after).startswith("This file has a line of more than")


@pytest.mark.parametrize("content", [b"", b"%PDF-1.7", b"a\0\0\0\0b"])
def test_nothing_is_stored_of_what_is_refused(visitor_client: Callable[[], Client], content: bytes) -> None:
    before = stored_files()
    answer = visitor_client().post("/join/tables/", {"file": SimpleUploadedFile("table.csv", content)})
    assert answer.status_code == 422
    assert not Entry.objects.exists()
    assert stored_files() == before
