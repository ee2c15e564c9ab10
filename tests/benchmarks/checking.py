"""The look into an upload: by one warm checker, beside the same check in this process, as if it were a child's code."""

import math
import random
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile, UploadedFile
from django.test import override_settings

from queueing.checking.pool import checkers
from queueing.forms import EntryForm
from queueing.tasks.documents.form import DocumentForm
from queueing.tasks.tables.form import TableForm
from tests.benchmarks.report import Row
from tests.support import documents
from tests.support.paths import SCAN, TABLE

RUNS = 3
CHECKS = 40  # in each run
MB = 1000**2


def rows() -> Iterator[Row]:
    with override_settings(QUEUEING={"CHECKERS": 1}):
        for name, form, upload in _files():
            through = [_p95(partial(checkers.check, form, upload)) for _ in range(RUNS)]
            within = [_p95(partial(_check_here, form, upload)) for _ in range(RUNS)]
            yield Row(
                f"the look into {name}, p95", "ms", through, "<=", 50, rival=within,
                meaning="From the call to the sentence or none, by one warm checker: the file is handed over, the form "
                "checks it, the answer comes back. The rival is the same check in this process, without limits.",
            )  # fmt: skip
            upload.close()
    checkers.end()
    yield Row(
        "the start of a checker", "ms", [_start() for _ in range(RUNS)],
        meaning="The first upload of a web process waits for it; later ones find a checker that is ready. With the "
        "form of the documents, and its check of the sample.",
    )  # fmt: skip


def _files() -> Iterator[tuple[str, type[EntryForm], "UploadedFile[Any]"]]:
    yield "the sample of the documents", DocumentForm, _in_memory(SCAN.read_bytes())
    yield "the sample of the tables", TableForm, _in_memory(TABLE.read_bytes())
    noise = random.Random(1).randbytes(10 * MB)  # noqa: S311  # no secret
    stream = b"<< /Length %d >>\nstream\n%b\nendstream" % (len(noise), noise)
    page = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R >>"
    pdf = documents.pdf(documents.CATALOGUE, "<< /Type /Pages /Kids [3 0 R] /Count 1 >>", page, stream)
    yield "a PDF of 10 MB", DocumentForm, _on_disk(pdf)
    lines = b"number,name,price,day\n" + b"17,a name of some length,12.50,2026-01-31\n" * (50 * MB // 41)
    yield "a CSV file of 50 MB", TableForm, _on_disk(lines[: 50 * MB])


def _in_memory(content: bytes) -> "UploadedFile[Any]":
    return SimpleUploadedFile("file", content)


def _on_disk(content: bytes) -> "UploadedFile[Any]":
    upload = TemporaryUploadedFile("file", "text/plain", len(content), None)
    upload.write(content)
    upload.seek(0)
    return upload


def _check_here(form: type[EntryForm], upload: "UploadedFile[Any]") -> None:
    upload.seek(0)
    form().check_file(upload)


def _p95(check: Callable[[], object]) -> float:
    """Milliseconds that 95 % of the checks do not exceed."""
    check()
    times = []
    for _ in range(CHECKS):
        began = time.perf_counter()
        check()
        times.append((time.perf_counter() - began) * 1000)
    return sorted(times)[math.ceil(CHECKS * 0.95) - 1]


def _start() -> float:
    upload = _in_memory(SCAN.read_bytes())
    began = time.perf_counter()
    checkers.check(DocumentForm, upload)
    checkers.end()
    return (time.perf_counter() - began) * 1000
