"""Checks of the settings of QUEUEING, and of what must hold between them."""

import sys
from collections.abc import Callable
from dataclasses import fields
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from queueing.checking.pool import name_of
from queueing.checks import forms, methods
from queueing.conf import Conf, check_all, conf
from queueing.line.keys import has_usual_prefix
from queueing.registry import sound_tasks
from queueing.web import brake
from queueing.web.uploads import COPIES, SLACK

BRAKE_METHODS = ("markup", "verify")
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
        "To take nobody in for a while, close the line: manage.py line close.",
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
            and min(c.REDIS_PATIENCE, c.DEAF_GRACE, c.INPUT_TTL, c.MIN_PRESENCE, c.HISTORY_TTL) >= 0
        ),
        "A duration is not above zero.",
        "HEARTBEAT_INTERVAL, KEEPER_INTERVAL and RESULT_TTL must be. The others may be 0.",
    ),
    (
        "queueing.E011",
        lambda c: c.MIN_PRESENCE == 0 or c.MIN_PRESENCE > c.POLL_TTL,
        "MIN_PRESENCE is not longer than POLL_TTL.",
        "One request would count as a page that has been open for so long. Raise it, or set 0 to require nothing.",
    ),
    (
        "queueing.E020",
        lambda c: min(getattr(c, name) for name in BUDGETS) >= 0,
        "A budget is below zero.",
        f"0 means no limit: {', '.join(BUDGETS)}.",
    ),
    (
        "queueing.E030",
        lambda c: (
            c.TASK_MEMORY_BYTES >= 64 * 1024**2
            and min(c.TASK_CPU_SECONDS, c.TASK_DISK_BYTES) >= 1
            and c.TASK_PROCESSES >= 0
        ),
        "TASK_MEMORY_BYTES is below 64 MiB, or another limit of a task is too small.",
        "TASK_CPU_SECONDS and TASK_DISK_BYTES must be at least 1; TASK_PROCESSES may be 0.",
    ),
    (
        "queueing.E040",
        lambda c: c.CHECKERS >= 1 and c.CHECK_SECONDS >= 1 and c.CHECK_MEMORY >= 64 * 1024**2,
        "CHECKERS is below 1, CHECK_SECONDS below 1 second, or CHECK_MEMORY below 64 MiB.",
        "No file could be looked into, so nobody could join.",
    ),
    (
        "queueing.E050",
        lambda c: (
            min(c.ADDRESS_BURST, c.ADDRESS_UNSEEN, c.ADDRESS_IN_ORDER, c.BRAKE_JOINS) >= 1
            and c.ADDRESS_RATE > 0
            and 0 < c.ADDRESS_SHARE <= 1
            and 0 < c.HELD_WEIGHT <= 1
        ),
        "A limit of one address lets nobody in, or a share is not between 0 and 1.",
        "To lift a limit, set a large number; ADDRESS_SHARE and HELD_WEIGHT may be 1.",
    ),
    (
        "queueing.E051",
        lambda c: c.BRAKE in {"on", "off", "auto"} and 1 <= c.BRAKE_BITS <= 28,
        "BRAKE is not on, off or auto, or BRAKE_BITS is not between 1 and 28.",
        "BRAKE may be left out: auto. Each bit doubles the work of a browser: 20 bits take 1 or 2 s, 28 minutes.",
    ),
    (
        "queueing.E060",
        lambda c: (
            min(c.HEADER_SECONDS, c.KEEP_ALIVE_SECONDS, c.STALL_SECONDS, c.TRANSFER_SECONDS) > 0
            and min(c.MIN_RATE, c.MAX_CONNECTIONS_PER_ADDRESS) >= 1
        ),
        "A limit of connections is not above zero.",
        "Raise the one that is 0, or leave it out.",
    ),
    (
        "queueing.E070",
        lambda c: min(c.MAX_PAGES_PER_VISITOR, c.MAX_PAGES_PER_ADDRESS) >= 1,
        "MAX_PAGES_PER_VISITOR and MAX_PAGES_PER_ADDRESS must be at least 1.",
        "With 0, no page has a socket: all of them poll, which costs more.",
    ),
    (
        "queueing.E071",
        lambda c: (
            c.SIGN_IN_ATTEMPTS >= 1 and min(c.SIGN_IN_AGE, c.SIGN_IN_IDLE, c.SIGN_IN_PAUSE, c.RIGHTS_INTERVAL) > 0
        ),
        "A limit on signing in, or RIGHTS_INTERVAL, is not above zero.",
        "Nobody could sign in, or the rights of open pages would be asked without a pause.",
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
def check_media_root(**_: Any) -> list[CheckMessage]:
    """MEDIA_ROOT must not be importable: a program that can name a module could name an upload."""
    folder = Path(settings.MEDIA_ROOT).resolve()
    places = {Path(place or ".").resolve() for place in sys.path}
    if not any(_is_reached(folder, place) for place in places):
        return []
    return [
        Error(
            f"Python can import what lies in MEDIA_ROOT ({folder}).",
            hint="Choose a folder outside of sys.path: uploads must never be modules.",
            id="queueing.E010",
        )
    ]


def _is_reached(folder: Path, place: Path) -> bool:
    """True if an import finds modules in the folder, from this place of `sys.path`."""
    if not folder.is_relative_to(place):
        return False
    names = folder.relative_to(place).parts
    # None: settings keep Python from importing anything below that name.
    is_kept_out = bool(names) and names[0] in sys.modules and sys.modules[names[0]] is None
    return not is_kept_out and not any("." in name for name in names)


@register("queueing")
def check_brake(**_: Any) -> list[CheckMessage]:
    """A class that cannot be imported, or whose methods differ, would be found only when the brake is put on."""
    try:
        found = import_string(conf.BRAKE_CHECK)
    except ImproperlyConfigured:
        return []  # of another setting: `check_relations` says which
    except ImportError as error:
        return [_no_check(str(error))]
    if why := _fault_of_check(found):
        return [_no_check(f"{conf.BRAKE_CHECK}: {why}")]
    return list(methods.misfits(found, brake.Check, BRAKE_METHODS, conf.BRAKE_CHECK))


def _fault_of_check(found: Any) -> str:
    """The reason why the pages cannot make this check; empty: none is known."""
    if not isinstance(found, type):
        return "it is no class"
    if lacking := [name for name in BRAKE_METHODS if not hasattr(found, name)]:
        return f"it has no {' and no '.join(lacking)}"
    return methods.fault_of_method(found, "__init__", 0)


def _no_check(why: str) -> CheckMessage:
    return Error(f"BRAKE_CHECK: {why}", hint="Name a class as in queueing/web/brake.py.", id="queueing.E052")


@register("queueing")
def check_prefix(**_: Any) -> list[CheckMessage]:
    """RQ takes another prefix for its keys from the environment; the scripts know only its usual one."""
    if has_usual_prefix():
        return []
    return [
        Error("RQ_KEY_PREFIX is set.", hint="The scripts of the line read RQ's keys: unset it.", id="queueing.E009")
    ]


@register("queueing")
def check_forms(**_: Any) -> list[CheckMessage]:
    """A checker imports the form of a heavy task by its name."""
    return [
        Error(
            f"{name_of(task.form)}, the form of {task.name!r}, cannot be imported by its name.",
            hint="Put the class at the top of a module: its files are checked in a process of their own.",
            id="queueing.E041",
        )
        for task in sound_tasks().values()
        if not _is_importable(task.form)
    ]


def _is_importable(form: type) -> bool:
    module, _, path = name_of(form).partition(":")
    try:
        return module != "__main__" and attrgetter(path)(import_module(module)) is form
    except (ImportError, AttributeError):
        return False


@register("queueing")
def check_uploads(**_: Any) -> list[CheckMessage]:
    """The largest file of each form must find room."""
    try:
        check_all(settings.QUEUEING)
    except ImproperlyConfigured:
        return []  # see `check_relations`
    needed = {
        name: COPIES * (size + SLACK)
        for name, task in sound_tasks().items()
        if (size := forms.largest_input(task.form)) is not None
    }
    return [
        Error(
            f"UPLOADS_BYTES has no room for the largest file of {name!r}.",
            hint=f"It must be at least {size:,}: a file and a copy of it.",
            id="queueing.E061",
        )
        for name, size in needed.items()
        if size > conf.UPLOADS_BYTES
    ]
