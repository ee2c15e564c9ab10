"""The filters beside the list of entries. None of them counts, or reads the rows to know its choices."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from queueing import site_time
from queueing.admin.columns import unreached
from queueing.line.clients import RedisError
from queueing.line.standings import Where, ids_in
from queueing.models import Entry, EntryQuerySet

# Places of all lines that the filter by presence looks at. Each is a parameter of the query; SQLite takes 32,766.
MOST_PLACES = 20_000

TOO_MANY = (
    "There are {total:,} such places, and only {most:,} of them are looked at: the list and its actions leave out the "
    "others. Choose a line, or act on these first."
)

UNKNOWN = "{lines} cannot be reached, so the list leaves out who is there."


class LineFilter(admin.SimpleListFilter):
    title, parameter_name = "line", "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [(name, name) for name in settings.QUEUEING_TASKS]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(queue=self.value()) if self.value() else queryset


class PresenceFilter(admin.SimpleListFilter):
    """By the place in the line, which is not in the rows."""

    title, parameter_name = "presence", "presence"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            (Where.LINE.value, "Present, in the line"),
            (Where.HELD.value, "Away, held"),
            (Where.UNSEEN.value, "Not looked yet"),
            (Where.CLAIMED.value, "About to start"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        wanted = self.value() or ""
        if wanted not in Where:
            return queryset
        queues = [queue for queue in settings.QUEUEING_TASKS if request.GET.get("queue", queue) == queue]
        try:
            found = ids_in(queues, Where(wanted), MOST_PLACES)
        except RedisError:
            messages.warning(request, "The lines cannot be reached, so nobody can tell who is present.")
            return queryset.none()
        if found.away:
            messages.warning(request, UNKNOWN.format(lines=unreached(found.away)))
        if found.total > len(found.ids):  # also after each step of an act, and after its end
            messages.warning(request, TOO_MANY.format(total=found.total, most=len(found.ids)))
        rows: EntryQuerySet = queryset.waiting()  # type: ignore[attr-defined]
        return rows.of_jobs(found.ids)


class AgeFilter(admin.SimpleListFilter):
    """By the time since the join."""

    title, parameter_name = "age", "age"
    AGES = {"10m": timedelta(minutes=10), "1h": timedelta(hours=1), "1d": timedelta(days=1)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [
            ("10m", "10 minutes at most"),
            ("1h", "An hour at most"),
            ("1d", "A day at most"),
            ("older", "More than an hour"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        now = site_time.now()
        if self.value() == "older":
            since = now - timedelta(hours=1)
            return queryset.filter(pk__lt=first_since(since), joined_at__lt=since)
        if age := self.AGES.get(self.value() or ""):
            return queryset.filter(pk__gte=first_since(now - age), joined_at__gte=now - age)
        return queryset


class EndedFilter(admin.SimpleListFilter):
    """By the time since the end. Ended entries are kept for RESULT_TTL."""

    title, parameter_name = "end", "ended"
    TIMES = {"10m": timedelta(minutes=10), "1h": timedelta(hours=1)}

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("10m", "In the last 10 minutes"), ("1h", "In the last hour")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        time = self.TIMES.get(self.value() or "")
        return queryset.filter(finished_at__gte=site_time.now() - time) if time else queryset


class AttemptFilter(admin.SimpleListFilter):
    title, parameter_name = "attempt", "attempt"

    def lookups(self, request: HttpRequest, model_admin: Any) -> Iterable[tuple[str, str]]:
        return [("0", "Never started"), ("1", "First"), ("more", "Second or later")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "more":
            return queryset.filter(attempt__gt=1)
        return queryset.filter(attempt=self.value()) if self.value() in {"0", "1"} else queryset


def first_since(moment: datetime) -> int:
    """The id of the first entry that joined since this moment, by bisection: ids grow with time, and have an index."""
    ids = Entry.objects.order_by("pk").values_list("pk", flat=True)
    low, high = ids.first() or 0, (ids.last() or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = Entry.objects.filter(pk__gte=middle, pk__lt=high).order_by("pk").values_list("pk", "joined_at").first()
        if row is None or row[1] >= moment:
            high = middle
        else:
            low = row[0] + 1
    return low
