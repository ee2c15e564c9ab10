"""The stage of the walk: who is there, and what the moves have in common."""

import math
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.utils import timezone

from queueing.keeper.round import Keeper
from queueing.line import clients, keys
from queueing.models import Entry, EntryQuerySet
from queueing.web.visitor import SESSION_KEY
from queueing.work.worker import PresenceWorker
from tests.support.visitors import Visitor

LINES = ("probe", "tables")
MOST_LIVE, BROWSERS, WORKERS = 30, 5, 3
# No key and no deadline runs out by itself.
CLOCKS = {
    "PRESENCE_TTL": 90_000,
    "POLL_TTL": 90_000,
    "CLOSE_GRACE": 600,
    "LOST_GRACE": 600,
    "KEEP_GRACE": 6_000,
    "MIN_PRESENCE": 0,
    "LEASE": 3_600,
    "RESULT_TTL": 3_600,
    "MAX_WAITING_PER_VISITOR": MOST_LIVE,
}


@dataclass(eq=False)
class Desk:
    """A live worker: it stands idle, has claimed a job, or runs an entry."""

    worker: PresenceWorker
    queue: str = ""
    job_id: str = ""
    entry: Entry | None = None

    @property
    def is_idle(self) -> bool:
        return not self.job_id


@dataclass
class Stage:
    """The site after some moves, with what rows and keys do not tell any more."""

    chance: random.Random
    browsers: list[Visitor] = field(default_factory=list)
    desks: list[Desk] = field(default_factory=list)
    keeper: Keeper = field(default_factory=Keeper)
    boss: User = field(default_factory=lambda: User.objects.create_superuser("boss"))
    deleted: list[tuple[Entry, datetime]] = field(default_factory=list)
    comings: Counter[tuple[str, str]] = field(default_factory=Counter)  # of deleted rows, by line and kind
    undone: list[tuple[str, timedelta]] = field(default_factory=list)  # counted starts that were undone: their waits
    made: Counter[str] = field(default_factory=Counter)  # moves that did something, by name

    def __post_init__(self) -> None:
        self.client = clients.connection()
        self.client.set(keys.WATCH, 1)  # web processes have been beating for long
        self.keeper._no_leases_before = 0
        self.browsers += [self._browser() for _ in range(BROWSERS)]

    def settle(self) -> None:
        """Let the keeper do all that is due, so that what it writes is new."""
        self.keeper.rememberer._rounds = -1
        self.keeper._facts_at = self.keeper._totals_at = -math.inf
        self.keeper.surveyor._made.clear()
        self.keeper._round_at = time.time()
        self.keeper.round()

    def pick(self, entries: EntryQuerySet) -> Entry | None:
        """Any of these rows."""
        pks = list(entries.order_by("id").values_list("pk", flat=True))
        return Entry.objects.get(pk=self.chance.choice(pks)) if pks else None

    def some(self, **filters: Any) -> Entry | None:
        return self.pick(Entry.objects.filter(**filters))

    def browser_of(self, entry: Entry) -> Visitor | None:
        return next((browser for browser in self.browsers if browser.name == entry.visitor), None)

    def _age(self, entry: Entry) -> None:
        """The entry has joined some time ago."""
        joined = timezone.now() - timedelta(seconds=self.chance.uniform(0, 2000))
        Entry.objects.filter(pk=entry.pk).update(joined_at=joined)

    def _browser(self) -> Visitor:
        browser = Visitor()
        session = browser.client.session
        session[SESSION_KEY] = str(uuid.UUID(int=self.chance.getrandbits(128), version=4))
        session.save()
        return browser

    def _desk(self, is_wanted: Callable[[Desk], bool]) -> Desk | None:
        desks = [desk for desk in self.desks if is_wanted(desk)]
        return self.chance.choice(desks) if desks else None

    def _rest(self, desk: Desk) -> None:
        desk.queue, desk.job_id, desk.entry = "", "", None
        self._is(desk, "idle")

    def _is(self, desk: Desk, state: str) -> None:
        desk.worker.set_state(state)
        desk.worker.heartbeat()  # which says that it is idle
        for key in (desk.worker.key, keys.WORKER.format(name=desk.worker.name)):
            self.client.persist(key)
