"""Middleware: the limits of a request."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from queueing.line.allowance import allow_waiting

View = Callable[[HttpRequest], HttpResponse]


def limit_redis(view: View) -> View:
    """Each request may wait for Redis for REDIS_ALLOWANCE in all; then its page says that the queue is away."""

    def limited(request: HttpRequest) -> HttpResponse:
        with allow_waiting(settings.REDIS_ALLOWANCE):
            return view(request)

    return limited
