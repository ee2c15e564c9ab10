"""Checks of what browsers and proxies meet: hosts, addresses, sockets, the style sheet, the frame of all pages.

A wrong one breaks every page, or none that its developer opens, and no error names it.
"""

import re
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured, SuspiciousFileOperation
from django.http import HttpRequest
from django.template import TemplateDoesNotExist, TemplateSyntaxError, engines
from django.template.backends.django import DjangoTemplates
from django.template.loader import get_template
from django.templatetags.static import static
from django.utils.html import conditional_escape

from queueing.checks import templates
from queueing.conf import site
from queueing.web.address import network

MORE_THAN_A_HOST = re.compile(r"^[a-z+.-]+://|/|(?<=[^:\]]):\d+$|(?<=\]):\d+$", re.IGNORECASE)
BASE = "queueing/base.html"  # all pages extend it
# The blocks that the pages fill, each as it stands in the file of this project.
BLOCKS = {
    "title": "<title>{% block title %}{% endblock %}</title>",
    "head": "{% block head %}{% endblock %} at the end of <head>",
    "width": '<main id="main" class="{% block width %}narrow{% endblock %}" tabindex="-1">',
    "content": "{% block content %}{% endblock %} in <main>",
}
# Of what each page shows beside the blocks: the part, and the line to write into a base of the site's own.
STYLE = """<link rel="stylesheet" href="{% static 'queueing/style.css' %}"> before {% block head %}, not inside of it"""
MAIN = """<main id="main" class="{% block width %}narrow{% endblock %}" tabindex="-1">"""
LOOK = (
    "{% load queue_look static %}{% queue_stylesheet as look %}"
    """{% if look %}<link rel="stylesheet" href="{% static look %}">{% endif %}"""
)
FOOTER = "{% load queue_look %}{% queue_footer %}"
EMPTIED = "{% extends '" + BASE + "' %}{% block head %}{% endblock %}{% block content %}{% endblock %}"  # as a page may
HEADER = re.compile(r"[A-Za-z0-9-]+")


@register("queueing")
def check_hosts(**_: Any) -> list[CheckMessage]:
    """Django compares the host alone, so a pattern with a scheme, a port or a path fits no request: each is a 400."""
    return [
        Error(
            f"ALLOWED_HOSTS has {pattern!r}, which no request's host equals.",
            hint=f"Name the host alone: {re.sub(MORE_THAN_A_HOST, '', pattern)!r}",
            id="queueing.E106",
        )
        for pattern in settings.ALLOWED_HOSTS
        if MORE_THAN_A_HOST.search(pattern)
    ]


@register("queueing")
def check_proxies(**_: Any) -> list[CheckMessage]:
    """A proxy's name says nothing about the address of a connection; its comparison would break every page."""
    found = [
        Error(
            f"TRUSTED_PROXIES has {name!r}, which is no address and no network.",
            hint="Name addresses, as in TRUSTED_PROXIES = ['10.0.0.2', '172.16.0.0/12']",
            id="queueing.E107",
        )
        for name in site.TRUSTED_PROXIES
        if not _is_network(name)
    ]
    header = site.CLIENT_ADDRESS_HEADER
    if HEADER.fullmatch(header):
        return [*found]
    meant = header.removeprefix("HTTP_").replace("_", "-").title()
    return [
        *found,
        Error(
            f"CLIENT_ADDRESS_HEADER is {header!r}, which is no name of a header.",
            hint=f"Write it as the proxy sends it: {meant!r}",
            id="queueing.E108",
        ),
    ]


@register("queueing", deploy=True)
def check_named_proxies(**_: Any) -> list[CheckMessage]:
    """Nearly every site in production has a proxy. Unnamed, it breaks nothing, but each limit is shared."""
    if settings.DEBUG or site.TRUSTED_PROXIES:
        return []
    return [
        Warning(
            "TRUSTED_PROXIES is empty: behind a proxy, all visitors count as its address and share the limits of one.",
            hint="Name the proxy, as in TRUSTED_PROXIES=127.0.0.1 for one on this machine. Without a proxy, name "
            "queueing.W140 in SILENCED_SYSTEM_CHECKS.",
            id="queueing.W140",
        )
    ]


@register("queueing", deploy=True)
def check_http(**_: Any) -> list[CheckMessage]:
    """Over http a browser keeps the cookies back that are for https alone, and no form works without its own."""
    if settings.SECURE_SSL_REDIRECT or not settings.CSRF_COOKIE_SECURE:
        return []
    return [
        Warning(
            "Over http pages open and each form is refused: its cookie is for https alone, and SECURE_SSL_REDIRECT is "
            "off.",
            hint="For a site without https, SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = False (SECURE_COOKIES=0). "
            "Where a proxy leads http to https, name queueing.W142 in SILENCED_SYSTEM_CHECKS.",
            id="queueing.W142",
        )
    ]


@register("queueing")
def check_socket_prefix(**_: Any) -> list[CheckMessage]:
    """With another form of it, pages ask for sockets at an address that nothing serves."""
    prefix = site.SOCKET_PREFIX
    if prefix.endswith("/") and not prefix.startswith("/"):
        return []
    return [
        Error(
            f"SOCKET_PREFIX is {prefix!r}; it begins without a slash, and ends with one.",
            hint=f'Paste into QUEUEING: "SOCKET_PREFIX": "{prefix.strip("/") or "ws"}/"',
            id="queueing.E109",
        )
    ]


@register("queueing")
def check_stylesheet(**_: Any) -> list[CheckMessage]:
    """A missing style sheet is a 404 in development, and a 500 of every page where static files have a manifest."""
    name = site.STYLESHEET
    if not name or not apps.is_installed("django.contrib.staticfiles") or _is_static_file(name):
        return []
    return [
        Error(
            f"STYLESHEET is {name!r}, and there is no static file of this name.",
            hint="Name it as {% static %} does: 'shop/queue.css' for shop/static/shop/queue.css",
            id="queueing.E110",
        )
    ]


@register("queueing")
def check_base(**_: Any) -> list[CheckMessage]:
    """Django drops what fills a block that is not there: a page without its content, or without its scripts."""
    try:
        known = templates.blocks(BASE)
    except (TemplateDoesNotExist, TemplateSyntaxError) as error:
        # Ours is not found where no engine looks into apps, which E080 says of the results, and in a source tree, where
        # the templates are beside the package.
        if str(error) == BASE:
            return []
        sentence = f"{BASE}, which all pages extend, cannot be used: {type(error).__name__} ({error})."
        return [Error(sentence, hint="Correct it, or the template that it extends.", id="queueing.E126")]
    if known is None or not (lacking := [name for name in BLOCKS if name not in known]):
        return []
    origin: Any = getattr(get_template(BASE), "origin", None)
    return [
        Error(
            f"{origin} lacks {_blocks(lacking)}, which the pages of the queue fill.",
            hint=f"Write into it, or into what it extends: {'; '.join(BLOCKS[name] for name in lacking)}",
            id="queueing.E126",
        )
    ]


@register("queueing")
def check_shown(**_: Any) -> list[CheckMessage]:
    """A base of the site's own may lack what ours has around the blocks. It is rendered: a block may be anywhere."""
    try:
        page = _engine().from_string(EMPTIED).render({}, HttpRequest())
        lacking = [(what, line) for what, part, line in _wanted() if not re.search(part, page)]
    except Exception:  # noqa: BLE001  # it may need a session or the database; and `check_base` tells of its own faults
        return []
    origin: Any = getattr(get_template(BASE), "origin", None)
    return [
        Warning(f"{origin} does not show {what}.", hint=f"Write into it: {line}", id="queueing.W118")
        for what, line in lacking
    ]


def _wanted() -> Iterator[tuple[str, str, str]]:
    """The parts that each page is to show: in words, as a pattern of the page, and as a line of the template."""
    yield "the style sheet of the queue", re.escape(static("queueing/style.css")), STYLE
    yield 'an element with id="main", which the scripts replace', """\\bid=["']?main\\b""", MAIN
    if site.STYLESHEET:
        yield (
            f"your STYLESHEET, {site.STYLESHEET!r}",
            re.escape(static(site.STYLESHEET)),
            f"{{% load queue_look static %}}{LOOK}",
        )
    if settings.QUEUEING.get("FOOTER"):
        yield "your FOOTER", re.escape(conditional_escape(site.FOOTER)), FOOTER


def _engine() -> DjangoTemplates:
    return next(engine for engine in engines.all() if isinstance(engine, DjangoTemplates))


def _blocks(names: list[str]) -> str:
    """ "the block title", or "the blocks title and width"."""
    *others, last = names
    return f"the blocks {', '.join(others)} and {last}" if others else f"the block {last}"


def _is_network(name: str) -> bool:
    try:
        network(name)
    except ValueError:
        return False
    return True


def _is_static_file(name: str) -> bool:
    try:
        return bool(finders.find(name)) or staticfiles_storage.exists(name)
    except (SuspiciousFileOperation, ImproperlyConfigured):  # the second one: STATIC_ROOT is not set
        return False
