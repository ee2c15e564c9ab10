"""Failures grouped by their error, so that one cause is one line."""

from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, Max
from django.urls import reverse

from queueing.models import Entry
from queueing.states import Reason, Status

MOST_FAILURES = 10_000  # the newest ones of all lines; grouping reads each of them
MOST_GROUPS = 100
# The columns that make two failures the same.
COLUMNS = ("queue", "reason", "error_class", "message")


def groups(queue: str = "") -> list[dict[str, Any]]:
    """The groups of the newest failures, largest first: columns, count, the time of the last one, and their list."""
    failed = Entry.objects.filter(status=Status.FAILED)
    oldest = failed.order_by("-pk").values_list("pk", flat=True)[MOST_FAILURES : MOST_FAILURES + 1]
    if cut := next(iter(oldest), None):
        failed = failed.filter(pk__gt=cut)
    if queue:
        failed = failed.filter(queue=queue)
    rows = failed.order_by().values(*COLUMNS).annotate(count=Count("pk"), last=Max("finished_at"))
    return [dict(row) | _told(row) for row in rows.order_by("-count", "-last")[:MOST_GROUPS]]


def _told(row: Any) -> dict[str, Any]:
    query = {"queue": row["queue"], "status__exact": Status.FAILED.value, "reason__exact": row["reason"]}
    query |= {f"{column}__exact": row[column] for column in ("error_class", "message")}
    return {
        "label": Reason(row["reason"]).label,
        "url": f"{reverse('admin:queueing_entry_changelist')}?{urlencode(query)}",
    }
