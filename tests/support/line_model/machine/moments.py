"""Time as data: a moment is moved, never waited for."""

from datetime import timedelta

from django.db.models.functions import Now
from django.utils import timezone

from queueing.line import clients, keys
from queueing.line.places import get_line
from queueing.models import Entry, EntryQuerySet
from tests.support.line_model.model.members import CLOSE_GRACE, KEEP_GRACE, LEASE, LOST_GRACE, MAX_ATTEMPTS, Member

# Settings of the site under test. No key and no deadline runs out by itself.
CLOCKS: dict[str, int] = {
    "PRESENCE_TTL": 500_000,
    "CLOSE_GRACE": CLOSE_GRACE,
    "LOST_GRACE": LOST_GRACE,
    "KEEP_GRACE": KEEP_GRACE,
    "LEASE": LEASE,
    "MAX_ATTEMPTS": MAX_ATTEMPTS,
    "RESULT_TTL": 3600,
}


def now_ms() -> int:
    """The clock of Redis."""
    seconds, micros = clients.connection().time()
    return int(seconds * 1000 + micros // 1000)


def rows_of(member: Member) -> EntryQuerySet:
    return Entry.objects.of_jobs([member.id])


def pass_deadline(member: Member) -> None:
    clients.connection().zadd(keys.line_keys("probe").due, {member.id: 1})


def age_claim(worker: str) -> None:
    claim = get_line("probe").claims()[worker]
    clients.connection().hset(keys.line_keys("probe").claims, worker, f"{claim.job_id}:{claim.score:.0f}:1")


def end_lease(member: Member) -> None:
    rows_of(member).update(lease_until=Now() - timedelta(seconds=1))


def age_result(member: Member) -> None:
    rows_of(member).update(finished_at=timezone.now() - timedelta(seconds=2 * CLOCKS["RESULT_TTL"]))


def set_watch(age: str) -> None:
    """Web processes have been beating for longer than LOST_GRACE ("old"), for a moment ("young"), or do not beat."""
    if age:
        seconds = 2 * LOST_GRACE if age == "old" else 10
        clients.connection().set(keys.WATCH, now_ms() - 1000 * seconds)
    else:
        clients.connection().delete(keys.WATCH)


def lose_presence(member: Member) -> None:
    clients.connection().delete(keys.presence_key(member.id))
