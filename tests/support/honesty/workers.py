"""The moves of workers, and their deaths."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from django.core.files.base import ContentFile
from django.db.models.functions import Now
from django.utils import timezone

from queueing import ending
from queueing.history import counting
from queueing.line import keys
from queueing.line.places import get_line
from queueing.models import Counted, Entry, EntryFile
from queueing.states import Reason
from queueing.work import runner
from queueing.work.lease import Lease
from queueing.work.worker import PresenceWorker
from tests.support.honesty.stage import LINES, WORKERS, Desk, Stage

FAILURES = (Reason.UNUSABLE, Reason.ERROR, Reason.TIMEOUT, Reason.CRASHED)


@dataclass
class Workers(Stage):
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
        entry = runner._start_in_one_query("", desk.job_id, name) or runner._start_from_row(desk.job_id, name)
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

    def _start_earlier(self, entry: Entry) -> None:
        """The attempt has begun some time ago, between the join and now."""
        began = entry.joined_at + (timezone.now() - entry.joined_at) * self.chance.random()
        times = {"last_attempted_at": began} | ({"started_at": began} if entry.attempt == 1 else {})
        Entry.objects.filter(pk=entry.pk).update(**times)
        entry.refresh_from_db()

    def _undo_start(self, desk: Desk, entry: Entry) -> None:
        if self.chance.random() < 0.5:
            counting.count(until=math.inf)
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
