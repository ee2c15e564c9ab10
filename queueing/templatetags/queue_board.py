"""The board of the lines on the admin's start page."""

from typing import Any

from django import template
from django.template.context import Context

from queueing.admin import board
from queueing.templatetags.queue_look import request_of

register = template.Library()


@register.inclusion_tag("admin/queueing/board.html", takes_context=True)
def queue_board(context: Context, *, full: bool = False) -> dict[str, Any]:
    """The board, for staff who may see the lines; else nothing."""
    return board.context(request_of(context, "queue_board").user, is_full=full)
