"""The living lines."""

from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from queueing import eta, stats
from queueing.line.clients import RedisError


def rows() -> list[dict[str, Any]]:
    """The numbers of each line; none while Redis is away."""
    try:
        numbers = stats.all_lines()
    except RedisError:
        return []  # the page says why
    return [
        {"line": line, "wait": eta.sentence(line.wait) or "unknown", "entries": entries_url(line.queue)}
        for line in numbers
    ]


def entries_url(queue: str) -> str:
    """The list of the entries that wait in this line."""
    return f"{reverse('admin:queueing_entry_changelist')}?queue={queue}&status__exact=waiting"


def context(request: HttpRequest) -> dict[str, Any]:
    """The context of the page of the lines."""
    return {"title": "Lines", "lines": rows()}
