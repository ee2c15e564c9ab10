"""The line, presence and the keeper beside a model in plain Python, under any order of events.

Real Valkey, real database; time is moved by data. In `make test` the same examples run each time; `make test-slow`
looks at new ones for two minutes. To look further, by hand: `pytest tests/test_line_model.py
--hypothesis-profile=explore --timeout=0`.

It fails, as it must, when a claim does not look at presence, a beat gives another score, a drop does not look once
more, a restore forgets those who are held or claimed, or a hold leaves the id in the line.
"""

import itertools
import math
import shutil
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.db.models.functions import Now
from django.utils import timezone
from hypothesis import HealthCheck, Phase, seed
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from rq.queue import Queue
from rq.serializers import JSONSerializer

from queueing import keeper as keeper_module
from queueing import keys, presence, purge, runner, services, tasks
from queueing.keeper import Keeper
from queueing.line import LineQueue, get_line
from queueing.models import Entry, EntryQuerySet
from queueing.states import Reason
from tests import line_model, probe
from tests.line_model import LineModel, Member

# No key and no deadline runs out by itself.
CLOCKS: dict[str, int] = {
    "PRESENCE_TTL": 500_000,
    "CLOSE_GRACE": line_model.CLOSE_GRACE,
    "LOST_GRACE": line_model.LOST_GRACE,
    "KEEP_GRACE": line_model.KEEP_GRACE,
    "LEASE": line_model.LEASE,
    "MAX_ATTEMPTS": line_model.MAX_ATTEMPTS,
    "RESULT_TTL": 3600,
}
# The first example of a seed is the simplest one, the second is random; those after it are mostly its variations.
SEEDS = 90
ONE_OF_A_SEED = examples(
    max_examples=2,
    stateful_step_count=20,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.generate],  # to make a failing example shorter takes longer than a test may run
)
LONGER_ONE_OF_A_SEED = examples(ONE_OF_A_SEED, stateful_step_count=40)
EXPLORING = 120  # seconds
# Seconds by which a deadline may differ from the model's, which has no clock.
SLACK = 10_000
WORKERS, MOST_LIVE = 2, 16
# Windows of the scripts, so small that a short line has several.
SMALL_WINDOW = 4
# A flush ends most of what the events before it led to, and rules that need nobody would come too often.
MOST_FLUSHES, STEPS_TO_ROUND = 1, 2
AFTER_CLAIM = st.sampled_from(["starts", "starts", "starts", "waits", "did not hear"])
PRIORITIES = st.sampled_from([0, 0, 0, 5, -5])


# Time, as data


def now_ms() -> int:
    seconds, micros = keys.connection().time()
    return int(seconds * 1000 + micros // 1000)


def rows_of(member: Member) -> EntryQuerySet:
    return Entry.objects.of_jobs([member.id])


def pass_deadline(member: Member) -> None:
    keys.connection().zadd(keys.line_keys("probe").due, {member.id: 1})


def age_claim(worker: str) -> None:
    job_id, score, _ = get_line("probe").claims()[worker]
    keys.connection().hset(keys.line_keys("probe").claims, worker, f"{job_id}:{score:.0f}:1")


def end_lease(member: Member) -> None:
    rows_of(member).update(lease_until=Now() - timedelta(seconds=1))


def set_joined(member: Member) -> None:
    """Long ago, or so late that the keeper takes the place for one that is still on its way."""
    rows_of(member).update(joined_at=timezone.now() + timedelta(hours=24 if member.newborn else -1))


def age_result(member: Member) -> None:
    rows_of(member).update(finished_at=timezone.now() - timedelta(seconds=2 * CLOCKS["RESULT_TTL"]))


def set_watch(age: str) -> None:
    """Web processes beat for longer than LOST_GRACE (old), for a moment (young), or not at all."""
    if age:
        seconds = 2 * line_model.LOST_GRACE if age == "old" else 10
        keys.connection().set(keys.WATCH, now_ms() - 1000 * seconds)
    else:
        keys.connection().delete(keys.WATCH)


def lose_presence(member: Member) -> None:
    keys.connection().delete(keys.PRESENCE.format(job_id=member.id))


# Who can be chosen


@dataclass(eq=False, slots=True)
class Worker:
    name: str
    hand: Member | None = None  # what it was told to run
    entry: Entry | None = None  # the row, as its running attempt read it

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(self.name)


def is_seen(member: Member) -> bool:
    return member.present and member.attended and member.has_row


def is_away(member: Member) -> bool:
    return member.place == "held" and not member.present and member.attended and member.has_row


def is_held_and_present(member: Member) -> bool:
    return member.place == "held" and member.present


def is_idle(worker: Worker) -> bool:
    return worker.hand is None


def is_told(worker: Worker) -> bool:
    return worker.hand is not None and worker.entry is None


def is_running(worker: Worker) -> bool:
    return worker.entry is not None


def is_started(member: Member) -> bool:
    return member.status == "running"


def is_waiting(member: Member) -> bool:
    return member.status == "waiting"


def has_place(member: Member) -> bool:
    return member.status == "waiting" and member.place in {"line", "held"}


# What is there


@dataclass(frozen=True, slots=True)
class Seen:
    """The real state, as the modules tell it."""

    line: list[str]
    held: list[str]
    claims: dict[str, str]
    present: set[str]
    noted: set[str]  # a goodbye was said outside of the line
    deadlines: dict[str, float]  # seconds from now
    rows: dict[str, "Row"]

    def waiting(self) -> list[str]:
        """Waiting rows in the order of joining, higher priorities first."""
        waiting = [(-row.priority, row.pk, job_id) for job_id, row in self.rows.items() if row.status == "waiting"]
        return [job_id for *_, job_id in sorted(waiting)]

    def grown(self, members: list[Member]) -> list[str]:
        """Of these all but the newborn without a place, which the keeper leaves alone."""
        newborn = {member.id for member in members if member.newborn}.difference(self.placed())
        return [job_id for job_id in self.waiting() if job_id not in newborn]

    def placed(self) -> list[str]:
        return [*self.line, *self.held, *self.claims.values()]


class Row(NamedTuple):
    pk: int
    priority: int
    status: str
    attempt: int
    reason: str


def see(members: list[Member]) -> Seen:
    line, client, now = get_line("probe"), keys.connection(), now_ms()
    job_ids = [member.id for member in members]
    due = client.zrange(line.keys.due, 0, -1, withscores=True)
    rows = Entry.objects.values_list("code", *Row._fields)
    return Seen(
        line=line.get_job_ids()[: line.connection.zcard(line.keys.line)],
        held=line.held_ids(),
        claims={worker: job_id for worker, (job_id, *_) in line.claims().items()},
        present=having(keys.PRESENCE, job_ids),
        noted=having(keys.GONE, job_ids),
        deadlines={job_id.decode(): (at - now) / 1000 for job_id, at in due},
        rows={code.hex: Row(*values) for code, *values in rows},
    )


def having(template: str, job_ids: list[str]) -> set[str]:
    values = keys.connection().mget([template.format(job_id=job_id) for job_id in job_ids]) if job_ids else []
    return {job_id for job_id, value in zip(job_ids, values, strict=True) if value}


# What must be so whatever the model says


def everybody_is_in_one_place(seen: Seen) -> None:
    assert max(Counter(seen.placed()).values(), default=1) == 1, "somebody is in two places"


def order_is_join_order(seen: Seen) -> None:
    for place in (seen.line, seen.held):
        rows = [job_id for job_id in place if job_id in seen.rows and seen.rows[job_id].status == "waiting"]
        there = set(rows)
        assert rows == [job_id for job_id in seen.waiting() if job_id in there], "somebody lost the old place"


def nobody_present_is_dropped(before: Seen, after: Seen) -> None:
    dropped = {
        job_id
        for job_id, row in after.rows.items()
        if row.status == "abandoned" and before.rows[job_id].status == "waiting"
    }
    assert not dropped & before.present, "somebody who is present was dropped"


def every_waiting_row_has_a_place(seen: Seen, members: list[Member]) -> None:
    assert set(seen.grown(members)) <= set(seen.placed()), "a waiting row has no place"


def line_equals_the_rows(seen: Seen, members: list[Member]) -> None:
    """But for orphans who are away; a restored entry is in the line first, whether its visitor is there or not."""
    held = [job_id for job_id in seen.held if seen.rows[job_id].reason == "orphaned"]
    in_line = [job_id for job_id in seen.grown(members) if job_id not in held]
    assert (seen.line, seen.held, seen.claims) == (in_line, held, {}), "after a flush the line is not that of the rows"


class LineMachine(RuleBasedStateMachine):
    """Each rule does a thing to the real line and to the model; then both must look the same."""

    def __init__(self) -> None:
        super().__init__()
        keys.connection().flushall()
        Entry.objects.all().delete()
        shutil.rmtree(Path(django_settings.MEDIA_ROOT) / "entries", ignore_errors=True)
        self.line: LineQueue = get_line("probe")
        self.model = LineModel()
        self.made = 0
        self.flushes = 0
        self.since_round = 0
        self.workers = [self.new_worker() for _ in range(WORKERS)]
        self.keeper = self.new_keeper()
        self.keeper.client.set("queueing:epoch", 1)  # no flush has just happened

    # Who can be chosen; in the order of joining, so that an example means the same when it runs again

    def those(self, is_wanted: Callable[[Member], bool]) -> list[Member]:
        return [member for member in self.model.members if is_wanted(member)]

    def visitors(self) -> list[Member]:
        return self.those(lambda member: member.has_row and member.attended)

    def pick(self, data: st.DataObject, is_wanted: Callable[[Member], bool]) -> Member:
        return data.draw(st.sampled_from(self.those(is_wanted)))

    def pick_worker(self, data: st.DataObject, is_wanted: Callable[[Worker], bool]) -> Worker:
        return data.draw(st.sampled_from([worker for worker in self.workers if is_wanted(worker)]))

    def new_number(self) -> int:
        self.made += 1
        return self.made

    def new_worker(self) -> Worker:
        return Worker(f"worker{self.new_number()}")

    def new_keeper(self) -> Keeper:
        made = Keeper()
        made._no_leases_before = 0
        return made

    def replace(self, worker: Worker) -> None:
        self.workers[self.workers.index(worker)] = self.new_worker()

    def has_room(self) -> bool:
        return len(self.those(lambda member: member.is_live)) < MOST_LIVE

    # Visitors

    @initialize(data=st.data(), priorities=st.lists(PRIORITIES, min_size=3, max_size=10), newborn=st.booleans())
    def begin(self, data: st.DataObject, priorities: list[int], newborn: bool) -> None:
        self.watch("old")
        for priority in priorities[1:]:
            self.join(priority=priority, attended=True, newborn=False)
        self.join(priority=priorities[0], attended=False, newborn=newborn)
        self.life_goes_on(data)

    @precondition(has_room)
    @rule(
        priority=PRIORITIES,
        attended=st.sampled_from([True, True, True, False]),
        newborn=st.sampled_from([False, False, True]),
    )
    def join(self, priority: int, attended: bool, newborn: bool) -> None:
        """As `services.enqueue`, with a code that is the same in every run."""
        entry = Entry(
            code=uuid.UUID(int=self.new_number()),
            queue="probe",
            task_path=probe.probe.module_path,
            priority=priority,
            needs_presence=attended,
        )
        entry.save(force_insert=True)
        services.place(entry)
        self.joined(entry, newborn=newborn)

    @precondition(has_room)
    @rule(keeps=st.booleans())
    def join_with_a_file(self, keeps: bool) -> None:
        entry = services.join(
            tasks.get("probe"),
            code=uuid.UUID(int=self.new_number()),
            visitor=uuid.uuid4(),
            upload=ContentFile(b"input", name="input.csv"),
            content_type="text/csv",
            options={},
        )
        self.joined(entry, newborn=False)
        if keeps:
            self.keep_place(self.model.members[-1])

    def joined(self, entry: Entry, *, newborn: bool) -> None:
        member = Member(
            f"entry{self.made}", entry.job_id, entry.pk, entry.priority, attended=entry.needs_presence, newborn=newborn
        )
        set_joined(member)
        self.model.join(member)
        if newborn:  # its place has not followed yet
            self.line.forget_place(member.id)
            self.model.lose_place(member)

    @precondition(lambda self: self.those(lambda member: member.newborn))
    @rule()
    def nobody_is_newborn_any_more(self) -> None:
        for member in self.those(lambda member: member.newborn):
            member.newborn = False
            set_joined(member)

    @precondition(visitors)
    @rule(data=st.data())
    def beat(self, data: st.DataObject) -> None:
        self.beat_for(data.draw(st.lists(st.sampled_from(self.visitors()), unique=True, min_size=1, max_size=6)))

    @precondition(lambda self: self.those(is_away))
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        self.beat_for([self.pick(data, is_away)])

    def beat_for(self, members: list[Member]) -> None:
        back = self.model.beat(members)
        assert presence.beat("probe", [m.id for m in members], CLOCKS["PRESENCE_TTL"]) == [m.id for m in back]
        for member in back:
            if member.status == "waiting":
                self.has_old_place(member)

    def has_old_place(self, member: Member) -> None:
        ahead = [other for other in self.model.line() if other.rank[:2] < member.rank[:2]]
        held_ahead = [other for other in self.model.held() if other.rank[:2] < member.rank[:2]]
        standing, claimed, _ = self.line.standing(member.id, rows_of(member).get().score)
        assert standing == (len(ahead), len(held_ahead)), f"{member} is not in the old place"
        assert not claimed

    @precondition(lambda self: self.those(is_seen))
    @rule(data=st.data(), cause=st.sampled_from(["closed", "lost"]))
    def close(self, data: st.DataObject, cause: presence.Cause) -> None:
        self.close_page(self.pick(data, is_seen), cause)

    @precondition(visitors)
    @rule(data=st.data(), cause=st.sampled_from(["closed", "lost"]))
    def close_late(self, data: st.DataObject, cause: presence.Cause) -> None:
        """Of an entry in whatever state, present or not."""
        self.close_page(data.draw(st.sampled_from(self.visitors())), cause)

    def close_page(self, member: Member, cause: presence.Cause) -> None:
        presence.close("probe", member.id, cause)
        self.model.close(member, cause)

    @precondition(lambda self: self.those(is_seen))
    @rule(data=st.data())
    def lose(self, data: st.DataObject) -> None:
        """The presence keys of some pages have run out."""
        self.lose_pages(data.draw(st.lists(st.sampled_from(self.those(is_seen)), unique=True, min_size=1, max_size=6)))

    def lose_pages(self, members: list[Member]) -> None:
        for member in members:
            lose_presence(member)
            member.present = False

    def may_show_up(self) -> bool:
        """A drop that meets nothing but these in its window would leave the rest to the next round."""
        return bool(self.those(is_away)) and len(self.those(is_held_and_present)) < SMALL_WINDOW - 1

    @precondition(may_show_up)
    @rule(data=st.data(), in_time=st.booleans())
    def show_up_in_the_last_moment(self, data: st.DataObject, in_time: bool) -> None:
        """Presence without a return to the line: what `drop` looks for."""
        member = self.pick(data, is_away)
        keys.connection().set(keys.PRESENCE.format(job_id=member.id), 1)
        member.present = True
        if not in_time:
            self.end_absences([member])
            self.keeper_round(restarts=False)

    @precondition(lambda self: self.those(lambda member: member.has_row))
    @rule(data=st.data())
    def leave(self, data: st.DataObject) -> None:
        self.leave_by(self.pick(data, lambda member: member.has_row))

    def leave_by(self, member: Member) -> None:
        services.leave(rows_of(member).get())
        self.model.leave(member)

    @precondition(visitors)
    @rule(data=st.data())
    def keep(self, data: st.DataObject) -> None:
        self.keep_place(data.draw(st.sampled_from(self.visitors())))

    def keep_place(self, member: Member) -> None:
        assert services.keep(rows_of(member).get()) == self.model.keep(member)

    @precondition(visitors)
    @rule(data=st.data())
    def look(self, data: st.DataObject) -> None:
        member = data.draw(st.sampled_from(self.visitors()))
        look = presence.look(member.id)
        assert (look.present, look.blind) == (member.present, self.model.watch != "old")
        note = None if member.present else member.note
        assert (look.gone_for is None) == (note is None)
        if note:
            assert (look.cause, look.grace) == (note.cause, note.seconds)

    # Workers

    def worker_steps(self, worker: Worker) -> list[Callable[[], None]]:
        """What a worker can do next, and what can happen to it."""
        member = worker.hand
        steps: list[Callable[[], None]]
        if member is None:
            steps = [partial(self.claim_by, worker, then) for then in ("starts", "waits", "did not hear")]
        elif is_running(worker):
            steps = [
                partial(self.finish_by, worker, succeeds=True),
                partial(self.horse_dies, worker),
                partial(self.replace, worker),
            ]
            if is_started(member):
                steps += [partial(self.take_lease, member), partial(self.take_over, member)]
        else:
            steps = [partial(self.start_by, worker, then) for then in ("", "claim stays", "gives back")]
            steps += [partial(self.horse_dies, worker)]
            if self.has_claim(worker):
                steps += [partial(self.start_late, worker)]
        if self.has_claim(worker):
            steps += [partial(self.take_claim, worker), partial(self.stop, worker)]
        if member is not None and member.has_row:
            steps += [partial(self.leave_by, member)]
            if self.has_claim(worker):
                steps += [partial(self.leave_and_stop, worker, member)]
            if member.attended:
                steps += [partial(self.close_page, member, "closed"), partial(self.lose_pages, [member])]
                steps += [partial(self.keep_place, member)]
        return steps

    @precondition(lambda self: any(is_idle(worker) for worker in self.workers))
    @rule(data=st.data(), then=AFTER_CLAIM)
    def claim(self, data: st.DataObject, then: str) -> None:
        self.claim_by(self.pick_worker(data, is_idle), then)

    def claim_by(self, worker: Worker, then: str) -> None:
        """A worker that did not hear the reply asks again some time later, or dies."""
        has_claim = worker.name in self.model.claims
        expected, passed = self.model.claim(worker.name)
        job_id, really_passed = self.line.claim(worker.name)
        if job_id and not has_claim:
            assert presence.is_present(job_id), "somebody absent was claimed"
        assert (job_id, really_passed) == (expected.id if expected else None, passed)
        if then != "did not hear":
            worker.hand = expected
        if then == "starts" and expected:
            self.start_by(worker, "")

    @precondition(lambda self: any(is_told(worker) for worker in self.workers))
    @rule(data=st.data(), then=st.sampled_from(["", "", "", "claim stays", "gives back"]))
    def start(self, data: st.DataObject, then: str) -> None:
        """As the runner does, but for the task itself. A claim may stay behind, or the visitor leave meanwhile."""
        self.start_by(self.pick_worker(data, is_told), then)

    def start_by(self, worker: Worker, then: str) -> None:
        member = worker.hand
        assert member is not None
        if member.foreign:
            self.line.end_claim(worker.name, member.id)
            lose_presence(member)
            self.model.end_claim(worker.name, member)
            member.present, worker.hand = False, None
        elif self.model.wants_start(member):
            worker.entry = rows_of(member).get()
            assert worker.entry.start(worker.name)
            self.model.start(member, worker.name)
            if then == "gives back":
                self.give_back(worker, member)
            elif not then:
                self.line.end_claim(worker.name, member.id)
                self.model.end_claim(worker.name, member)
        else:
            self.refuse(worker, member)

    def start_late(self, worker: Worker) -> None:
        """By then the claim has gone back to its place."""
        self.take_claim(worker)
        self.start_by(worker, "")

    def give_back(self, worker: Worker, member: Member) -> None:
        assert worker.entry is not None
        assert worker.entry.give_back()
        services.release(worker.entry, worker.name)
        self.model.give_back(member)
        self.model.release(worker.name, member, by_row=True)
        worker.hand = worker.entry = None

    def refuse(self, worker: Worker, member: Member) -> None:
        """No start: the row has moved on, or nobody is there. The task is not called, so this is the real runner."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("RQ_WORKER_ID", worker.name)
            runner.run_entry(member.id)
        if member.status == "waiting":
            self.model.release(worker.name, member, by_row=True)
        elif member.has_row:
            self.model.end_claim(worker.name, member)
        self.settle(worker)

    @precondition(lambda self: any(is_running(worker) for worker in self.workers))
    @rule(data=st.data(), succeeds=st.booleans())
    def finish(self, data: st.DataObject, succeeds: bool) -> None:
        self.finish_by(self.pick_worker(data, is_running), succeeds=succeeds)

    def finish_by(self, worker: Worker, *, succeeds: bool) -> None:
        """Maybe too late: somebody else has the entry, or it was stopped."""
        member, entry = worker.hand, worker.entry
        assert member is not None
        assert entry is not None
        attempt = entry.attempt
        moved = entry.succeed({}) if succeeds else entry.fail(Reason.ERROR)
        assert moved == self.model.finish(member, attempt, "succeeded" if succeeds else "failed")
        if member.has_row:
            entry.refresh_from_db()
            if entry.attempt == attempt and not entry.is_live:
                services.ended(entry)
        self.settle(worker)

    def horse_dies(self, worker: Worker) -> None:
        if worker.hand and not worker.hand.foreign:
            self.settle(worker)

    def settle(self, worker: Worker) -> None:
        """As the worker does when its horse has ended."""
        member = worker.hand
        assert member is not None
        worker.hand = worker.entry = None
        if not member.has_row:
            self.line.end_claim(worker.name, member.id)
            self.line.forget(member.id)
            self.model.end_claim(worker.name, member)
            self.model.forget(member)
        elif member.status == "running" and member.worker == worker.name:
            services.orphan(rows_of(member).get(), "died")
            self.model.orphan(member)
        elif member.status == "waiting":
            self.release(worker.name, member)

    @precondition(lambda self: any(is_running(worker) for worker in self.workers))
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        worker = self.pick_worker(data, is_running)
        assert worker.hand is not None
        assert worker.entry is not None
        is_mine = self.model.is_mine(worker.hand, worker.entry.attempt)
        assert worker.entry.renew_lease() == is_mine
        if is_mine:
            worker.hand.lease_over = False

    @precondition(lambda self: any(worker.hand or self.has_claim(worker) for worker in self.workers))
    @rule(data=st.data())
    def die(self, data: st.DataObject) -> None:
        """With kill -9: claim and lease stay behind."""
        self.replace(self.pick_worker(data, lambda worker: worker.hand is not None or self.has_claim(worker)))

    def stop(self, worker: Worker) -> None:
        """As the worker's teardown: what it was given and did not start goes back at once."""
        job_id, score, _ = self.line.claims()[worker.name]
        member = self.model.claims[worker.name].member
        place = self.line.release(worker.name, job_id, score)
        assert place == self.model.release(worker.name, member, by_row=False)
        self.replace(worker)

    def leave_and_stop(self, worker: Worker, member: Member) -> None:
        """The claim of an entry that has ended becomes a place without a waiting row."""
        self.leave_by(member)
        self.stop(worker)

    def has_claim(self, worker: Worker) -> bool:
        return worker.name in self.model.claims and not is_running(worker)

    # Others

    @precondition(lambda self: len(self.model.inbox) < 3)
    @rule()
    def foreign_push(self) -> None:
        name = f"foreign{self.new_number():04}"
        self.stock().enqueue("tests.foreign.note", "x", job_id=name)
        member = Member(name, name, foreign=True, status="foreign")
        self.model.members.append(member)
        self.model.push(member)

    @precondition(lambda self: self.those(lambda member: member.has_row) and len(self.model.inbox) < 3)
    @rule(data=st.data())
    def requeue(self, data: st.DataObject) -> None:
        """Staff press "requeue" in RQ's own dashboard; the entry may be anywhere by then."""
        member = self.pick(data, lambda member: member.has_row)
        self.stock().push_job_id(member.id)
        self.model.push(member)

    def stock(self) -> Queue:
        return Queue("probe", connection=self.line.connection, serializer=JSONSerializer)

    # Time

    @precondition(lambda self: self.model.watch == "old")
    @rule(age=st.sampled_from(["young", ""]))
    def watch_goes(self, age: str) -> None:
        self.watch(age)

    @precondition(lambda self: self.model.watch != "old")
    @rule()
    def watch_grows_old(self) -> None:
        self.watch("old")

    def watch(self, age: str) -> None:
        set_watch(age)
        self.model.watch = age

    @precondition(lambda self: self.model.held())
    @rule(data=st.data())
    def deadlines_pass(self, data: st.DataObject) -> None:
        self.end_absences(data.draw(st.lists(st.sampled_from(self.model.held()), unique=True, min_size=1)))

    @precondition(lambda self: self.model.claims)
    @rule(data=st.data())
    def claim_gets_old(self, data: st.DataObject) -> None:
        self.age_claims([data.draw(st.sampled_from(sorted(self.model.claims)))])

    def take_claim(self, worker: Worker) -> None:
        """While the worker is still about to start it."""
        self.age_claims([worker.name])
        assert self.keeper.recover_claims(self.line) == self.model.recover_claims()

    def take_lease(self, member: Member) -> None:
        """While its worker still runs the task."""
        self.end_leases([member])
        assert self.keeper.recover_leases() == self.model.recover_orphans()

    def take_over(self, member: Member) -> None:
        self.take_lease(member)
        for worker in self.workers:
            if is_idle(worker):
                self.claim_by(worker, "starts")

    @precondition(lambda self: self.those(is_started))
    @rule(data=st.data())
    def lease_ends(self, data: st.DataObject) -> None:
        self.end_leases([self.pick(data, is_started)])

    @precondition(lambda self: self.model.held() or self.model.claims or self.those(is_started))
    @rule()
    def much_time_passes(self) -> None:
        """For everybody; who is present was present all the time."""
        self.end_absences(self.model.held())
        self.age_claims(list(self.model.claims))
        self.end_leases(self.those(is_started))

    def end_absences(self, members: list[Member]) -> None:
        for member in members:
            assert member.absence is not None
            member.absence.is_over = True
            pass_deadline(member)

    def age_claims(self, workers: list[str]) -> None:
        for worker in workers:
            self.model.claims[worker].is_old = True
            age_claim(worker)

    def end_leases(self, members: list[Member]) -> None:
        for member in members:
            member.lease_over = True
            end_lease(member)

    @precondition(lambda self: self.those(lambda member: member.status in line_model.FINAL and not member.stale))
    @rule(data=st.data())
    def result_gets_old(self, data: st.DataObject) -> None:
        member = self.pick(data, lambda member: member.status in line_model.FINAL and not member.stale)
        member.stale = True
        age_result(member)

    # Redis

    @precondition(lambda self: self.those(has_place))
    @rule(data=st.data())
    def place_is_lost(self, data: st.DataObject) -> None:
        member = self.pick(data, has_place)
        self.line.forget_place(member.id)
        self.model.lose_place(member)

    def may_flush(self) -> bool:
        return self.flushes < MOST_FLUSHES and bool(self.model.line())

    @precondition(may_flush)
    @rule(pages_beat=st.booleans())
    def flush(self, pages_beat: bool) -> None:
        """Redis loses everything; pages that are open beat within a second."""
        open_pages = self.those(is_seen)
        self.flushes += 1
        keys.connection().flushall()
        self.model.flush_redis()
        if open_pages and pages_beat:
            self.beat_for(open_pages[::-1])

    @precondition(lambda self: self.model.flush == "pause")
    @rule()
    def pause_ends(self) -> None:
        self.model.flush = ""
        self.keeper._flushed_at = time.monotonic() - keeper_module.FLUSH_PAUSE

    @precondition(may_flush)
    @rule(pages_beat=st.booleans())
    def flush_and_one_round(self, pages_beat: bool) -> None:
        self.flush(pages_beat=pages_beat)
        self.keeper_round(restarts=False)
        self.pause_ends()
        self.keeper_round(restarts=False)
        line_equals_the_rows(self.see(), self.model.members)

    # Keeper

    @precondition(lambda self: self.since_round > STEPS_TO_ROUND)
    @rule(restarts=st.sampled_from([False, False, True]))
    def keeper_round(self, restarts: bool) -> None:
        """A new keeper does not know of a flush that the old one saw."""
        if restarts:
            self.keeper = self.new_keeper()
            self.model.flush = "" if self.model.flush == "pause" else self.model.flush
        self.since_round = 0
        keeper, before = self.keeper, self.see()
        keeper._reconciled = dict.fromkeys(django_settings.QUEUEING_TASKS, -math.inf)
        keeper._purged_at = -math.inf
        keeper._round_at = time.time()
        keeper._facts_at = time.monotonic()  # of no concern here
        counts, expected = keeper.round(), self.model.round()
        if self.model.flush == "pause":
            keeper._flushed_at = time.monotonic() + 3600
        after = self.see()
        nobody_present_is_dropped(before, after)
        if not self.model.flush:
            every_waiting_row_has_a_place(after, self.model.members)
        del counts["moves written"]
        assert {name: count for name, count in counts.items() if count} == dict(+expected)

    @precondition(lambda self: self.model.claims or self.model.held())
    @rule()
    def restore_late(self) -> None:
        """As a second keeper that saw no place for anybody a moment ago."""
        waiting = self.those(is_waiting)
        places = [(member.id, float(rows_of(member).get().score)) for member in waiting]
        assert self.line.restore(places) == [member.id for member in self.model.restore(waiting)]

    @precondition(lambda self: self.those(is_waiting))
    @rule(data=st.data())
    def release_late(self, data: st.DataObject) -> None:
        """As a worker that has lost the claim, or (with no name) as a second keeper that saw an orphan a moment ago."""
        worker = data.draw(st.sampled_from(["", *(worker.name for worker in self.workers)]))
        self.release(worker, self.pick(data, is_waiting))

    def release(self, worker: str, member: Member) -> None:
        assert services.release(rows_of(member).get(), worker) == self.model.release(worker, member, by_row=True)

    @precondition(lambda self: self.those(lambda member: member.stale or member.lease_over))
    @rule()
    def purge(self) -> None:
        counts = purge.purge_stale(timedelta(seconds=CLOCKS["RESULT_TTL"]))
        assert counts["orphaned entries recovered"] == self.model.recover_orphans()
        assert sum(count for name, count in counts.items() if name.endswith(" entries")) == self.model.purge_rows()
        self.model.purge_keys()

    # Everything, in turn

    @rule(data=st.data())
    def life_goes_on(self, data: st.DataObject) -> None:
        """What usually comes next: rare orders of events begin with many such steps.

        Hypothesis leaves out about half of the rules in each example; here nothing is left out.
        """
        for _ in range(data.draw(st.integers(0, 30))):
            actor = data.draw(st.sampled_from(["worker", "worker", "worker", "visitor", "keeper"]))
            if actor == "worker":
                steps = self.worker_steps(data.draw(st.sampled_from(self.workers)))
            elif actor == "visitor":
                steps = self.visitor_steps(data)
            else:
                steps = self.keeper_steps(data)
            data.draw(st.sampled_from(steps))()
            self.both_are_the_same()

    def visitor_steps(self, data: st.DataObject) -> list[Callable[[], None]]:
        visitors = self.visitors()
        if not any(member.is_live for member in visitors):
            return [partial(self.join_with_a_file, keeps=False)]
        if not any(member.present for member in self.model.line()):
            return [partial(self.beat_for, visitors)]
        member = data.draw(st.sampled_from(visitors))
        return [partial(self.lose_pages, [member]), partial(self.close_page, member, "closed")]

    def keeper_steps(self, data: st.DataObject) -> list[Callable[[], None]]:
        if self.model.flush == "pause":
            return [self.pause_ends]
        steps = [partial(self.keeper_round, restarts=False), self.much_time_passes]
        if self.those(is_waiting):
            steps += [partial(self.release_late, data)]
        if self.may_show_up():
            steps += [partial(self.show_up_in_the_last_moment, data, in_time=False)]
        return steps

    # After each step

    def see(self) -> Seen:
        return see(self.model.members)

    @invariant()
    def both_are_the_same(self) -> None:
        self.since_round += 1
        model, seen = self.model, self.see()
        everybody_is_in_one_place(seen)
        order_is_join_order(seen)
        assert self.names(seen.line) == names(model.line())
        assert self.names(seen.held) == names(model.held())
        assert self.line.count == len(model.line()) + len(model.inbox)
        assert seen.claims == {worker: claim.member.id for worker, claim in model.claims.items()}
        assert seen.present == {member.id for member in model.members if member.present}
        assert seen.noted == {member.id for member in model.members if member.note}
        assert {job_id: row[2:] for job_id, row in seen.rows.items()} == {
            member.id: (member.status, member.attempt, member.reason) for member in model.members if member.has_row
        }
        assert seen.deadlines.keys() == set(seen.held)
        for member in model.held():
            assert member.absence is not None
            seconds = seen.deadlines[member.id]
            assert seconds < 0 if member.absence.is_over else abs(seconds - member.absence.seconds) < SLACK

    def names(self, job_ids: Iterable[str]) -> list[str]:
        known = {member.id: member.name for member in self.model.members}
        return [known.get(job_id, job_id) for job_id in job_ids]


def names(members: Iterable[Member]) -> list[str]:
    return [member.name for member in members]


@pytest.fixture
def as_in_the_model(transactional_db: None, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.QUEUEING = CLOCKS
    monkeypatch.setattr(keeper_module, "WINDOW", SMALL_WINDOW)
    # Rows have greater numbers than any job of somebody else's in an empty line, in the first example too.
    Entry.objects.bulk_create(Entry(queue="probe") for _ in range(500))


def test_the_line_does_what_its_model_does(as_in_the_model: None) -> None:
    if examples.get_current_profile_name() == "explore":
        run_state_machine_as_test(LineMachine)
        return
    for number in range(SEEDS):
        run_state_machine_as_test(seed(number)(LineMachine), settings=ONE_OF_A_SEED)


@pytest.mark.slow
@pytest.mark.timeout(2 * EXPLORING)
def test_orders_of_events_that_were_never_tried(as_in_the_model: None) -> None:
    """Seeds are taken from the clock. The number of one that fails repeats it: `seed(number)(LineMachine)`."""
    end = time.monotonic() + EXPLORING
    for number in itertools.count(time.time_ns()):
        print(f"seed {number}")  # noqa: T201  # pytest shows the last ones when the test fails
        run_state_machine_as_test(seed(number)(LineMachine), settings=LONGER_ONE_OF_A_SEED)
        if time.monotonic() > end:
            return
