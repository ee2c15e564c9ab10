"""The rules for the body of a request: whether it is taken, and how long it may be. They need its headers only.

The rules take an ASGI scope, so that any server can ask them; `queueing/web/channel.py` does under daphne, and
`queueing/web/body_limits.py` under every other server. A request without a body is none of their business.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.conf import settings
from django.http import Http404, parse_cookie
from django.http.request import split_domain_port
from django.urls import resolve, reverse

from queueing.conf import conf
from queueing.sizes import readable_size
from queueing.web import uploads
from queueing.web.address import address_of_scope, network_key
from queueing.web.origin import is_accepted, is_allowed
from queueing.web.paths import below_root, path_of
from queueing.web.refusals import (
    BAD_REQUEST,
    FOREIGN,
    NO_COOKIE,
    NO_ROOM,
    NOT_ALLOWED_HOST,
    NOT_FOUND,
    Refusal,
    method_not_allowed,
    too_large,
)
from queueing.web.uploads import COPIES, SLACK

SMALL = 64 * 1024  # bytes of a body, unless the view says otherwise
SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})  # methods without a body

type View = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Permit:
    """A body may come: at most `limit` bytes. Its room is held until the ticket is released."""

    limit: int
    size: int  # bytes that it holds room for: what it has declared, or the limit
    ticket: uploads.Ticket
    refusal: Refusal  # for the body that turns out to be longer


def takes_file(limit: Callable[..., int]) -> Callable[[View], View]:
    """Decorator of a view whose form has a file; `limit` gets the arguments of the URL and returns bytes."""

    def mark(view: View) -> View:
        view.limit_of_file = limit  # type: ignore[attr-defined]
        return view

    return mark


def has_body(scope: Any) -> bool:
    """True if the headers announce a body."""
    return any(
        (name == b"content-length" and value.strip() != b"0") or name == b"transfer-encoding"
        for name, value in scope["headers"]
    )


def declared_size(scope: Any) -> int | None:
    """Content-Length; None for a body that comes in chunks. Raises ValueError for a length that is no number."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            if not value.isdigit() or len(value) > 18:
                raise ValueError(value)
            return int(value)
    return None


@cache
def pages() -> str:
    """The path below which a site has the pages of the queue: where it includes `queueing.web.urls`."""
    return below_root(reverse("queueing:home"))


def judge(scope: Any) -> Permit | Refusal:
    """The permit for this request, which has a body, or its refusal."""
    try:
        size = declared_size(scope)
        if not path_of(scope).startswith(pages()):
            return _of_the_site(scope, size)
        view, kwargs = _view(scope)
        limit = _limit(view, kwargs)
    except ValueError:
        return BAD_REQUEST
    except Http404:
        return NOT_FOUND
    if refusal := _refusal(scope, view):
        return refusal
    if scope["method"] in SAFE:
        return too_large("This page takes nothing.")
    refusal = too_large(_sentence(limit))
    if size is not None and size > limit:
        return refusal
    size = limit if size is None else size
    ticket = _reserve(network_key(address_of_scope(scope)), size, limit)
    return NO_ROOM if ticket is None else Permit(limit, size, ticket, refusal)


def _of_the_site(scope: Any, size: int | None) -> Permit | Refusal:
    """A body for a page of the site around the queue: its own rules hold. Here it only needs room, and has to move."""
    most = conf.UPLOADS_BYTES // COPIES  # which a single body may have
    limit = min(conf.MAX_UPLOAD_BYTES, most) if size is None else size
    refusal = too_large("This is too long.")
    if limit > most:
        return refusal
    ticket = _reserve(network_key(address_of_scope(scope)), limit, limit)
    return NO_ROOM if ticket is None else Permit(limit, limit, ticket, refusal)


def _reserve(address: str, size: int, limit: int) -> uploads.Ticket | None:
    """Room for a body of this size on a page with this limit. None if there is not enough."""
    if limit <= SMALL:
        return uploads.small.reserve(address, size)
    room = uploads.medium if size <= uploads.MEDIUM else uploads.large
    return room.reserve(address, COPIES * size)


def methods_of(view: View) -> frozenset[str] | None:
    """The methods that a view's decorator (`require_POST` and the like) lets through; None if it has none."""
    inner: Any = view
    while inner is not None:
        code = getattr(inner, "__code__", None)
        if code is not None and "request_method_list" in code.co_freevars:
            cell = inner.__closure__[code.co_freevars.index("request_method_list")]
            return frozenset(cell.cell_contents)
        inner = getattr(inner, "__wrapped__", None)
    return None


def _view(scope: Any) -> tuple[View, dict[str, Any]]:
    """The view of this path, and its arguments. Raises Http404."""
    match = resolve(path_of(scope))
    return match.func, match.kwargs


def _limit(view: View, kwargs: dict[str, Any]) -> int:
    """Bytes of a body. Raises Http404 for a form that does not exist."""
    limit: Callable[..., int] | None = getattr(view, "limit_of_file", None)
    return SMALL if limit is None else limit(**kwargs) + SLACK


def _refusal(scope: Any, view: View) -> Refusal | None:
    """The refusal that needs no look at the size, in the order of Django's own checks."""
    if not _is_allowed_host(scope):
        return NOT_ALLOWED_HOST
    methods = methods_of(view)
    if methods is not None and scope["method"] not in methods:
        return method_not_allowed(methods)
    # A view that takes a file looks at its length first, and asks for the token after that.
    asks_for_token = not getattr(view, "csrf_exempt", False) or hasattr(view, "limit_of_file")
    if scope["method"] in SAFE or not asks_for_token:
        return None
    has_origin = any(name == b"origin" for name, _ in scope["headers"])
    if has_origin and not is_accepted(scope):
        return FOREIGN
    return None if _has_csrf_cookie(scope) else NO_COOKIE


def _is_allowed_host(scope: Any) -> bool:
    host = b"".join(value for name, value in scope["headers"] if name == b"host").decode("latin-1")
    domain, _ = split_domain_port(host)
    return is_allowed(domain)


def _has_csrf_cookie(scope: Any) -> bool:
    """A form without this cookie is refused whatever its body says."""
    if settings.CSRF_USE_SESSIONS:
        return True
    cookies = b"; ".join(value for name, value in scope["headers"] if name == b"cookie").decode("latin-1")
    return settings.CSRF_COOKIE_NAME in parse_cookie(cookies)


def _sentence(limit: int) -> str:
    if limit <= SMALL:
        return "This form takes no file."
    if limit <= SLACK:
        return "This form is too long."
    return f"This file is too large; the limit is {readable_size(limit - SLACK)}."
