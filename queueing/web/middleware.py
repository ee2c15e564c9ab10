"""Middleware, and the page for errors: what a request does when Redis or the database is away."""

import logging
import sys
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.views import defaults

from queueing.line.allowance import allow_waiting
from queueing.models.trouble import Trouble, trouble_of
from queueing.web.guards import guards

logger = logging.getLogger("queueing")

View = Callable[[HttpRequest], HttpResponse]

RETRY_AFTER = 5  # seconds


def guard(view: View) -> View:
    """Every answer gets the headers of `guards`, unless it has them: a static file, a redirect, an error as well.

    The first middleware of all: an error of another one is an answer only here.
    """

    def guarded(request: HttpRequest) -> HttpResponse:
        response = view(request)
        for name, value in guards().items():
            response.headers.setdefault(name, value)
        return response

    return guarded


def limit_redis(view: View) -> View:
    """Each request may wait for Redis for REDIS_ALLOWANCE in all; then its page says that the queue is away."""

    def limited(request: HttpRequest) -> HttpResponse:
        with allow_waiting(settings.REDIS_ALLOWANCE):
            return view(request)

    return limited


class DatabaseAway:
    """Answers 503 when the database is away from a view, or has no connection left for it."""

    def __init__(self, view: View) -> None:
        self.view = view

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.view(request)

    def process_exception(self, _request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Django calls this with an exception of the view."""
        return _unavailable(exception) if trouble_of(exception) == Trouble.AWAY else None


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: the answer to an error that no middleware has answered, such as one of a middleware itself.

    The session is written after the view, so its error never comes to `DatabaseAway`.
    """
    error = sys.exception()
    if isinstance(error, Exception) and trouble_of(error) == Trouble.AWAY:
        return _unavailable(error)
    return defaults.server_error(request)


def _unavailable(error: Exception) -> HttpResponse:
    logger.warning("The database is away: %s", error, exc_info=error)
    return HttpResponse(render_to_string("503.html"), status=503, headers={"Retry-After": str(RETRY_AFTER)})
