"""The form of the task "tables": what is no table gets one sentence, before anything is stored."""

import codecs
import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils.datastructures import MultiValueDict

from queueing.models import Entry
from queueing.tasks.tables import choices
from queueing.tasks.tables.form import CHUNK, TableForm
from queueing.tasks.tables.task import heavy_task
from tests.support.files import stored_files

AUTO = dict.fromkeys(("header", "encoding", "delimiter", "quote", "decimal", "dates"), "auto") | {"parquet": False}

JSON = [
    b'{"a": 1}',
    b'\xef\xbb\xbf\n {"a": 1}',
    '{"a": 1}'.encode("utf-16"),
    b'[{"a": 1}, {"a": 2}]',
    b'{"a": 1}\n{"a": 2}\n',
    b'["a", "b"]\n[1, 2]\n',
    b'[\n  {\n    "a": 1,\n  },\n]',
    b'[{"a": "' + b"x" * 2_000_000,
    b"[" * 100_000,
    b'{"a": [1, 2',
    b'{"a": "cut o',
    b'\x1e{"a": 1}\n\x1e{"a": 2}\n',
]
MARKUP = [
    b"<table><tr><td>1</td></tr></table>",
    b"\xef\xbb\xbf \n<TABLE border=1>\n<tr><td>1",
    "<table><tr>".encode("utf-16"),
    b"<div class=x>\n<p>1",
    b"<rows>\n<row a='1'/>\n</rows>",
    b'<?xml version="1.0"?>\n<a/>',
    b"<rows>\n" + b"<row>1</row>\n" * 100_000,
]
SQL = [
    b"-- MySQL dump 10.13  Distrib 8.0\n--\n",
    b"--\n-- PostgreSQL database dump\n--\n\nSET x = 0;\n",
    b"PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE a(b);\n",
    b"\n insert into `t` (a) values (1), (2);\n",
    b"/*!40101 SET NAMES utf8 */;\nDROP TABLE IF EXISTS a;\n",
    "CREATE TABLE a (b int);".encode("utf-16"),
]
# Tables whose first cell looks like something else.
BRACKETS = [
    b"{id},{name}\n1,2\n",
    b'{"a": 1};2\n{"a": 2};3\n',
    b"[mm],[kg]\n1,2\n",
    b"[1],[2]\n3,4\n",
    b"[1]\n[2]\n",
    b'["a",b\n1,2\n',
    b'{"a,b\n1,2\n',
    b"[1,2],3\n[4,5],6\n",
    b"<none>,5\n<none>,6\n",
    b"<none>,5\n" * 200_000,
    b"<b>x</b>;2\n<i>y</i>;3\n",
    b"Use of funds;2020\nx;1\n",
    b"-- a comment\na,b\n1,2\n",
    b"create,insert into\n1,2\n",
]


def form(content: bytes, name: str = "table.csv", **data: str) -> TableForm:
    return TableForm(data, MultiValueDict({"file": [SimpleUploadedFile(name, content)]}))


def sentence(content: bytes, name: str = "table.csv") -> str:
    """The one sentence that the visitor reads about this file."""
    checked = form(content, name)
    assert not checked.is_valid()
    [message] = checked.errors["file"]
    return str(message)


def packed(*names: str, of: str = "content") -> bytes:
    with io.BytesIO() as buffer:
        with zipfile.ZipFile(buffer, "w") as archive:
            for name in names:
                archive.writestr(name, of)
        return buffer.getvalue()


def test_the_sample_is_taken_and_read_from_its_start() -> None:
    assert heavy_task.sample
    checked = form(heavy_task.sample.read_bytes())
    assert checked.is_valid(), checked.errors
    assert checked.options() == AUTO
    assert checked.cleaned_data["file"].tell() == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("header", "no"),
        ("encoding", "koi8-r"),
        ("delimiter", "pipe"),
        ("quote", "none"),
        ("decimal", "comma"),
        ("dates", "month"),
    ],
)
def test_the_visitor_may_say_how_the_table_is_written(name: str, value: str) -> None:
    checked = form(b"a,b\n1,2\n", **{name: value})
    assert checked.is_valid()
    assert checked.options() == AUTO | {name: value}
    assert name in form(b"a,b\n1,2\n", **{name: "perhaps"}).errors


def test_a_parquet_file_is_made_when_it_is_asked_for() -> None:
    checked = form(b"a,b\n1,2\n", parquet="on")
    assert checked.is_valid()
    assert checked.options() == AUTO | {"parquet": True}


def test_every_encoding_on_the_form_is_one_of_python() -> None:
    for value, label in choices.ENCODINGS[1:]:
        assert codecs.lookup(value).encode("a")[0], label


def test_the_check_reads_a_file_as_the_visitor_has_said() -> None:
    """UTF-16 without a mark, and with too few NUL bytes to give it away."""
    content = ("имя города;" * 40 + "\n").encode("utf-16-le").replace(b";\0", ";".encode("utf-16-le"))
    assert form(content, "table.csv", encoding="utf-16-le").is_valid()


def test_utf_16_without_a_mark_and_a_stray_nul_are_text() -> None:
    table = "town,n\nBree,1\nDale,2\n"
    assert form(table.encode("utf-16-le")).is_valid()
    assert form(table.encode("utf-16-be")).is_valid()
    assert form(table.encode() * 50 + b"Bree\0,3\n").is_valid()


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
        "name;city\n\u0418\u0432\u0430\u043d;\u041a\u0430\u0437\u0430\u043d\u044c\n".encode("utf-16-le"),
        b'a,b\n"' + b"line\n" * 300_000 + b'",2\n',
        b"a,b\n" * 200_000 + b"\0",
        *BRACKETS,
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
        (packed("[Content_Types].xml", "_rels/.rels", "word/document.xml"), "This is a Word document; save the table"),
        (packed("_rels/.rels", "word/_rels/document.xml.rels"), "This is a Word document; save the table"),
        (packed("[Content_Types].xml", "ppt/presentation.xml"), "This is a presentation; save the table in it as CSV."),
        (packed("[Content_Types].xml", "docProps/app.xml"), "This is a file of Excel, Word or PowerPoint; save the"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 500, "This is a file of Excel, Word or PowerPoint; save"),
        (packed("mimetype", of="vnd.oasis.opendocument.spreadsheet"), "This is an OpenDocument spreadsheet; save it"),
        (packed("mimetype", of="vnd.oasis.opendocument.text"), "This is an OpenDocument file; save the table in it"),
        (packed("mimetype", of="application/epub+zip"), "This is an e-book, not a table."),
        (packed("Index/Document.iwa"), "This is a file of Numbers, Pages or Keynote; export the table in it as CSV."),
        (packed("words/table.csv"), "This is a ZIP archive; unpack it, and hand in the CSV file in it."),
        (b"\x1f\x8b\x08\0" + b"\1" * 50, "This is a file packed by gzip; unpack it, and hand in the CSV file in it."),
        (b"7z\xbc\xaf\x27\x1c", "This is a 7-Zip archive; unpack it"),
        (b"Rar!\x1a\7\0", "This is a RAR archive; unpack it"),
        (b"BZh91AY", "This is a file packed by bzip2, xz or zstd; unpack it"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "This is a picture, not a table."),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "This is a picture, not a table."),
        (b"%PDF-1.7\n1 0 obj", "This is a PDF, not a table."),
        (b"\n<!DOCTYPE html><table><tr><td>1", "This is a web page or XML, not a table; save it as CSV."),
        *((text, "This is JSON, not a table; save it as CSV.") for text in JSON),
        *((text, "This is a web page or XML, not a table; save it as CSV.") for text in MARKUP),
        *((text, "This is a database dump in SQL, not a table; export the table as CSV.") for text in SQL),
        (b"{\\rtf1\\ansi", "This is a document, not a table"),
        (b"BEGIN:VCARD\r\nVERSION:3.0", "This is an address book or a calendar"),
        (b"PAR1\x15\x04", "This is a database or a binary table; export it as CSV."),
        (b"a,b\n1,2\n" + b"3,\x00\x00\x00\x00\n", "This is not a text file; save the table as CSV."),
        (b"a,b\n" * 200_000 + bytes(9000), "This is not a text file; save the table as CSV."),
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
