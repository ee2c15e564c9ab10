"""System checks: what must hold between settings, so that a wrong value is found at start."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.exceptions import ImproperlyConfigured

from queueing.conf import Conf, check_all, conf
from queueing.line.clients import RedisError, connection
from queueing.line.keys import has_usual_prefix

# The settings of `budget.py`.
BUDGETS = [field.name for field in fields(Conf) if field.name.startswith(("MAX_BYTES", "MAX_ENTRIES", "MIN_FREE"))]

# id, what must hold, message, hint
RELATIONS: list[tuple[str, Callable[[Conf], bool], str, str]] = [
    (
        "queueing.E001",
        lambda c: c.PRESENCE_TTL >= 3 * c.HEARTBEAT_INTERVAL,
        "PRESENCE_TTL is shorter than three beats.",
        "One late beat must not look like an absence: raise PRESENCE_TTL or lower HEARTBEAT_INTERVAL.",
    ),
    (
        "queueing.E002",
        lambda c: c.CLOSE_GRACE > c.HEARTBEAT_INTERVAL,
        "CLOSE_GRACE is not longer than one beat.",
        "A second tab in another web process needs one beat to speak up.",
    ),
    (
        "queueing.E003",
        lambda c: c.LOST_GRACE >= c.CLOSE_GRACE,
        "LOST_GRACE is shorter than CLOSE_GRACE.",
        "A lost connection must not cost the place sooner than a closed page does.",
    ),
    (
        "queueing.E004",
        lambda c: c.LEASE >= 3,
        "LEASE is shorter than 3 seconds.",
        "A worker renews it at least three times in its life, at whole seconds.",
    ),
    (
        "queueing.E005",
        lambda c: c.KEEP_GRACE >= c.LOST_GRACE,
        "KEEP_GRACE is shorter than LOST_GRACE.",
        "Asking to keep a place must not shorten it.",
    ),
    (
        "queueing.E006",
        lambda c: min(c.MAX_ATTEMPTS, c.MAX_WAITING_PER_VISITOR, c.MAX_LINE, c.MAX_PAGES_PER_ENTRY) >= 1,
        "MAX_ATTEMPTS, MAX_WAITING_PER_VISITOR, MAX_LINE and MAX_PAGES_PER_ENTRY must be at least 1.",
        "To take nobody in for a while, name the line in CLOSED_LINES.",
    ),
    (
        "queueing.E007",
        lambda c: c.POLL_TTL > 10,
        "POLL_TTL is not longer than the refresh of a page without JavaScript (10 s).",
        "Such a page would be absent between two refreshes.",
    ),
    (
        "queueing.E008",
        lambda c: (
            min(c.HEARTBEAT_INTERVAL, c.KEEPER_INTERVAL, c.RESULT_TTL) > 0
            and min(c.REDIS_PATIENCE, c.DEAF_GRACE, c.INPUT_TTL) >= 0
        ),
        "A duration is not above zero.",
        "HEARTBEAT_INTERVAL, KEEPER_INTERVAL and RESULT_TTL must be. The others may be 0.",
    ),
    (
        "queueing.E020",
        lambda c: min(getattr(c, name) for name in BUDGETS) >= 0,
        "A budget is below zero.",
        f"0 means no limit: {', '.join(BUDGETS)}.",
    ),
]


@register("queueing")
def check_relations(**_: Any) -> list[CheckMessage]:
    """Unknown names, wrong types, and relations between the settings."""
    try:
        check_all(settings.QUEUEING)
        return [Error(message, hint=hint, id=id_) for id_, holds, message, hint in RELATIONS if not holds(conf)]
    except ImproperlyConfigured as error:
        return [Error(str(error), id="queueing.E000")]


@register("queueing")
def check_prefix(**_: Any) -> list[CheckMessage]:
    """RQ takes another prefix for its keys from the environment; the scripts know only its usual one."""
    if has_usual_prefix():
        return []
    return [
        Error("RQ_KEY_PREFIX is set.", hint="The scripts of the line read RQ's keys: unset it.", id="queueing.E009")
    ]


@register("queueing", deploy=True)
def check_eviction(**_: Any) -> list[CheckMessage]:
    """Every other policy deletes presence keys and jobs first when memory runs short."""
    try:
        policy = connection().config_get("maxmemory-policy").get("maxmemory-policy")
    except RedisError:
        return []  # not reachable from where the check runs, or CONFIG is not allowed
    if policy in (None, "noeviction", b"noeviction"):
        return []
    return [
        Warning(
            f"Redis evicts keys ({policy}) when its memory is full.",
            hint="Set maxmemory-policy noeviction: an evicted presence key looks like a visitor who left.",
            id="queueing.W001",
        )
    ]
