"""The numbers of the lines for staff: the admin, /metrics and `queue_stats` show the same."""

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Now
from django.utils import timezone

from queueing.conf import conf
from queueing.facts import LineNow, line_now
from queueing.line.workers import live_workers
from queueing.models import Entry
from queueing.states import Reason, Status


@dataclass(frozen=True, slots=True)
class LineStats(LineNow):
    """The numbers of a line for staff."""

    oldest_wait: float | None  # seconds since the join of the oldest waiting entry; unseen entries do not count
    goodput: float  # worker-seconds lately for visitors who were there at the end
    waste: float  # worker-seconds lately for visitors who had left
    skipped: int  # entries that ended lately before any work was done for them; unseen entries do not count

    def as_json(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)


def all_lines() -> list[LineStats]:
    """The numbers of every line, in the order of the settings. Raises RedisError."""
    return [line_stats(queue) for queue in settings.QUEUEING_TASKS]


def line_stats(queue: str) -> LineStats:
    """The numbers of one line. Raises RedisError."""
    now = line_now(queue)
    entries = Entry.objects.filter(queue=queue)
    oldest = (
        entries.waiting()
        .exclude(needs_presence=True, seen_at=None)
        .order_by("id")
        .values_list("joined_at", flat=True)
        .first()
    )
    return LineStats(
        **asdict(now) | {"running": entries.running().count(), "workers": len(live_workers(queue))},
        oldest_wait=(timezone.now() - oldest).total_seconds() if oldest else None,
        **_lately(queue),
    )


def _lately(queue: str) -> dict[str, Any]:
    """Sums over the last RESULT_TTL: ended rows are not kept for longer."""
    since = Now() - timedelta(seconds=conf.RESULT_TTL)
    ended = Entry.objects.final().filter(queue=queue, finished_at__gt=since)
    seconds, left = F("finished_at") - F("last_attempted_at"), Q(status__in=(Status.CANCELLED, Status.ABANDONED))
    worked = Sum(seconds, filter=Q(attempt__gt=0) & ~left)
    wasted = Sum(seconds, filter=Q(attempt__gt=0) & left)
    sums = ended.aggregate(
        worked=worked, wasted=wasted, skipped=Count("id", filter=Q(attempt=0) & ~Q(reason=Reason.UNSEEN))
    )
    return {
        "goodput": _seconds(sums["worked"]),
        "waste": _seconds(sums["wasted"]),
        "skipped": sums["skipped"],
    }


def _seconds(span: timedelta | None) -> float:
    return span.total_seconds() if span else 0.0
