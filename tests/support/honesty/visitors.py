"""The moves of visitors, and of code that makes entries."""

import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from django.core.files.base import ContentFile

from queueing import ending, joining, registry, rejoining
from queueing.exceptions import JoinRefused, UnusableInput
from queueing.line import keys, presence
from queueing.models import Entry
from queueing.states import FINAL, Absence, Status
from tests.support.honesty.stage import CLOCKS, LINES, MOST_LIVE, Stage
from tests.support.probe import probe
from tests.support.visitors import url


@dataclass
class Visitors(Stage):
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
            rejoining.join_again(entry, joining.Owner(entry.visitor))
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
