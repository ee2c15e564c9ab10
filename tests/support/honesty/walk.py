"""The walk: random moves of everybody, each by the verb that the site uses, in two lines.

No time is waited for: ages, deadlines and leases are written into rows and keys.
"""

import math
import random
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.db.models.functions import Now
from django.utils import timezone

from queueing import ending, joining, registry, staff, steering
from queueing.exceptions import JoinRefused, UnusableInput
from queueing.history import counting
from queueing.keeper.round import Keeper
from queueing.line import clients, keys, presence, workers
from queueing.line.places import get_line
from queueing.models import Counted, Entry, EntryEvent, EntryFile, EntryQuerySet
from queueing.states import FINAL, Absence, Reason, Status
from queueing.web.visitor import SESSION_KEY
from queueing.work import runner
from queueing.work.lease import Lease
from queueing.work.worker import PresenceWorker
from tests.support.probe import probe
from tests.support.visitors import Visitor, url

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
VERBS: dict[str, steering.Verb] = {
    "pause": steering.pause,
    "close": steering.close,
    "tell": lambda line: steering.tell(line, "We are slow today."),
}
FAILURES = (Reason.UNUSABLE, Reason.ERROR, Reason.TIMEOUT, Reason.CRASHED)


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
class Walk:
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
        for _ in range(WORKERS):
            self.worker_comes()

    # Steps

    def step(self) -> str:
        """One move that is possible now; returns its name."""
        while True:
            (name,) = self.chance.choices(list(MOVES), list(MOVES.values()))
            if getattr(self, name)() is not False:
                self.made[name] += 1
                return name

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

    # Visitors

    def join(self) -> bool:
        if Entry.objects.live().count() >= MOST_LIVE:
            return False
        task, browser = registry.get_task(self.chance.choice(LINES)), self.chance.choice(self.browsers)
        with suppress(JoinRefused):  # the line is closed
            entry = joining.join(
                task,
                code=uuid.UUID(int=self.chance.getrandbits(128), version=4),
                owner=joining.Owner(browser.name),
                upload=ContentFile(b"x" * self.chance.randrange(1, 50), name="a.csv"),
                content_type="text/csv",
                options={},
            )
            self._age(entry)
            if self.chance.random() < 0.8:
                joining.look(entry, presence.LONGEST_LOOK)
                self._stay(entry)
            return True
        return False

    def enqueue(self) -> bool:
        if Entry.objects.live().count() >= MOST_LIVE:
            return False
        self._age(joining.enqueue(probe, [], {}, needs_presence=False))
        return True

    def join_again(self) -> bool:
        entry = self.some(status__in=FINAL - {Status.SUCCEEDED}, visitor__isnull=False)
        if entry is None or not entry.may_join_again:
            return False
        with suppress(JoinRefused, UnusableInput):
            joining.join_again(entry, joining.Owner(entry.visitor))
            return True
        return False

    def look(self) -> bool:
        """At the entry or its end, in the browser that has it."""
        entry = self.some(visitor__isnull=False)
        browser = self.browser_of(entry) if entry else None
        if entry is None or browser is None:
            return False
        assert browser.client.get(url(entry, "status.json")).status_code == 200
        return True

    def beat(self) -> bool:
        entry = self.some(status=Status.WAITING, seen_at__isnull=False)
        return entry is not None and self._stay(entry)

    def close(self) -> bool:
        return self._go(lambda entry: presence.close(entry.queue, entry.job_id, Absence.CLOSED))

    def lose(self) -> bool:
        return self._go(lambda entry: presence.close(entry.queue, entry.job_id, Absence.LOST))

    def run_out(self) -> bool:
        """Nobody renews the presence: the browser's connection and the web process have died."""
        return self._go(lambda entry: self.client.delete(keys.presence_key(entry.job_id)))

    def be_late(self) -> bool:
        """A held or unseen entry has been away for longer than its place is kept."""
        entry = self.some(status=Status.WAITING, visitor__isnull=False)
        if entry is None:
            return False
        return bool(self.client.zadd(keys.line_keys(entry.queue).due, {entry.job_id: 1}, xx=True, ch=True))

    def leave(self) -> bool:
        entry = self.some(status__in=(Status.WAITING, Status.RUNNING))
        return entry is not None and ending.leave(entry)

    def keep(self) -> bool:
        entry = self.some(status=Status.WAITING, keep_seconds=None)
        return entry is not None and ending.keep(entry)

    # Workers

    def worker_comes(self) -> bool:
        if len(self.desks) >= 2 * WORKERS:
            return False
        name = f"desk-{self.chance.getrandbits(32)}"
        desk = Desk(PresenceWorker(list(LINES), name=name, connection=self.client))
        desk.worker.register_birth()
        self.client.persist(keys.WORKER.format(name=name))
        self._is(desk, "idle")
        self.desks.append(desk)
        return True

    def worker_goes(self) -> bool:
        idle = [desk for desk in self.desks if desk.is_idle]
        if len(idle) < 2:
            return False
        gone = self.chance.choice(idle)
        gone.worker.register_death()
        self.desks.remove(gone)
        return True

    def claim(self) -> bool:
        desk = self._desk(lambda desk: desk.is_idle)
        queue = self.chance.choice(LINES)
        claimed = get_line(queue).claim(desk.worker.name) if desk else None
        if desk is None or claimed is None or claimed.job_id is None:
            return False
        desk.queue, desk.job_id = queue, claimed.job_id
        self._is(desk, "busy")
        return True

    def start(self) -> bool:
        """As the runner does, but for the task. The claim may have gone back meanwhile."""
        desk = self._desk(lambda desk: not desk.is_idle and desk.entry is None)
        if desk is None:
            return False
        name = desk.worker.name
        entry = runner._start_in_one_query(desk.job_id, name) or runner._start_from_row(desk.job_id, name)
        if entry is None:
            self._rest(desk)
            return True
        self._start_earlier(entry)
        if self.chance.random() < 0.2:
            self._undo_start(desk, entry)
        else:
            get_line(entry.queue).end_claim(name, entry.job_id, started=f"attempt {entry.attempt}, {name}")
            desk.entry = entry
        return True

    def succeed(self) -> bool:
        return self._finish(self._succeed)

    def fail(self) -> bool:
        return self._finish(lambda entry: entry.fail(self.chance.choice(FAILURES)))

    def abandon(self) -> bool:
        return self._finish(lambda entry: entry.abandon(self.chance.choice((Reason.CLOSED, Reason.LOST))))

    def die(self) -> bool:
        """A horse has died: its worker gives the row back, or the claim."""
        desk = self._desk(lambda desk: not desk.is_idle)
        if desk is None:
            return False
        Lease(desk.worker.name, desk.job_id).settle(get_line(desk.queue))
        self._rest(desk)
        return True

    def be_lost(self) -> bool:
        """A machine has died: the lease runs out, and the keeper finds it."""
        desk = self._desk(lambda desk: desk.entry is not None)
        if desk is None or desk.entry is None:
            return False
        Entry.objects.filter(pk=desk.entry.pk).update(lease_until=Now() - timedelta(seconds=1))
        self.keeper.recover_leases()
        desk.worker.register_death()
        self.desks.remove(desk)
        return True

    # Staff, and the keeper

    def act(self) -> bool:
        act = staff.ACTS[self.chance.choice(list(staff.ACTS))]
        entry = self.pick(act.candidates(Entry.objects.all()))
        return entry is not None and not act.perform(entry, self.boss)

    def steer(self) -> None:
        words = self.chance.choice(list(VERBS))
        steering.steer(self.chance.choice(LINES), VERBS[words], words, self.boss)

    def free(self) -> bool:
        """The end of a pause, and of a line's being closed."""
        queue = self.chance.choice(LINES)
        if steering.row_of(queue).state == "open":
            return False
        steering.steer(queue, steering.resume, "resume", self.boss)
        steering.steer(queue, steering.open_, "open", self.boss)
        return True

    def suspend(self) -> bool:
        """RQ's own word to all workers."""
        workers.suspend()
        return True

    def unsuspend(self) -> bool:
        if not workers.are_suspended():
            return False
        workers.resume()
        return True

    def round(self) -> None:
        self.keeper._round_at = time.time()
        self.keeper.round()

    def count(self) -> None:
        counting.count(until=math.inf)

    def grow_old(self) -> bool:
        """An entry ended so long ago that its owner will not come for the result."""
        entry = self.some(status__in=FINAL, finished_at__gt=timezone.now() - timedelta(seconds=500))
        if entry is None or entry.finished_at is None:
            return False
        return bool(Entry.objects.filter(pk=entry.pk).update(finished_at=entry.finished_at - timedelta(seconds=1000)))

    def purge(self) -> bool:
        """An entry has ended before RESULT_TTL: the keeper deletes it."""
        entry = self.some(status__in=FINAL)
        if entry is None:
            return False
        old = timezone.now() - timedelta(seconds=2 * CLOCKS["RESULT_TTL"])
        Entry.objects.filter(pk=entry.pk).update(finished_at=old)
        entry.refresh_from_db()
        for kind, times in EntryEvent.objects.filter(entry=entry).values_list("kind", "times"):
            self.comings[entry.queue, kind] += times
        self.keeper._purged_at = -math.inf
        assert self.keeper._purge() == 1
        self.deleted.append((entry, timezone.now()))
        return True

    # Parts of moves

    def _browser(self) -> Visitor:
        browser = Visitor()
        session = browser.client.session
        session[SESSION_KEY] = str(uuid.UUID(int=self.chance.getrandbits(128), version=4))
        session.save()
        return browser

    def _go(self, absence: Callable[[Entry], object]) -> bool:
        live = Entry.objects.live().filter(visitor__isnull=False, seen_at__isnull=False)
        here = [code for code in live.values_list("code", flat=True) if self.client.exists(keys.presence_key(code.hex))]
        if (entry := self.pick(live.filter(code__in=here))) is None:
            return False
        absence(entry)
        return True

    def _stay(self, entry: Entry) -> bool:
        presence.beat(entry.queue, [entry.job_id], CLOCKS["PRESENCE_TTL"])
        return True

    def _age(self, entry: Entry) -> None:
        """The entry has joined some time ago."""
        joined = timezone.now() - timedelta(seconds=self.chance.uniform(0, 2000))
        Entry.objects.filter(pk=entry.pk).update(joined_at=joined)

    def _start_earlier(self, entry: Entry) -> None:
        """The attempt has begun some time ago, between the join and now."""
        began = entry.joined_at + (timezone.now() - entry.joined_at) * self.chance.random()
        times = {"last_attempted_at": began} | ({"started_at": began} if entry.attempt == 1 else {})
        Entry.objects.filter(pk=entry.pk).update(**times)
        entry.refresh_from_db()

    def _undo_start(self, desk: Desk, entry: Entry) -> None:
        if self.chance.random() < 0.5:
            self.count()
        entry.refresh_from_db()
        if entry.attempt == 1 and entry.counted >= Counted.START and entry.started_at:
            self.undone.append((entry.queue, entry.started_at - entry.joined_at))
        assert counting.undo_start(entry)
        ending.release(entry, desk.worker.name)
        self._rest(desk)

    def _succeed(self, entry: Entry) -> bool:
        if self.chance.random() < 0.5:
            return entry.succeed({})
        content = b"y" * self.chance.randrange(1, 50)
        file = EntryFile(entry=entry, attempt=entry.attempt, name="a.txt", content_type="text/plain", size=len(content))
        file.file.save("a.txt", ContentFile(content), save=False)
        return entry.succeed({}, [file])

    def _finish(self, end: Callable[[Entry], bool]) -> bool:
        desk = self._desk(lambda desk: desk.entry is not None)
        if desk is None or desk.entry is None:
            return False
        if end(desk.entry):
            ending.finish(desk.entry)
        self._rest(desk)
        return True

    def _desk(self, is_wanted: Callable[[Desk], bool]) -> Desk | None:
        desks = [desk for desk in self.desks if is_wanted(desk)]
        return self.chance.choice(desks) if desks else None

    def _rest(self, desk: Desk) -> None:
        desk.queue, desk.job_id, desk.entry = "", "", None
        self._is(desk, "idle")

    def _is(self, desk: Desk, state: str) -> None:
        desk.worker.set_state(state)
        self.client.persist(desk.worker.key)


# The moves, by how often they come.
MOVES = {
    "join": 16, "enqueue": 2, "join_again": 3, "look": 8, "beat": 6, "close": 3, "lose": 3, "run_out": 3, "be_late": 2,
    "leave": 2, "keep": 1, "worker_comes": 1, "worker_goes": 1, "claim": 12, "start": 12, "succeed": 5, "fail": 4,
    "abandon": 1, "die": 2, "be_lost": 1, "act": 5, "steer": 2, "free": 6, "suspend": 1, "unsuspend": 8, "round": 4,
    "count": 2, "grow_old": 2, "purge": 3,
}  # fmt: skip
