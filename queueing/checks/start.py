"""The checks at the start of a process: a process that could not do its work ends with sentences instead."""

import asyncio
import logging
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from django.core.checks import ERROR, WARNING, CheckMessage, run_checks
from django.db import connections

from queueing import serving
from queueing.checks import deployed, servers, tables
from queueing.models.trouble import DATABASE_ERRORS

logger = logging.getLogger("queueing")

# Requirements of every process beside its settings. Redis is not among them: web and keeper wait for it.
AT_START = (deployed.check_folders, deployed.check_objects, tables.check_tables)
OF_SERVER = (*AT_START, deployed.check_key, deployed.check_any_host, deployed.check_static_files)
OF_WEB = (*OF_SERVER, deployed.check_asgi)
COMMANDS = "django.core.management"  # the module that runs them


def troubles(checks: Iterable[Callable[[], list[CheckMessage]]] = AT_START) -> list[str]:
    """A sentence for each error that these checks find, and Django's, with what to do about it."""
    found: list[CheckMessage] = []
    with suppress(*DATABASE_ERRORS):  # Django asks SQLite for JSON; `check_tables` says why it gets no answer
        found += run_checks()
    for check in checks:
        found += check()
    connections.close_all()  # of this thread
    return list(_sentences(found))


def end_if_it_does_not_fit(*, is_web: bool = False) -> None:
    """End the process with exit status 1 if something is missing or does not fit."""
    serving.application_is_looked_at()  # what imports it later need not ask again
    if found := troubles(OF_WEB if is_web else AT_START):
        sys.exit("\n".join(found))
    if is_web:
        _warn_of_static_files()


def end_a_server_that_does_not_fit() -> bool:
    """End a server that imports the application, such as uvicorn, with a sentence if a check of web processes fails.

    `queueing/asgi.py` calls it at its end. True if this process is such a server, and goes on.
    `runserver` imports it in another thread, which cannot end the process. It makes Django's checks by itself.
    Tests and other commands serve nobody: their database may be closed to them, or that of the site.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if serving.is_application_looked_at() or not is_main or _is_within_command():
        return False
    if found := _apart(lambda: troubles(OF_SERVER)):
        sys.exit("\n".join(found))
    for sentence in servers.sentences():
        logger.warning(sentence)
    _warn_of_static_files()
    return True


def _warn_of_static_files() -> None:
    """Another host may have them, so this is no reason to end."""
    for sentence in _sentences(deployed.check_static_files(), WARNING):
        logger.warning(sentence)


def _is_within_command() -> bool:
    """True if a command of manage.py imports this, such as `test`."""
    return any(frame.f_globals.get("__name__") == COMMANDS for frame, _ in traceback.walk_stack(None))


def _apart(ask: Callable[[], list[str]]) -> list[str]:
    """Ask in another thread if this one runs an event loop, where Django lets nobody read the database."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return ask()
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(ask).result()


def _sentences(messages: Iterable[CheckMessage], level: int = ERROR) -> Iterable[str]:
    for message in messages:
        if message.is_serious(level) and not message.is_silenced():
            yield f"{message.msg} {message.hint or ''} ({message.id})".replace("  ", " ")
