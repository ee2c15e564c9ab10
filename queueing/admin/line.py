"""The page of one line: how it is now, its entries in order, its workers, and its past as charts."""

import csv
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import conditional_escape
from django.views.decorators.http import require_safe

from queueing.admin import board, living, past, workers
from queueing.admin.base import Cell, clock, live_rows
from queueing.line.clients import RedisError
from queueing.models import Line
from queueing.registry import get_task
from queueing.roles import LOOK
from queueing.web import audit
from queueing.web.address import address_of_request
from queueing.web.visitor import may, may_see_lines


@require_safe
def page(request: HttpRequest, name: str) -> HttpResponse:
    """The page. A look at the entries of a line is logged."""
    key = _asked(request, name)
    if may(request.user, LOOK):
        audit.staff_looks(request.user, address_of_request(request), "line")
    context = admin.site.each_context(request) | _now(request, name) | past.context(name, key)
    return TemplateResponse(
        request, "admin/queueing/line.html", context | {"title": f"{get_task(name).title} ({name})"}
    )


@require_safe
def now(request: HttpRequest, name: str) -> HttpResponse:
    """The parts of the page that live, as JSON."""
    _asked(request, name)
    if may(request.user, LOOK):
        audit.staff_looks(request.user, address_of_request(request), "line")
    found = _now(request, name)
    parts = board.parts({name: {cell.name: cell.text for cell in found["cells"]}}) | {board.NOTICES: found["notices"]}
    if found["stretch"]:
        parts |= live_rows("line", found["stretch"].rows, columns=living.COLUMNS, none=found["nobody"])
    parts |= live_rows("workers", found["workers"], columns=workers.FEW, none=workers.NONE)
    parts["sentence"] = conditional_escape(found["told"])
    return JsonResponse({"parts": {} if found["away"] else parts, "away": found["away"], "at": clock()})


@require_safe
def its_past(request: HttpRequest, name: str) -> HttpResponse:
    """The past as JSON: the charts with their tables, the reasons and the marks."""
    key = _asked(request, name)
    return JsonResponse({"parts": past.parts(name, key), "away": False, "at": clock()})


@require_safe
def numbers(request: HttpRequest, name: str) -> HttpResponse:
    """The numbers of the charts and more as CSV, one row a span; unknown ones are empty."""
    key = _asked(request, name)
    response = HttpResponse(content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}-{key}.csv"'
    rows = past.rows(name, key)
    writer = csv.DictWriter(response, rows[0])
    writer.writeheader()
    writer.writerows(rows)
    return response


def _asked(request: HttpRequest, name: str) -> str:
    """The period that is asked for."""
    if not may_see_lines(request.user):
        raise PermissionDenied
    key = request.GET.get("period", "hour")
    if name not in settings.QUEUEING_TASKS or key not in past.PERIODS:
        raise Http404
    return key


def _now(request: HttpRequest, queue: str) -> dict[str, Any]:
    """The line as it is now. While Redis is away, the entries are those of the rows, without their presence."""
    may_look, term = may(request.user, LOOK), request.GET.get("q", "").strip()
    stretch = living.stretch(queue, _page_asked(request), term) if may_look else None
    try:
        texts, desks = board.now_of([queue])[queue], workers.rows(queue, workers.FEW, may_look=may_look)
        notices, away = board.notices(), False
    except RedisError:
        texts, desks, notices, away = dict.fromkeys(board.NOW, board.UNKNOWN), [], "", True
    row = Line.objects.filter(queue=queue).first()
    return {
        "queue": queue,
        "row": row,
        "told": f"All who wait read: “{row.sentence}”" if row and row.sentence else "",
        "cells": _cells(queue, texts, may_look=may_look),
        "stretch": stretch,
        "columns": living.COLUMNS,
        "nobody": f"Nobody who waits has “{term}”." if term else "Nobody waits.",
        "workers": desks,
        "worker_columns": workers.FEW,
        "no_worker": board.UNKNOWN if away else workers.NONE,
        "notices": notices,
        "away": away,
        "at": clock(),
        "term": term,
        "live": f"{reverse('admin:queueing_line_now', args=[queue])}?{request.GET.urlencode()}",
        "earlier": _page_url(request, stretch.page - 1) if stretch and stretch.page > 1 else "",
        "later": _page_url(request, stretch.page + 1) if stretch and stretch.has_more else "",
    }


def _cells(queue: str, texts: dict[str, str], *, may_look: bool) -> list[Cell]:
    links = board.urls(queue, may_look=may_look)
    return [Cell(name, label, texts[name], links.get(name, "")) for name, label in board.NOW.items()]


def _page_asked(request: HttpRequest) -> int:
    number = request.GET.get("p", "")
    return int(number) if number.isdecimal() and len(number) < 9 else 1


def _page_url(request: HttpRequest, number: int) -> str:
    query = {name: value for name, value in request.GET.items() if name != "p"} | {"p": str(number)}
    return f"?{urlencode(query)}#line"
