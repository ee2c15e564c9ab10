"""Redis and the database when they refuse, fill up or are used up; and a disk that is full."""

import errno
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.utils import timezone

from queueing import admission, ending, joining, registry
from queueing.exceptions import RedisAway, StorageFull
from queueing.keeper import purge
from queueing.keeper.round import Keeper
from queueing.line import presence, workers
from queueing.line.keys import WORKER
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence, Reason, Status
from queueing.testing.presence import watch_since
from queueing.work.worker import PresenceWorker
from tests.support.visitors import Visitor

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]


@pytest.fixture
def full(valkey: redis.Redis) -> Iterator[None]:
    """A Valkey that answers and takes no writes."""
    valkey.config_set("maxmemory", 1)
    yield
    valkey.config_set("maxmemory", 0)


# Redis that takes no writes


@pytest.mark.django_db(transaction=True)
def test_a_redis_that_takes_no_writes_takes_nobody_in(full: None) -> None:
    visitor = Visitor()
    answer = visitor.send()
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert not Entry.objects.exists()
    with pytest.raises(RedisAway):
        admission.check_line("probe")
    ready = visitor.client.get("/readyz")
    assert (ready.status_code, ready.json()["redis"]) == (503, False)


# Workers


def test_a_worker_counts_by_the_clock_of_redis(line: Line, valkey: redis.Redis) -> None:
    """A worker whose own clock is an hour behind is alive all the same, and a dead one is gone after WORKER_TTL."""
    worker = PresenceWorker(["probe"], name="late", connection=valkey)
    worker.register_birth()
    valkey.hset(worker.key, "last_heartbeat", "2020-01-01T00:00:00.000000Z")
    assert len(workers.live_workers("probe")) == 1
    assert 0 < valkey.ttl(WORKER.format(name="late")) <= workers.WORKER_TTL
    valkey.delete(WORKER.format(name="late"))  # no heartbeat for that long
    assert workers.live_workers("probe") == []


def test_a_worker_that_has_signed_off_does_not_count(valkey: redis.Redis) -> None:
    worker = PresenceWorker(["probe"], name="done", connection=valkey)
    worker.register_birth()
    worker.register_death()
    assert workers.live_workers("probe") == []


# Places that nobody owns


def test_a_longer_hold_leaves_nothing_behind(join: Join, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """ "Keep my place", then "leave" while Redis is away: the keeper clears all of it."""
    entry = join()
    assert ending.keep(entry)
    entry.cancel()  # and Redis was not told
    Keeper().reconciler.compare(line)
    assert line.client.hgetall(line.keys.grace) == {}
    assert line.count_entries() == 0


# A task that finishes whether or not somebody waits


def test_a_task_that_finishes_anyway_is_finished_after_a_death(
    join: Join, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(registry.get_task("probe")), "stops_on_leave", False)
    entry = join()
    line.claim("w1")
    entry.start("w1")
    line.end_claim("w1", entry.job_id)
    presence.close("probe", entry.job_id, Absence.CLOSED)
    line.client.set(f"gone:{entry.job_id}", "1:1:closed")  # gone for much longer than its grace
    assert ending.settle_orphan(entry, "the worker died")
    presence.beat("probe", [entry.job_id], 15)  # a page comes
    presence.close("probe", entry.job_id, Absence.CLOSED)  # and goes again
    line.client.zadd(line.keys.due, {entry.job_id: 1})
    watch_since(1000)
    assert Keeper().round()["dropped"] == 0
    assert line.claim("w2") == (entry.job_id, 0)


# The disk


def test_a_full_disk_takes_nobody_in_and_keeps_no_part_of_a_file(
    db: None, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = uuid.uuid4()
    chunks = ContentFile.chunks

    def run_out(self: "ContentFile[bytes]", *_: Any) -> Iterator[bytes]:
        yield b"the beginning"
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(ContentFile, "chunks", run_out)
    with pytest.raises(StorageFull):
        joining.join(
            registry.get_task("probe"),
            code=code,
            owner=joining.Owner(uuid.uuid4()),
            upload=ContentFile(b"the beginning and the end", name="a.csv"),
            content_type="text/csv",
            options={},
        )
    monkeypatch.setattr(ContentFile, "chunks", chunks)
    assert not default_storage.exists(f"entries/{code}")
    assert not Entry.objects.exists()


def test_a_second_form_on_a_full_disk_leaves_the_input_of_the_first_alone(
    db: None, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, visitor = uuid.uuid4(), uuid.uuid4()

    def send() -> Entry:
        return joining.join(
            registry.get_task("probe"),
            code=code,
            owner=joining.Owner(visitor),
            upload=ContentFile(b"the same file", name="a.csv"),
            content_type="text/csv",
            options={},
        )

    first = send()

    def run_out(self: "ContentFile[bytes]", *_: Any) -> Iterator[bytes]:
        raise OSError(errno.ENOSPC, "No space left on device")
        yield b""

    with monkeypatch.context() as full_disk:
        full_disk.setattr(ContentFile, "chunks", run_out)
        with pytest.raises(StorageFull):
            send()
    with first.input.open() as stored:
        assert stored.read() == b"the same file"
    assert len(default_storage.listdir(f"entries/{code}")[1]) == 1


# The keeper's budget


def test_a_long_purge_does_not_hold_up_a_round(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "SMALL_BATCH", 2)
    over = timezone.now() - timedelta(hours=2)
    Entry.objects.bulk_create(
        Entry(queue="probe", status=Status.FAILED, reason=Reason.ERROR, finished_at=over) for _ in range(10)
    )
    keeper = Keeper()
    monkeypatch.setattr("queueing.keeper.round.PURGE_BUDGET", -1.0)
    assert keeper.round()["purged"] == 0
    assert purge.purge_entries(timedelta(0), until=time.monotonic() + 0.0001).total() in {0, 2}  # one small batch
    monkeypatch.setattr("queueing.keeper.round.PURGE_BUDGET", 60.0)
    left = Entry.objects.count()
    assert keeper.round()["purged"] == left  # not a minute later: the last round did not come to the end
