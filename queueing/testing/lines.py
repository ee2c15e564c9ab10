"""A line that is worked on in the process of the test, by the code of a worker and of the keeper."""

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings
from django.test import TestCase

from queueing.exceptions import UnfitForTests
from queueing.keeper.round import Keeper
from queueing.line.places import get_line
from queueing.models import Entry
from queueing.registry import setting_of_lines
from queueing.work import runner

WORKER = "in-process"


class InProcessLine:
    """One line of the site, by its name in the settings.

    An isolated task runs in this process, too, without the walls around it.
    """

    def __init__(self, name: str) -> None:
        require_line(name)
        self.name = name

    def run(self, most: int | None = None) -> list[Entry]:
        """Work until nobody who is present waits, or on `most` entries; returns the started ones, as they are then.

        A failed task raises nothing here: `entry.status`, `entry.message` and `entry.traceback` tell.
        """
        worked: list[Entry] = []
        while most is None or len(worked) < most:
            entry = self.run_next()
            if entry is None:
                break
            worked.append(entry)
        return worked

    def run_next(self) -> Entry | None:
        """Claim the first entry whose visitor is present, and run its task. None: there is no such entry."""
        job_id = get_line(self.name).claim(WORKER).job_id
        if job_id is None:
            return None
        with as_worker(), TestCase.captureOnCommitCallbacks(execute=True):
            runner.run_entry(job_id, self.name)
        return Entry.objects.of_job(job_id)

    def waiting(self) -> list[Entry]:
        """The entries in the line, the first one first. Held and unseen ones are not among them."""
        found = Entry.objects.of_jobs(get_line(self.name).ids())
        return sorted(found, key=lambda entry: entry.score)

    def held(self) -> list[Entry]:
        """The absent entries whose place is kept, the first one first."""
        found = Entry.objects.of_jobs(get_line(self.name).held_ids())
        return sorted(found, key=lambda entry: entry.score)


def keeper_round() -> Counter[str]:
    """The deeds of the keeper in each second: hold, drop, bring back, clean. Returns the number of entries by deed."""
    with TestCase.captureOnCommitCallbacks(execute=True):
        return Keeper(spares_leases=False).round()


def require_line(name: str) -> None:
    """Raises UnfitForTests for a line that the site does not have."""
    if not settings.QUEUEING_TASKS:
        raise UnfitForTests(
            f"There is no line {name!r}: these settings have none. Settings of tests that begin with those of "
            'the site keep its lines by QUEUEING = QUEUEING | {"REDIS_URL": …}; others name it in QUEUEING["LINES"].'
        )
    if name not in settings.QUEUEING_TASKS:
        known = ", ".join(map(repr, settings.QUEUEING_TASKS))
        raise UnfitForTests(
            f"There is no line {name!r} in this site; there is {known}. Name it in the settings: {setting_of_lines()}."
        )


@contextmanager
def as_worker() -> Iterator[None]:
    """Let this process have the name of a worker, as RQ gives it to a process that it forks."""
    before = os.environ.get("RQ_WORKER_ID")
    os.environ["RQ_WORKER_ID"] = WORKER
    try:
        yield
    finally:
        del os.environ["RQ_WORKER_ID"]
        if before is not None:
            os.environ["RQ_WORKER_ID"] = before
