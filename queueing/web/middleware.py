"""Middleware: what a request does when Redis or the database is away."""

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string

from queueing.line.allowance import allow_waiting

logger = logging.getLogger("queueing")

View = Callable[[HttpRequest], HttpResponse]

RETRY_AFTER = 5  # seconds


def limit_redis(view: View) -> View:
    """Each request may wait for Redis for REDIS_ALLOWANCE in all; then its page says that the queue is away."""

    def limited(request: HttpRequest) -> HttpResponse:
        with allow_waiting(settings.REDIS_ALLOWANCE):
            return view(request)

    return limited


class DatabaseAway:
    """Answers 503 when the database is away, or has no connection left for this request."""

    def __init__(self, view: View) -> None:
        self.view = view

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.view(request)

    def process_exception(self, _request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """Django calls this with an exception of the view."""
        if not isinstance(exception, OperationalError | InterfaceError):
            return None
        logger.warning("The database is away: %s", exception, exc_info=exception)
        return HttpResponse(render_to_string("503.html"), status=503, headers={"Retry-After": str(RETRY_AFTER)})
