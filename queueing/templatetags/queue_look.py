"""The site's own words and colours in the pages of the queue, and the addresses of its sockets."""

import uuid
from typing import Any

from django import template

from queueing.conf import site

register = template.Library()


@register.simple_tag
def queue_brand() -> str:
    """The name of the site."""
    return site.BRAND


@register.simple_tag
def queue_footer() -> str:
    """The sentence below each page."""
    return site.FOOTER


@register.simple_tag
def queue_stylesheet() -> str:
    """The name of the static file with the site's own colours; empty without one."""
    return site.STYLESHEET


@register.inclusion_tag("queueing/card.html")
def queue_card(code: uuid.UUID | str) -> dict[str, Any]:
    """The place of an entry in a page of one's own: a frame with the entry's page, which keeps the place while open.

    Strangers see nothing in it.
    """
    return {"code": code}


@register.simple_tag
def queue_socket(code: uuid.UUID) -> str:
    """The address of an entry's socket."""
    return f"/{site.SOCKET_PREFIX}entry/{code}/"
