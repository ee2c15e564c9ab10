"""Middleware, and the page for errors: what a request does when Redis, the database or the storage is away."""

import logging
import secrets
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime

from django.conf import settings
from django.contrib.sessions.exceptions import SessionInterrupted
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.csp import CSP
from django.views import defaults

from queueing.conf import site
from queueing.exceptions import StorageError
from queueing.line import faults
from queueing.line.allowance import allow_waiting
from queueing.line.clients import RedisError
from queueing.models.trouble import Trouble, trouble_of
from queueing.web.guards import guards
from queueing.web.proxies import tell_of_scheme

logger = logging.getLogger("queueing")

View = Callable[[HttpRequest], HttpResponse]

RETRY_AFTER = 5  # seconds
EXPLAINED = (404, 500)  # in development, Django's pages about these have their style and script within themselves
REFERENCE = "X-Reference"  # header of an answer with a fault; the page's script shows it


def guard(view: View) -> View:
    """Every answer gets the headers of `guards`, unless it has them: a static file, a redirect, an error as well.

    The first middleware of all: an error of another one is an answer only here.
    """

    def guarded(request: HttpRequest) -> HttpResponse:
        response = view(request)
        tell_of_scheme(request, response)
        for name, value in guards().items():
            response.headers.setdefault(name, value)
        if settings.DEBUG and response.status_code in EXPLAINED:
            del response.headers[str(CSP.HEADER_ENFORCE)]
        return response

    return guarded


def limit_redis(view: View) -> View:
    """Each request may wait for Redis for REDIS_ALLOWANCE in all; then its page says that the queue is away."""

    def limited(request: HttpRequest) -> HttpResponse:
        with allow_waiting(site.REDIS_ALLOWANCE):
            return view(request)

    return limited


class DatabaseAway:
    """Answers 503 when the database is away from a view, or has no connection left for it; or the storage is."""

    def __init__(self, view: View) -> None:
        self.view = view

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.view(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Django calls this with an exception of the view."""
        if isinstance(exception, StorageError):
            return _unavailable(request, exception, "storage")
        return _unavailable(request, exception) if trouble_of(exception) == Trouble.AWAY else None


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: the answer to an error that no middleware has answered, such as one of a middleware itself.

    The session is written after the view, so its error never comes to `DatabaseAway`.
    """
    error = sys.exception()
    if isinstance(error, Exception) and trouble_of(error) == Trouble.AWAY:
        return _unavailable(request, error)
    return _fault(request, error)


def _fault(request: HttpRequest, error: BaseException | None) -> HttpResponse:
    """The page for a fault of ours, with a reference: Django logs the traceback, and the reference is its last line."""
    reference = secrets.token_hex(4)
    if error is not None:
        error.add_note(f"Reference {reference}")
        _remember(request, error, reference)
    try:
        answer = HttpResponse(render_to_string("queueing/errors/500.html", {"reference": reference}), status=500)
    except Exception:  # noqa: BLE001  # the static files or templates are missing: the fault itself
        answer = defaults.server_error(request, template_name="")
    answer[REFERENCE] = reference
    return answer


def _remember(request: HttpRequest, error: BaseException, reference: str) -> None:
    """For staff who search for the reference. The error's sentence may quote contents: the log alone has it."""
    now = datetime.now(UTC).isoformat(sep=" ", timespec="seconds")
    asked, kind = f"{request.method} {request.path}", type(error).__name__
    with suppress(RedisError):
        faults.note(faults.Fault(reference=reference, at=now, request=asked, error=kind))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400. A session that cannot be saved because the database is away is no fault of the visitor's.

    Django tells that as SessionInterrupted, as if the session had been deleted meanwhile.
    """
    cause: BaseException | None = exception if isinstance(exception, SessionInterrupted) else None
    while cause is not None:
        if isinstance(cause, Exception) and trouble_of(cause) == Trouble.AWAY:
            return _unavailable(request, cause)
        cause = cause.__cause__ or cause.__context__
    return defaults.bad_request(request, exception)


def _unavailable(request: HttpRequest, error: Exception, what: str = "database") -> HttpResponse:
    logger.warning("The %s is away: %s", what, error, exc_info=error)
    page = render_to_string("queueing/errors/503.html", {"what": what, "again": _address_to_try(request)})
    return HttpResponse(page, status=503, headers={"Retry-After": str(RETRY_AFTER)})


def _address_to_try(request: HttpRequest) -> str:
    """The address of the page itself, or of the page that has the form which was sent."""
    if request.method in {"GET", "HEAD"}:
        return request.get_full_path()
    code = request.resolver_match.kwargs.get("code") if request.resolver_match else None
    return reverse("queueing:entry", args=[code]) if code else request.path
