"""Checks of what a site around the queue may forget: the lines, an ASGI `runserver`, the options of SQLite."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register
from django.core.management import get_commands, load_command_class
from django.core.management.commands.runserver import Command as DjangoRunserver
from django.db import connection

from queueing.checks.deployed import check_asgi
from queueing.deployment import sqlite_file
from queueing.registry import broken_tasks

PASTE = 'Paste: QUEUEING = {"LINES": {"words": "words.heavy"}, "REDIS_URL": "redis://127.0.0.1:6379/0"}'
NO_SOCKETS, OUR_ASGI = "queueing.W106", "queueing.asgi.application"
SLUG = re.compile(r"[-a-zA-Z0-9_]+")  # as in the addresses of the pages
LEAST_TIMEOUT = 10  # seconds; a purge, or a keeper that recovers a full line, holds SQLite's lock for some of them


@register("queueing")
def check_lines(**_: Any) -> list[CheckMessage]:
    """Without lines there is nothing to join, and workers would have nothing to do."""
    told = settings.QUEUEING.get("LINES", {})
    if not isinstance(told, Mapping):
        return [_no_lines(f'QUEUEING["LINES"] is a dict of queue names and modules, not {told!r}.')]
    if settings.QUEUEING_TASKS:
        return [_unfit_name(name) for name in settings.QUEUEING_TASKS if not SLUG.fullmatch(str(name))]
    names = [name for name in dir(settings) if name.isupper() and name != "QUEUEING"]
    if not settings.QUEUEING and (alike := get_close_matches("QUEUEING", names, 1, cutoff=0.8)):
        return [_no_lines(f"The queue has no lines: there is no setting QUEUEING, but one named {alike[0]}.")]
    return [_no_lines("The queue has no lines.")]


@register("queueing")
def check_loading(**_: Any) -> list[CheckMessage]:
    """A heavy task that cannot be used. The other checks look at tasks only when all of them can."""
    return [Error(sentence, id="queueing.E089") for sentence in broken_tasks()]


@register("queueing")
def check_runserver(**_: Any) -> list[CheckMessage]:
    """Django's own `runserver`, or ASGI application, has no sockets: pages would poll, and nobody would see why."""
    if not settings.DEBUG or NO_SOCKETS in settings.SILENCED_SYSTEM_CHECKS:
        return []
    if not _serves_asgi():
        return [
            Warning(
                "`runserver` is Django's own, which has no sockets: open pages would ask again and again instead.",
                hint='Paste, before "django.contrib.staticfiles": INSTALLED_APPS = ["daphne", *INSTALLED_APPS]',
                id=NO_SOCKETS,
            )
        ]
    if getattr(settings, "ASGI_APPLICATION", None) == OUR_ASGI:  # nothing needs to be imported
        return []
    return [Warning(found.msg, hint=found.hint, id=NO_SOCKETS) for found in check_asgi()]


@register("queueing")
def check_database(**_: Any) -> list[CheckMessage]:
    """An entry is moved and read in one statement, UPDATE … RETURNING, which not every database has."""
    if connection.vendor in {"sqlite", "postgresql"}:
        return []
    engine = connection.settings_dict["ENGINE"]
    return [
        Error(
            f"The queue keeps its entries in PostgreSQL or SQLite, and this site's database is {engine}.",
            hint='Paste: DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": "…"}}',
            id="queueing.E111",
        )
    ]


@register("queueing")
def check_requests(**_: Any) -> list[CheckMessage]:
    """The queue's pages commit step by step: a file is deleted when no row names it any more, and not before."""
    if not connection.settings_dict.get("ATOMIC_REQUESTS"):
        return []
    return [
        Error(
            "ATOMIC_REQUESTS makes one transaction of each request, and those of the queue need several.",
            hint='Paste: DATABASES["default"]["ATOMIC_REQUESTS"] = False; @transaction.atomic is for views of yours.',
            id="queueing.E112",
        )
    ]


@register("queueing")
def check_sqlite(**_: Any) -> list[CheckMessage]:
    """Web, worker and keeper write to one file. Without these options a write fails while another one is going on."""
    told = connection.settings_dict
    if connection.vendor != "sqlite" or sqlite_file(str(told["NAME"])) is None:
        return []
    options = told.get("OPTIONS", {})
    lacking = [
        line
        for is_there, line in (
            (str(options.get("transaction_mode")).upper() == "IMMEDIATE", '"transaction_mode": "IMMEDIATE"'),
            (float(options.get("timeout") or 0) >= LEAST_TIMEOUT, '"timeout": 20'),
            (_is_wal(options), '"init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"'),
        )
        if not is_there
    ]
    if not lacking:
        return []
    return [
        Error(
            "SQLite lacks options by which several processes write to one file.",
            hint=f'Paste: DATABASES["default"].setdefault("OPTIONS", {{}}).update({{{", ".join(lacking)}}})',
            id="queueing.E098",
        )
    ]


def _serves_asgi() -> bool:
    if apps.is_installed("daphne"):  # its own check looks at the order
        return True
    command = load_command_class(get_commands()["runserver"], "runserver")
    return getattr(type(command), "inner_run", None) is not DjangoRunserver.inner_run


def _is_wal(options: dict[str, Any]) -> bool:
    found = re.findall(r"journal_mode\s*[=(]\s*['\"]?(\w+)", str(options.get("init_command", "")), re.IGNORECASE)
    return bool(found) and found[-1].upper() == "WAL"


def _unfit_name(name: str) -> CheckMessage:
    return Error(
        f"The line {name!r} has a name that no address can have.",
        hint="Use letters, digits, - and _ alone, in the settings and in @task(queue_name=…).",
        id="queueing.E078",
    )


def _no_lines(sentence: str) -> CheckMessage:
    return Error(sentence, hint=PASTE, id="queueing.E099")
