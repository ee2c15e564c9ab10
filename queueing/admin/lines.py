"""The page of the lines: the board, and sums of the time while ended entries are kept."""

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse

from queueing import stats
from queueing.admin import board
from queueing.admin.base import clock
from queueing.line.clients import RedisError
from queueing.models import Entry
from queueing.stats import LineStats
from queueing.web.visitor import may_see_lines


def page(request: HttpRequest, site: Any) -> HttpResponse:
    """The lines."""
    _require(request)
    context = site.each_context(request) | {"title": "Lines", "lines": _lines(), "at": clock(), "opts": Entry._meta}
    return TemplateResponse(request, "admin/queueing/lines.html", context)


def now(request: HttpRequest) -> HttpResponse:
    """The sums, as JSON."""
    _require(request)
    lines = _lines()
    parts = {"lately": render_to_string("admin/queueing/lines.html#lately", {"lines": lines})} if lines else {}
    return JsonResponse({"parts": parts, "away": not lines, "at": clock()})


def board_now(request: HttpRequest) -> HttpResponse:
    """The board, as JSON."""
    _require(request)
    return JsonResponse(board.as_json())


def _lines() -> list[LineStats]:
    """The numbers of each line; none while Redis is away."""
    try:
        return stats.all_lines()
    except RedisError:
        return []


def _require(request: HttpRequest) -> None:
    if not may_see_lines(request.user):
        raise PermissionDenied
