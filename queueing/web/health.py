"""Health checks and metrics, for machines: alive, ready, metrics."""

import hmac

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.log import log_response
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from queueing import serving
from queueing.conf import site
from queueing.facts import Facts
from queueing.line.clients import RedisError
from queueing.line.servers import are_several
from queueing.line.workers import suspensions
from queueing.models import Line
from queueing.models.trouble import DATABASE_ERRORS
from queueing.web import readiness
from queueing.web.metrics import SiteCollector
from queueing.web.visitor import may_see_lines

AWAY = "away"


@require_safe
@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer 200: this process lives. 503: it was told to end, so it should get no more requests."""
    if serving.is_ending():
        return HttpResponse("ending\n", status=503, content_type="text/plain")
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """The parts of `readiness.look`, and the states of the lines."""
    parts = readiness.look()
    lacking = [name for name, is_there in parts.items() if not is_there]
    response = JsonResponse(parts | {"lines": _states()}, status=503 if lacking else 200)
    if lacking:  # in place of Django's own line, which has the status alone
        what = f"{response.reason_phrase} (without {', '.join(lacking)})"
        log_response("%s: %s", what, request.path, response=response, request=request)
    return response


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, for staff or with METRICS_TOKEN as a bearer token.

    While Redis or the database is away, the numbers that come from there are missing, and `queueing_ready` says why.
    """
    if not (_has_token(request) or may_see_lines(request.user)):
        raise Http404
    registry = CollectorRegistry()
    registry.register(SiteCollector())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _has_token(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    is_same = hmac.compare_digest(given.strip().encode(), site.METRICS_TOKEN.encode())
    return bool(site.METRICS_TOKEN) and scheme.lower() == "bearer" and is_same


def _states() -> dict[str, str]:
    """The state of each line, by its row. A line that staff have closed or paused is no fault of the site.

    "away": its own Redis is away or comes back, and the other lines go on.
    """
    try:
        suspended = suspensions()
    except RedisError:
        suspended = {}
    away = readiness.away() if are_several() else []
    try:
        lines = {queue: Line.of(queue).levers for queue in settings.QUEUEING_TASKS}
    except DATABASE_ERRORS:
        return dict.fromkeys(away, AWAY)
    states = {queue: Facts(levers=said, suspended=suspended.get(queue, False)).state for queue, said in lines.items()}
    return {queue: AWAY if queue in away else str(state) for queue, state in states.items()}
