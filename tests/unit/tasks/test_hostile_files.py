"""Both forms and hostile files: no shape takes more time or memory than a file may take.

The first half calls the checks in this process: the checks themselves are cheap. The second half sends the files
through the forms, whose checkers would stop one that is not.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile

from queueing.checking.pool import OVER_BUDGET, checkers
from queueing.forms import EntryForm
from queueing.tasks.documents.form import DocumentForm
from queueing.tasks.tables.form import TableForm
from queueing.tasks.tables.header import LONGEST_NUMBER, is_number
from tests.support import hostile_files, hostile_pictures
from tests.support.hostile_files import MIB, PDFS, PICTURES, TABLES, filled

FORMS: dict[str, tuple[type[EntryForm], Callable[[int], Iterator[tuple[str, bytes]]]]] = {
    "tables": (TableForm, hostile_files.tables),
    "documents": (DocumentForm, hostile_files.scans),
}
CPU = 5.0  # seconds of this thread for one file of 1 MiB: many times what a check takes, a fraction of a quadratic one
MEMORY = 300 * MIB  # of a checker, after a file of any size


def check(form: type[EntryForm], content: bytes) -> float:
    """Seconds of CPU that the check takes in this process."""
    upload = SimpleUploadedFile("hostile", content)
    began = time.thread_time()
    with contextlib.suppress(ValidationError):
        form().check_file(upload)
    return time.thread_time() - began


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow's, of damaged files
@pytest.mark.parametrize("name", TABLES)
def test_no_table_of_1_mib_takes_seconds(name: str) -> None:
    assert check(TableForm, filled(*TABLES[name], MIB)) < CPU


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", PICTURES)
def test_no_picture_of_1_mib_takes_seconds(name: str) -> None:
    assert check(DocumentForm, PICTURES[name](MIB)) < CPU


@pytest.mark.parametrize("name", hostile_pictures.TOO_LARGE)
def test_a_picture_is_refused_for_the_size_that_it_claims(name: str) -> None:
    upload = SimpleUploadedFile("hostile", hostile_pictures.TOO_LARGE[name])
    with pytest.raises(ValidationError, match="12,000 by 12,000 pixels"):
        DocumentForm().check_file(upload)


LONG = {
    "a time": "1-1-1T" + "1" * MIB + "!",
    "digits": "1" * MIB,
    "digits and a mark": "1" * MIB + "!",
    "points": "1." * MIB + "x",
    "blanks": " " * MIB + "1",
    "letters": "1:1:1 1" + "a1" * MIB,
}


@pytest.mark.parametrize("cell", LONG.values(), ids=LONG)
def test_a_long_cell_is_told_from_a_number_without_delay(cell: str) -> None:
    began = time.thread_time()
    assert is_number(cell) == (len(cell.strip()) <= LONGEST_NUMBER)
    assert time.thread_time() - began < 1


def test_a_time_is_a_number_and_what_follows_it_is_not() -> None:
    for cell in ("2024-01-31T12:30:00Z", "1/2/2024 12:30", "12.5%", "-1,000.5", "2024-01-31T1", "1-1-1T1:2a1"):
        assert is_number(cell), cell
    for cell in ("2024-01-31T", "2024-01-31T12:30!", "1-1-1Ta", "12a", "%"):
        assert not is_number(cell), cell


def send(form: type[EntryForm], content: bytes) -> list[str]:
    with TemporaryUploadedFile("hostile", "text/csv", len(content), None) as upload:
        upload.write(content)
        upload.seek(0)
        checked = form({}, {"file": upload})  # type: ignore[arg-type]
        return [str(sentence) for sentence in checked.errors.get("file", [])]


def peak() -> int:
    """The most memory that an idle checker has had since it was started."""
    paths = [Path(f"/proc/{pid}/status") for pid in checkers.pids()]
    lines = [line.split() for path in paths for line in path.read_text().splitlines() if line.startswith("VmHWM")]
    return max(int(size) * 1024 for _, size, _ in lines)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="only Linux tells of the most memory")
@pytest.mark.parametrize("kind", FORMS)
@pytest.mark.parametrize(
    "size",
    [
        pytest.param(MIB, marks=pytest.mark.slow, id="1 MiB"),
        pytest.param(50 * MIB - 1000, marks=[pytest.mark.slow, pytest.mark.timeout(900)], id="50 MiB"),
    ],
)
def test_every_shape_is_checked_within_the_budget(kind: str, size: int, settings: Any) -> None:
    form, shapes = FORMS[kind]
    settings.QUEUEING = {"CHECKERS": 1, "CHECK_SECONDS": 60}  # of a loaded machine
    web = psutil.Process().memory_info().rss
    found = {}
    for name, content in shapes(size):
        sentences = send(form, content)
        found[name] = (sentences, peak() // MIB if checkers.pids() else 0)
    beyond = {name for name, (sentences, _) in found.items() if OVER_BUDGET in sentences}
    assert beyond <= PDFS.keys(), found  # what PDFium nests and unpacks, the limit stops
    assert max(memory for _, memory in found.values()) < MEMORY // MIB, found
    assert psutil.Process().memory_info().rss - web < 150 * MIB + 2 * size
