"""The site's own words and colours in the pages of the queue, and the addresses of its sockets."""

import logging
import uuid
from typing import Any

from django import template
from django.core.exceptions import ImproperlyConfigured
from django.http import HttpRequest
from django.template.base import VariableDoesNotExist
from django.template.context import Context

from queueing.conf import site
from queueing.exceptions import StorageError
from queueing.logs import about
from queueing.models.entry import Entry
from queueing.models.trouble import Trouble, trouble_of
from queueing.web.visitor import Visitor

logger = logging.getLogger("queueing")

register = template.Library()


def request_of(context: Context, tag: str) -> HttpRequest:
    """The request of the page. Raises ImproperlyConfigured where the template does not get it."""
    if "request" in context:
        request: HttpRequest = context["request"]
        return request
    raise ImproperlyConfigured(
        f"{{% {tag} %}} needs the request. Write render(request, …), and have "
        '"django.template.context_processors.request" among the "context_processors" of TEMPLATES.'
    )


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
def queue_card(entry: Entry | uuid.UUID | str | None) -> dict[str, Any]:
    """The place of an entry, or of its code, in a page of one's own: a frame that keeps the place while open.

    Strangers see nothing in it. Without an entry there is no frame: a visitor of that page need not have one.
    Raises ImproperlyConfigured for anything else, such as a list of entries.
    """
    if entry is None or entry == "":  # as an unknown variable is
        return {"code": None}
    try:
        return {"code": entry.code if isinstance(entry, Entry) else uuid.UUID(str(entry))}
    except ValueError:
        raise ImproperlyConfigured(
            f"{{% queue_card %}} takes one entry or its code, not {entry!r} ({type(entry).__name__}). For several: "
            "{% for entry in places %}{% queue_card entry %}{% endfor %}"
        ) from None


@register.simple_tag(takes_context=True)
def queue_places(context: Context) -> list[Entry]:
    """The places that the visitor of this page holds now, oldest first; for `queue_card`."""
    return Visitor.of_request(request_of(context, "queue_places")).places()


@register.simple_tag(takes_context=True)
def queue_result(context: Context) -> str:
    """The partial of a result. One that cannot be shown is our fault: the visitor still gets the data and the files.

    Raises the errors of a database or storage that is away, of which the whole page tells.
    """
    entry, name = context["entry"], context["task"].result_template
    try:
        return _rendered(context, name)
    except Exception as error:
        if isinstance(error, StorageError) or trouble_of(error) == Trouble.AWAY:
            raise
        fault = f"{name}: {type(error).__name__}: {_words(error)}"
        sentence, more = "entry %s: its result cannot be shown: %s", about(entry, event="error")
        logger.error(sentence, entry.code, fault, extra=more)  # noqa: TRY400  # the traceback is Django's own alone
        with context.push(fault=fault):
            return _rendered(context, "queueing/unshown.html")


def _words(error: Exception) -> str:
    """The error in one line. Django's own about a variable would quote all of the page's context."""
    if isinstance(error, VariableDoesNotExist):
        return f"no {error.params[0]!r} is known where it is used"
    return " ".join(str(error).split())[:300]


def _rendered(context: Context, name: str) -> str:
    """As {% include %} does."""
    assert context.template is not None  # of the page, or of its partial
    with context.push():
        return str(context.template.engine.get_template(name).render(context))


@register.simple_tag
def queue_socket(code: uuid.UUID) -> str:
    """The address of an entry's socket."""
    return f"/{site.SOCKET_PREFIX}entry/{code}/"
