"""The moves of staff and of the keeper; and time that passes."""

import math
import time
from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from queueing import staff, steering
from queueing.history import counting
from queueing.line import workers
from queueing.models import Entry, EntryEvent
from queueing.states import FINAL
from tests.support.honesty.stage import CLOCKS, LINES, Stage

VERBS: dict[str, steering.Verb] = {
    "pause": steering.pause,
    "close": steering.close,
    "tell": lambda line: steering.tell(line, "We are slow today."),
}


@dataclass
class Office(Stage):
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
        if not workers.are_suspended("probe"):
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
