"""The page of the lines: the board in full, and what staff have set beside the state of a line."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.admin.utils import label_for_field
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format

from queueing.admin import board
from queueing.models import Line
from queueing.models.line import LIMITS
from queueing.web.visitor import may_see_lines


def page(request: HttpRequest, site: Any) -> HttpResponse:
    """The lines."""
    _require(request)
    context = site.each_context(request) | {"title": "Lines", "said": _said(), "opts": Line._meta}
    return TemplateResponse(request, "admin/queueing/lines.html", context)


def now(request: HttpRequest) -> HttpResponse:
    """The board, as JSON."""
    _require(request)
    return JsonResponse(board.as_json(request.GET.get("have", ""), is_full="full" in request.GET))


def _said() -> list[tuple[Line, list[str]]]:
    """The lines with sentences and limits, in words."""
    lines = Line.objects.filter(queue__in=settings.QUEUEING_TASKS)
    return [(line, words) for line in lines if (words := list(_words(line)))]


def _words(line: Line) -> Iterator[str]:
    if line.sentence:
        yield f"“{line.sentence}”"
    if line.opens_at:
        yield f"opens at {date_format(timezone.localtime(line.opens_at), 'DATETIME_FORMAT')}"
    if line.emptied_at:
        yield f"empty since {date_format(timezone.localtime(line.emptied_at), 'DATETIME_FORMAT')}"
    for name in LIMITS:
        if (limit := getattr(line, name)) is not None:
            yield f"{label_for_field(name, Line)}: {limit}"


def _require(request: HttpRequest) -> None:
    if not may_see_lines(request.user):
        raise PermissionDenied
