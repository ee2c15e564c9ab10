"""A very long history: entries that have ended in the last half hour."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from queueing.models import Counted, Entry
from queueing.states import Reason, Status
from tests.benchmarks import waiting

ENDED = 1_000_000
# Each status and reason of a site's history, for so many of ten entries.
KINDS = (
    [(Status.SUCCEEDED, Reason.NONE)] * 5
    + [(Status.ABANDONED, Reason.LOST), (Status.ABANDONED, Reason.CLOSED), (Status.ABANDONED, Reason.UNSEEN)]
    + [(Status.CANCELLED, Reason.LEFT), (Status.FAILED, Reason.ERROR)]
)  # fmt: skip


def make() -> None:
    """ENDED entries, a thousand at a time; none of them is stale, and a thousand have a second attempt."""
    for number in range(ENDED // waiting.BATCH):
        ended = timezone.now() - timedelta(seconds=1800 * (1 - number * waiting.BATCH / ENDED))
        status, reason = KINDS[number % len(KINDS)]
        failed: dict[str, Any] = {"error_class": "builtins.KeyError", "traceback": "  File x\n" * 50}
        first = Entry.objects.create(
            queue=waiting.QUEUE, task_path="bench", seen_at=ended, joined_at=ended, started_at=ended,
            last_attempted_at=ended, finished_at=ended, status=status, reason=reason, attempt=2 if number == 1 else 1,
            worker_ids=["bench"], result={}, counted=Counted.WORTH, input_name=f"Scan {number} of the archive.pdf",
            **(failed if status == Status.FAILED else {}),
        )  # fmt: skip
        waiting.copy(first, waiting.BATCH)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
