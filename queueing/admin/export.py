"""The entries of a filter as CSV, read and sent in batches: no answer is ever whole in memory."""

import csv
import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.http import StreamingHttpResponse

from queueing.admin.columns import who
from queueing.admin.listing import newest
from queueing.models import Entry, EntryQuerySet
from queueing.web.database import in_thread

BATCH = 500  # rows
COLUMNS = (
    *("code", "line", "file", "status", "reason", "visitor", "joined", "first look", "started", "finished", "waited_s"),
    *("ran_s", "attempt", "worker", "error_class", "message"),
)
# A spreadsheet runs a cell that begins so as a formula: with a sign, also a full-width one, or with white space that it
# drops. Where semicolons or tabs separate cells, a cell begins behind them, too.
FORMULA = re.compile(r"(^|[;\t])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n])")
MARK = "\ufeff"  # by which Excel knows that a file is UTF-8


class Rows(StreamingHttpResponse):
    """An answer whose batches are read in a thread: under ASGI, Django would read an ordinary iterator at once."""

    def __init__(self, batches: Iterator[str], **options: Any) -> None:
        super().__init__(batches, **options)
        self._batches = batches

    async def __aiter__(self) -> AsyncIterator[bytes]:
        read = in_thread(lambda: next(self._batches, None))
        while (batch := await read()) is not None:
            yield batch.encode()


def answer(rows: EntryQuerySet) -> Rows:
    """The answer with these rows, newest first."""
    headers = {"Content-Disposition": 'attachment; filename="entries.csv"'}
    return Rows(lines(rows), content_type="text/csv; charset=utf-8", headers=headers)


def lines(rows: EntryQuerySet) -> Iterator[str]:
    """The lines of the file, a batch at a time. Rows that are purged meanwhile are left out."""
    yield MARK + _text([COLUMNS])
    below: int | None = None
    while True:
        found = newest(rows.select_related("user"), limit=BATCH, below=below)
        yield _text([_cells(entry) for entry in found.rows])
        if found.below is None:
            return
        below = found.below


class _Line:
    """A file for `csv` that keeps nothing."""

    def write(self, text: str) -> str:
        return text


def _text(rows: Any) -> str:
    writer = csv.writer(_Line())
    return "".join(writer.writerow([_harmless(cell) for cell in row]) for row in rows)


def _harmless(cell: Any) -> str:
    return FORMULA.sub(r"\1'", "" if cell is None else str(cell))


def _cells(entry: Entry) -> list[Any]:
    started = entry.started_at or entry.finished_at
    times = (entry.joined_at, entry.seen_at, entry.started_at, entry.finished_at)
    return [
        *(entry.code, entry.queue, entry.input_name, entry.status, entry.reason, who(entry)),
        *(moment.isoformat(timespec="seconds") if moment else "" for moment in times),
        f"{max(0.0, (started - entry.joined_at).total_seconds()):.1f}" if started else "",
        f"{entry.run_time.total_seconds():.1f}" if entry.run_time else "",
        *(entry.attempt, entry.worker_ids[-1] if entry.worker_ids else "", entry.error_class, entry.message),
    ]
