"""The minutes of a line while keepers are killed at any moment, two at once, and rows are purged."""

import random
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from django.utils import timezone

from queueing.history import counting
from queueing.keeper.timeline import write_notes
from queueing.line import presence
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence, Reason, Status
from tests.support import ledger
from tests.support.processes import Processes
from tests.support.waiting import wait_for

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

Join = Callable[..., Entry]
LEASE = {"LEASE": 900}  # the test alone moves the rows, and neither a keeper nor a purge finds an orphan


class Site:
    """Moves of entries, as visitors and workers make them, and keepers that die."""

    def __init__(self, processes: Processes, join: Join, seed: int) -> None:
        self.processes, self.join = processes, join
        self.chance = random.Random(seed)  # noqa: S311  # no secrets
        self.keepers: dict[subprocess.Popen[bytes], float] = {}  # and the time at which each of them dies
        self.guest = join("guest")  # comes and goes, and stays in the line
        self.deleted: list[tuple[Entry, datetime]] = []
        self.kills = 0
        self.moves: list[Callable[[], object]] = [
            *[self.come] * 24,
            *[self.move] * 100,
            *[self.come_and_go] * 8,
            *[self.delete] * 2,
        ]

    def step(self) -> None:
        """Make a move, and now and then let a keeper die."""
        self.chance.choice(self.moves)()
        for keeper, dies_at in list(self.keepers.items()):
            if time.monotonic() >= dies_at:
                self._kill(keeper)
        while len(self.keepers) < 2:  # a keeper needs a second or so until its first round
            self.keepers[self.processes.manage("keeper")] = time.monotonic() + self.chance.uniform(1, 4)

    def end(self) -> None:
        for keeper in list(self.keepers):
            self._kill(keeper)

    def _kill(self, keeper: subprocess.Popen[bytes]) -> None:
        del self.keepers[keeper]
        keeper.kill()
        keeper.wait(10)
        self.kills += 1

    def come(self) -> None:
        self.join(looked=False).see()

    def come_and_go(self) -> None:
        presence.close("probe", self.guest.job_id, Absence.CLOSED)
        presence.beat("probe", [self.guest.job_id], 60)

    def move(self) -> None:
        entry = Entry.objects.exclude(pk=self.guest.pk).order_by("?").first()
        if entry is None:
            return
        if entry.status == Status.WAITING:
            self.chance.choice([lambda: entry.start("w"), lambda: entry.start("w"), entry.cancel])()
        elif entry.status == Status.RUNNING:
            fail, back = (lambda: entry.fail(Reason.ERROR)), (lambda: counting.undo_start(entry))
            self.chance.choice([lambda: entry.succeed({}), fail, back, entry.requeue_orphan])()
        elif not entry.is_live:
            entry.see_end()

    def delete(self) -> None:
        """Delete some of what has ended, as `purge_stale` does."""
        ended = {entry.pk: entry for entry in Entry.objects.final().order_by("?")[:10]}
        self.deleted += [(ended[pk], timezone.now()) for pk in counting.delete(list(ended), wait=True)]

    def purge(self) -> None:
        """Delete all that has ended, by a process that may be killed.

        No keeper is there: what it ended meanwhile would be deleted, too, and nobody would know how it had ended.
        """
        self.end()
        ended = {entry.pk: entry for entry in Entry.objects.final()}
        purge = self.processes.manage("purge_stale", "--older-than", "0s")
        with suppress(subprocess.TimeoutExpired):
            purge.wait(self.chance.uniform(0.3, 2))
        purge.kill()
        purge.wait(10)
        left = set(Entry.objects.filter(pk__in=ended).values_list("pk", flat=True))
        self.deleted += [(entry, timezone.now()) for pk, entry in ended.items() if pk not in left]


def check(site: Site, line: Line) -> None:
    """A last keeper counts the rest. Then the minutes are those of the rows."""
    site.end()
    wait_for(lambda: not write_notes(line) and not line.client.llen(line.keys.notes))
    counting.count(until=time.monotonic() + 60)
    expected = ledger.of_entries(Entry.objects.all(), site.deleted)
    found = ledger.of_minutes()
    assert without(found) == without(expected)
    assert worth_of(found.values()) == worth_of(expected.values())
    minutes = ledger.sum_of_minutes()
    # The last line of a full timeline stands for both.
    assert minutes.details["holds"] + minutes.details["returns"] == sum(ledger.comings())
    assert minutes.details["holds"] == minutes.details["returns"] > 0


def without(numbers: ledger.Numbers) -> dict[object, dict[str, int]]:
    """Without holds and returns, which no row has, and without what was decided in the minute of a deletion."""
    left_out = {"holds", "returns", "waste_never_seen"}
    kept = {minute: {name: n for name, n in some.items() if name not in left_out} for minute, some in numbers.items()}
    return {minute: some for minute, some in kept.items() if some}


def worth_of(minutes: Iterable[Counter[str]]) -> int:
    return sum(numbers["waste_never_seen"] for numbers in minutes)


def play(site: Site, seconds: float) -> None:
    """Moves for this long, and until there was something to delete: a busy machine makes few moves in a second."""
    until = time.monotonic() + seconds
    while time.monotonic() < until or not site.deleted:
        site.step()


@pytest.fixture
def leases(processes: Processes, settings: Any) -> None:
    """Leases that last as long as a test: those that its own moves write, and those of other processes."""
    settings.QUEUEING = LEASE
    processes.use(LEASE)


@pytest.mark.usefixtures("leases")
def test_keepers_that_are_killed_count_every_event_once(processes: Processes, join: Join, line: Line) -> None:
    site = Site(processes, join, seed=1)
    play(site, 6)
    assert site.kills
    assert ledger.of_minutes()
    assert site.deleted
    check(site, line)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.usefixtures("leases")
def test_five_minutes_of_killed_keepers(processes: Processes, join: Join, line: Line) -> None:
    site = Site(processes, join, seed=time.time_ns())
    site.moves.append(site.purge)
    play(site, 300)
    assert site.kills > 50
    assert site.deleted
    check(site, line)
