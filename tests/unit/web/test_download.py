"""A file as an answer: open while it is read, and at no other time."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from django.http import Http404, HttpRequest

from queueing.models import Entry
from queueing.web.download import Download, attachment

Join = Callable[..., Entry]


def open_files(entry: Entry) -> int:
    paths = [Path(f"/proc/self/fd/{number}") for number in os.listdir("/proc/self/fd")]  # noqa: PTH208
    return sum(path.is_symlink() and str(path.readlink()) == entry.input.path for path in paths)


def download(entry: Entry) -> Download:
    answer = attachment(HttpRequest(), entry.input, filename="a.csv", content_type="text/csv")
    assert isinstance(answer, Download)
    return answer


def test_a_client_that_goes_before_the_first_byte_leaves_no_file_open(join: Join) -> None:
    entry = join("a")
    answer = download(entry)
    assert (open_files(entry), answer["Content-Length"]) == (0, str(len(b"input of a")))
    assert answer.getvalue() == b"input of a"
    assert open_files(entry) == 0


def test_a_client_that_goes_in_the_middle_leaves_no_file_open(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queueing.web.download.BLOCK", 3)
    entry = join("a")
    answer = download(entry)
    assert next(iter(answer)) == b"inp"
    assert open_files(entry) == 1
    answer.close()
    assert open_files(entry) == 0


def test_a_file_that_is_gone_is_not_found(join: Join) -> None:
    entry = join("a")
    Path(entry.input.path).unlink()
    with pytest.raises(Http404):
        download(entry)
