"""Health checks and metrics, for machines: alive, ready, metrics."""

import hmac
from collections.abc import Callable

from django.conf import settings
from django.db import connection as database
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from queueing import budget
from queueing.exceptions import RedisAway
from queueing.facts import Facts
from queueing.line import levers
from queueing.line.clients import RedisError, connection
from queueing.line.epoch import read_epoch
from queueing.line.signs import is_keeper_alive, takes_writes
from queueing.line.workers import are_suspended, live_workers
from queueing.models import Line
from queueing.models.trouble import DATABASE_ERRORS
from queueing.readiness import folders, has_static_files, is_writable, missing_migrations
from queueing.web.metrics import LineCollector, StorageCollector
from queueing.web.visitor import may_see_lines

_is_migrated = False


@require_safe
@never_cache
def healthz(_request: HttpRequest) -> HttpResponse:
    """Answer 200: this process lives."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(_request: HttpRequest) -> HttpResponse:
    """The database and its tables, Redis, the keeper, the places after a flush, a worker for each line, room on the
    disk and the right to write there, and the static files.
    """
    checks = {
        "database": _database,
        "migrations": _migrations,
        "redis": _redis,
        "keeper": is_keeper_alive,
        "places": _places,
        "workers": _workers,
        "storage": _storage,
        "static": has_static_files,
    }
    parts = {name: _try(check) for name, check in checks.items()}
    return JsonResponse(parts | {"lines": _states()}, status=200 if all(parts.values()) else 503)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Prometheus' text format, for staff or with METRICS_TOKEN as a bearer token."""
    if not (_has_token(request) or may_see_lines(request.user)):
        raise Http404
    registry = CollectorRegistry()
    registry.register(LineCollector())
    registry.register(StorageCollector())
    try:
        text = generate_latest(registry)
    except RedisError:
        away = HttpResponse("Redis is away.\n", content_type="text/plain", status=503)
        away["Retry-After"] = str(RedisAway.retry_after)
        return away
    return HttpResponse(text, content_type=CONTENT_TYPE_LATEST)


def _has_token(request: HttpRequest) -> bool:
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    is_same = hmac.compare_digest(given.strip().encode(), settings.METRICS_TOKEN.encode())
    return bool(settings.METRICS_TOKEN) and scheme.lower() == "bearer" and is_same


def _try(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except (*DATABASE_ERRORS, RedisError, OSError):
        return False


def _database() -> bool:
    with database.cursor() as cursor:
        cursor.execute("SELECT 1")
    return True


def _migrations() -> bool:
    """True if the database has all tables. What has been true stays so: nobody takes migrations back under a site."""
    global _is_migrated  # noqa: PLW0603  # a process has one database
    _is_migrated = _is_migrated or not missing_migrations()
    return _is_migrated


def _storage() -> bool:
    return budget.has_room() and all(is_writable(folder) for _, folder in folders())


def _redis() -> bool:
    return takes_writes(connection())


def _places() -> bool:
    """False between a flush and the moment at which the keeper has given all rows their places back."""
    return all(read_epoch(connection(), queue) for queue in settings.QUEUEING_TASKS)


def _workers() -> bool:
    """A line that staff have paused needs no worker."""
    if are_suspended():
        return False
    return all(live_workers(queue) or levers.read(connection(), queue).is_paused for queue in settings.QUEUEING_TASKS)


def _states() -> dict[str, str]:
    """The state of each line, by its row. A line that staff have closed or paused is no fault of the site."""
    suspended = _try(are_suspended)
    try:
        lines = {queue: Line.of(queue).levers for queue in settings.QUEUEING_TASKS}
    except DATABASE_ERRORS:
        return {}
    return {queue: str(Facts(levers=said, suspended=suspended).state) for queue, said in lines.items()}
