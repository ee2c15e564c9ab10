"""The checks at the start of a process: a process that could not do its work ends with sentences instead."""

import sys
from collections.abc import Iterable

from django.core.checks import ERROR, CheckMessage, run_checks
from django.db import connections

from queueing.checks import deployed

# Requirements of every process beside its settings. Redis is not among them: each process waits for it.
AT_START = (deployed.check_folders, deployed.check_objects, deployed.check_tables)
OF_WEB = (*AT_START, deployed.check_static_files, deployed.check_asgi)


def troubles(*, is_web: bool = False) -> list[str]:
    """A sentence for each error, with what to do about it."""
    found: list[CheckMessage] = list(run_checks())
    for check in OF_WEB if is_web else AT_START:
        found += check()
    return list(_sentences(found))


def end_if_it_does_not_fit(*, is_web: bool = False) -> None:
    """End the process with exit status 1 if something is missing or does not fit."""
    found = troubles(is_web=is_web)
    connections.close_all()
    if found:
        sys.exit("\n".join(found))


def _sentences(messages: Iterable[CheckMessage]) -> Iterable[str]:
    for message in messages:
        if message.is_serious(ERROR) and not message.is_silenced():
            yield f"{message.msg} {message.hint or ''} ({message.id})".replace("  ", " ")
