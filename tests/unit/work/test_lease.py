"""The lease: when it is renewed, when the horse must end, and how its row is settled."""

import signal
import time
from collections.abc import Callable
from typing import Any

import pytest
import redis
from django.core.files.base import ContentFile
from django.db import InterfaceError, connections

from queueing.line import clients, keys
from queueing.line.places import Line
from queueing.models import Entry, EntryFile
from queueing.states import Reason, Status
from queueing.testing.presence import watch_since
from queueing.work import horse
from queueing.work.birth import Birth
from queueing.work.guard import STORING_GRACE, Guard
from queueing.work.lease import Lease
from queueing.work.limits import limits_of
from queueing.work.report import Stage
from queueing.work.worker import PresenceWorker
from tests.support.entries import status_of

Join = Callable[..., Entry]
pytestmark = pytest.mark.postgres


def test_a_worker_neither_renews_nor_settles_the_attempt_of_another(join: Join, line: Line) -> None:
    """Its own attempt was taken away, and its horse must end; the later attempt goes on."""
    entry = join()
    entry.start("w1")
    lease = Lease("w1", entry.job_id)
    assert lease.renew()
    entry.requeue_orphan()
    entry.start("w2")
    before = Entry.objects.values().get()
    assert not lease.renew()
    lease.settle(line)
    assert Entry.objects.values().get() == before


def test_a_horse_whose_row_was_given_back_goes_on_for_nobody(join: Join) -> None:
    """The keeper took the lease for over, while this worker could not reach the database."""
    entry = join()
    lease = Lease("w1", entry.job_id)
    assert lease.renew(has_started=False)
    entry.start("w1")
    assert lease.renew()
    entry.requeue_orphan()
    assert lease.renew()  # it may be the horse's own doing, which has its books to close
    assert not lease.renew()
    assert "waiting" in lease.why


@pytest.mark.parametrize("end", ["death", "crash", "stopped", "result"])
def test_only_a_result_keeps_the_files_of_an_attempt(join: Join, line: Line, end: str) -> None:
    """A horse that was killed could not take its files back."""
    entry = join()
    entry.start("w1")
    file = EntryFile(entry=entry, attempt=1, name="a.txt", content_type="text/plain", size=4)
    file.file.save("a.txt", ContentFile(b"half"), save=False)
    if end == "stopped":
        assert entry.cancel()
    elif end == "result":
        assert entry.succeed({}, [file])
    Lease("w1", entry.job_id).settle(line, signal.SIGSEGV if end == "crash" else signal.SIGKILL)
    assert file.file.storage.exists(str(file.file.name)) == (end == "result")
    assert entry.input.storage.exists(str(entry.input.name))


def test_a_horse_that_has_stored_its_result_may_close_its_books(join: Join) -> None:
    entry = join()
    entry.start("w1")
    lease = Lease("w1", entry.job_id)
    assert entry.succeed({})
    assert [lease.renew(), lease.renew()] == [True, False]


def test_a_row_that_ends_between_look_and_renewal_is_no_other_workers(join: Join, monkeypatch: Any) -> None:
    entry = join()
    entry.start("w1")
    lease, renew_lease = Lease("w1", entry.job_id), Entry.renew_lease

    def end_first(row: Entry) -> bool:
        Entry.objects.get(pk=row.pk).succeed({})
        return renew_lease(row)

    monkeypatch.setattr(Entry, "renew_lease", end_first)
    assert lease.renew()  # the horse may close its books
    assert not lease.renew()
    assert "its task goes on" in lease.why


def test_a_task_that_ignores_an_absence_has_its_grace(join: Join, settings: Any) -> None:
    entry = join()
    entry.start("w1")
    lease = Lease("w1", entry.job_id)
    watch_since(1000)
    clients.connection().delete(keys.presence_key(entry.job_id))
    clients.connection().set(keys.gone_key(entry.job_id), "1:1:closed")
    settings.QUEUEING = {"DEAF_GRACE": 1000}
    assert lease.renew()
    assert status_of(entry) == Status.RUNNING
    settings.QUEUEING = {"DEAF_GRACE": 0}
    assert not lease.renew()
    assert (status_of(entry), entry.reason) == (Status.ABANDONED, Reason.CLOSED)


def test_a_connection_that_was_closed_underneath_ends_no_worker(
    valkey: redis.Redis, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Django's InterfaceError is no DatabaseError. The worker keeps its horse, and pauses before the next claim."""

    def broken(*_: object) -> bool:
        raise InterfaceError("connection already closed")

    monkeypatch.setattr(Entry.objects, "of_job", broken)
    monkeypatch.setattr(connections, "close_all", lambda: None)  # the test's own transaction lives in one
    monkeypatch.setattr(time, "sleep", lambda _: None)
    worker = PresenceWorker(["probe"], name="w1", connection=valkey)
    lease = Lease("w1", "job")
    worker._renew(lease)
    worker._settle(lease, worker.line_queues[0])
    assert worker._pause == 1.0


def guard(*, timeout: float) -> Guard:
    """A guard that has had its look at the horse."""
    made = Guard(limits_of("probe"), Birth.now(), timeout=timeout, children_before=horse.children())
    made.terms.birth.report.note(Stage.STORING)
    made.look()
    made.scratch.delete()
    return made


def test_a_horse_that_was_killed_at_its_timeout_has_failed_for_good(join: Join, line: Line) -> None:
    entry = join()
    entry.start("w1")
    Lease("w1", entry.job_id).settle(line, signal.SIGKILL, guard(timeout=-STORING_GRACE - 1))
    assert (status_of(entry), entry.reason) == (Status.FAILED, Reason.TIMEOUT)


def test_a_horse_that_died_after_its_timeout_while_it_stored_the_end_is_not_to_blame(join: Join, line: Line) -> None:
    entry = join()
    entry.start("w1")
    Lease("w1", entry.job_id).settle(line, signal.SIGKILL, guard(timeout=-1))
    assert (status_of(entry), entry.reason) == (Status.WAITING, Reason.ORPHANED)
