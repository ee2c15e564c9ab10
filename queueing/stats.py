"""The numbers of the lines for staff: the admin, /metrics and `queue_stats` show the same."""

from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Q
from django.db.models.functions import Now
from django.utils import timezone

from queueing import goodput
from queueing.conf import conf
from queueing.facts import LineNow, line_now
from queueing.goodput import Waste
from queueing.line.workers import live_workers
from queueing.models import Entry
from queueing.states import Reason


@dataclass(frozen=True, slots=True)
class LineStats(LineNow):
    """The numbers of a line for staff."""

    oldest_wait: float | None  # seconds since the join of the oldest waiting entry; unseen entries do not count
    # Worker-seconds of runs whose entries ended lately.
    goodput: float  # their end was seen by the owner
    not_seen_yet: float  # the owner may still come for the result
    waste: float  # everything else
    waste_by_cause: dict[str, float]  # by the values of `goodput.Waste`
    skipped: int  # entries that ended lately before any work was done for them; unseen entries do not count

    def as_json(self) -> dict[str, Any]:
        """The numbers by name."""
        return asdict(self)

    @property
    def causes_of_waste(self) -> list[tuple[str, float]]:
        """In words, the causes for which there was waste lately, each with its worker-seconds."""
        return [(Waste(cause).label, seconds) for cause, seconds in self.waste_by_cause.items() if seconds]


def all_lines() -> list[LineStats]:
    """The numbers of every line, in the order of the settings. Raises RedisError."""
    return [line_stats(queue) for queue in settings.QUEUEING_TASKS]


def line_stats(queue: str) -> LineStats:
    """The numbers of one line. Raises RedisError."""
    now = line_now(queue)
    entries = Entry.objects.filter(queue=queue)
    oldest = (
        entries.waiting()
        .due()
        .exclude(needs_presence=True, seen_at=None)
        .order_by("id")
        .values_list("joined_at", flat=True)
        .first()
    )
    public = {field.name: getattr(now, field.name) for field in fields(now)}
    return LineStats(
        **public | {"running": entries.running().count(), "workers": len(live_workers(queue))},
        oldest_wait=(timezone.now() - oldest).total_seconds() if oldest else None,
        **_lately(queue),
    )


def _lately(queue: str) -> dict[str, Any]:
    """Sums over the last RESULT_TTL: ended rows are not kept for longer."""
    since = Now() - timedelta(seconds=conf.RESULT_TTL)
    ended = Entry.objects.final().filter(queue=queue, finished_at__gt=since)
    skipped = Count("id", filter=Q(attempt=0) & ~Q(reason=Reason.UNSEEN))
    sums = ended.aggregate(skipped=skipped, **goodput.sums())
    return {"skipped": sums.pop("skipped")} | goodput.seconds(sums)
