"""The line: an RQ queue whose waiting list is a sorted set, and which hands out only those who are present.

RQ's own list of the queue is an inbox: stock RQ pushes there (unique enqueue, requeue, dependents, schedules), and
each claim first moves it into the line. A claim takes the first present entry in one atomic step; absent heads step
aside into "held" and keep their score, which is their place.
"""

import time
from collections.abc import Iterable, Sequence
from functools import cache, cached_property
from typing import Any, cast

import redis
from django.dispatch import Signal
from django_rq.queues import DjangoRQ
from redis.client import Pipeline
from rq.exceptions import DequeueTimeout, DeserializationError, NoSuchJobError
from rq.job import Job, JobStatus, get_current_job
from rq.queue import Queue
from rq.serializers import JSONSerializer
from rq.timeouts import JobTimeoutException
from rq.utils import now, utcformat

from queueing.conf import conf
from queueing.keys import GONE, PRESENCE, as_list, connection, facts_key, line_keys, milliseconds, script

# What an entry's job runs. It has no arguments, the job's id is the entry's, so a lost job can always be built again.
RUNNER = "queueing.runner.run"
# Seconds an idle worker blocks at most: so long a push that wakes nobody (stock RQ's Lua) may go unnoticed.
IDLE_WAIT = 5
# Ids that one call of the claim script looks at. At first the head alone: as a rule it is present, since who was absent
# there has stepped aside.
FIRST_WINDOW, WINDOW_GROWTH, LARGEST_WINDOW = 1, 8, 500
# What RQ itself keeps of a failed job; the row has all that matters.
FAILURE_TTL = 3600

# What a task sees when it runs for longer than it may.
TaskTimeout = JobTimeoutException

# Sent with `queue` (a name) and `job_ids` before `empty()` deletes them: whoever owns rows ends them first.
emptied = Signal()


class LineQueue(DjangoRQ):
    """A line. Its public name is the queue's name."""

    # Set by the worker that owns this object: `dequeue_any` is a classmethod and is never told who calls.
    worker_name: str = ""

    def __init__(self, name: str = "default", *args: Any, **kwargs: Any) -> None:
        # Never pickle, whatever the caller passes or leaves out.
        kwargs["serializer"] = JSONSerializer
        super().__init__(name, *args, **kwargs)
        self.keys = line_keys(name)

    # Entering

    def place(self, job_id: str, score: float, *, presence: float | None, pipeline: "Pipeline | None" = None) -> None:
        """Give an entry its job, its place, and its first presence (seconds; None: nobody has to be there)."""
        pipe = self.connection.pipeline() if pipeline is None else pipeline
        pipe.sadd(self.redis_queues_keys, self.key)
        self.save_job(job_id, pipe)
        pipe.zadd(self.keys.line, {job_id: score}, nx=True)
        pipe.set(PRESENCE.format(job_id=job_id), 1, px=None if presence is None else milliseconds(presence))
        self._wake(pipe, job_id)
        pipe.incr(self.keys.version)
        if pipeline is None:
            pipe.execute()

    def restore(self, places: Sequence[tuple[str, float]]) -> list[str]:
        """Give rows that lost their place the old one back; returns the ids that had none. At most 1,000."""
        arguments = [value for job_id, score in places for value in (score, job_id)]
        return _texts(self._script("restore", *arguments)) if arguments else []

    def recall(self, job_id: str, *, keep: float | None, always_present: bool = False) -> None:
        """What the row knows and a flush may have taken: a longer hold (seconds), or that nobody has to be there."""
        if keep is not None:
            self.connection.hset(self.keys.grace, job_id, str(milliseconds(keep)))
        if always_present:
            self.connection.set(PRESENCE.format(job_id=job_id), 1)

    @cached_property
    def _job_hash(self) -> dict[Any, Any]:
        """What all jobs of entries have in common, as RQ stores it.

        Made once: RQ's way to a new job costs as much time as the whole rest of a place. Without its empty fields
        the hash stays a listpack in Redis, a third of the size.
        """
        job = self.job_class.create(
            RUNNER,
            connection=self.connection,
            serializer=self.serializer,
            origin=self.name,
            status=JobStatus.QUEUED,
            timeout=self._default_timeout,
            result_ttl=0,
            failure_ttl=FAILURE_TTL,
        )
        stored: dict[Any, Any] = job.to_dict()
        return {name: value for name, value in stored.items() if value != ""}

    def save_job(self, job_id: str, pipeline: "Pipeline | None" = None) -> None:
        """Store the RQ job of an entry: a function of the id."""
        own: dict[Any, Any] = {"created_at": utcformat(now()), "description": job_id}
        client = self.connection if pipeline is None else pipeline
        client.hset(self.job_class.key_for(job_id), mapping=self._job_hash | own)

    # Taking

    def claim(self, worker: str) -> tuple[str | None, int]:
        """The first present entry, for this worker alone, and the number of absent ones passed.

        Returns (None, passed) when nobody in the line is present.
        """
        window, total = FIRST_WINDOW, 0
        while reply := self._script("claim", worker, window, milliseconds(conf.LOST_GRACE)):
            job_id, passed = reply
            total += passed
            if job_id:
                return job_id.decode(), total
            window = min(window * WINDOW_GROWTH, LARGEST_WINDOW)
        return None, total

    def release(self, worker: str, job_id: str, score: float | None = None) -> str:
        """Give a claim (or, with worker "", an orphan) back to its place: "line", "held", or "" (not ours)."""
        place = self._script("release", worker, job_id, "" if score is None else score, milliseconds(conf.LOST_GRACE))
        return cast(bytes, place).decode()

    def end_claim(self, worker: str, job_id: str, *, started: str = "") -> None:
        """The claim was started, or is not wanted any more: no place is left behind, however late that was.

        `started` is what the timeline says of the start.
        """
        with self.connection.pipeline() as pipe:
            pipe.hdel(self.keys.claims, worker)
            self._forget_place(pipe, job_id)
            if started:
                pipe.rpush(self.keys.moves, f"{time.time() * 1000:.0f}:started:{started}:{job_id}")
            pipe.execute()

    def disclaim(self, worker: str, job_id: str) -> None:
        """As `end_claim`, by somebody else: a claim that the worker has made since it was looked at stays."""
        self._script("disclaim", worker, job_id)
        self.forget_place(job_id)

    def claims(self) -> dict[str, tuple[str, float, float]]:
        """What is handed out and not started: worker -> (job id, score, seconds ago)."""
        seconds, micros = self.connection.time()
        now = seconds * 1000 + micros / 1000
        parsed = {}
        for worker, claim in cast(dict[bytes, bytes], self.connection.hgetall(self.keys.claims)).items():
            job_id, score, at = claim.decode().split(":")
            parsed[worker.decode()] = (job_id, float(score), (now - float(at)) / 1000)
        return parsed

    @classmethod
    def dequeue_any(
        cls,
        queues: Iterable[Queue],
        timeout: int | None,
        connection: redis.Redis,
        job_class: type[Job] | None = None,
        serializer: Any = None,
        death_penalty_class: Any = None,
    ) -> tuple[Job, Queue] | None:
        """The next job whose visitor is present, from the first line that has one.

        Raises DequeueTimeout after `timeout` seconds; None means: look once, do not wait.
        """
        lines = cast("list[LineQueue]", list(queues))
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            for line in lines:
                job_id, _ = line.claim(line.worker_name)
                if job_id:
                    return line.job_to_run(job_id), line
            if deadline is None:
                return None
            wait = min(IDLE_WAIT, deadline - time.monotonic())
            if wait <= 0:
                raise DequeueTimeout(timeout, [line.key for line in lines])
            connection.blpop([line.keys.wake for line in lines], max(wait, 0.1))

    def job_to_run(self, job_id: str) -> Job:
        """The job of a claimed id; built again when its hash is gone or cannot be read."""
        job = self._read_job(job_id)
        if job is None:
            self.save_job(job_id)
            job = self.job_class.fetch(job_id, connection=self.connection, serializer=self.serializer)
        return job

    # What RQ, its dashboard and its commands ask of a queue

    @property
    def count(self) -> int:
        """Who waits and was present when last seen. Held entries are not counted."""
        with self.connection.pipeline(transaction=False) as pipe:
            pipe.zcard(self.keys.line)
            pipe.llen(self.keys.inbox)
            return sum(pipe.execute())

    def get_job_ids(self, offset: int = 0, length: int = -1) -> list[str]:
        """Ids in the order in which they would be served."""
        with self.connection.pipeline(transaction=False) as pipe:
            pipe.zrange(self.keys.line, 0, -1)
            pipe.lrange(self.keys.inbox, 0, -1)
            placed, pushed = pipe.execute()
        end = None if length < 0 else offset + length
        return _texts([*placed, *pushed])[offset:end]

    def get_job_position(self, job_or_id: Job | str) -> int | None:
        """How many wait ahead; None when the job is not in the line."""
        rank = self.connection.zrank(self.keys.line, _id(job_or_id))
        return cast(int | None, rank)

    def fetch_job(self, job_id: str) -> Job | None:
        """The job, or None. Unlike RQ's own, a missing hash never costs the place."""
        job = self._read_job(job_id)
        return job if job is not None and job.origin == self.name else None

    def remove(self, job_or_id: Job | str, pipeline: "Pipeline | None" = None) -> int:
        """Take an id out of the line, held, and inbox, with its job and presence."""
        job_id = _id(job_or_id)
        pipe = self.connection.pipeline() if pipeline is None else pipeline
        self._forget(pipe, job_id)
        pipe.lrem(self.keys.inbox, 1, job_id)
        pipe.delete(self.job_class.key_for(job_id))
        if pipeline is not None:
            return 0
        line, held, *_, pushed, _ = pipe.execute()
        return int(any((line, held, pushed)))

    def forget(self, job_id: str) -> None:
        """The entry has ended: its place and presence go. The job stays, for RQ to finish its own books."""
        with self.connection.pipeline() as pipe:
            self._forget(pipe, job_id)
            pipe.execute()

    def push_job_id(self, job_id: str, pipeline: "Pipeline | None" = None, at_front: bool = False) -> None:
        """RQ's way in, for jobs that are not entries: the inbox, and a call to an idle worker."""
        pipe = self.connection.pipeline() if pipeline is None else pipeline
        (pipe.lpush if at_front else pipe.rpush)(self.keys.inbox, job_id)
        self._wake(pipe, job_id)
        if pipeline is None:
            pipe.execute()

    def empty(self) -> int:
        """Remove everybody. Rows are ended first, by whoever listens to `emptied`; else they would come back."""
        job_ids = [*self.get_job_ids(), *self.held_ids()]
        emptied.send(type(self), queue=self.name, job_ids=job_ids)
        for job_id in job_ids:
            self.remove(job_id)
        return len(job_ids)

    def delete(self, delete_jobs: bool = True) -> None:
        """Forget the queue; with `delete_jobs`, everybody in it too."""
        if delete_jobs:
            self.empty()
            self.connection.delete(*as_list(self.keys))
        self.connection.srem(self.redis_queues_keys, self.key)

    def compact(self) -> None:
        """Nothing to do: an id without a job is no dead id here, its job is built again at the claim."""

    # Who is where

    def held_ids(self) -> list[str]:
        return _texts(cast(list[bytes], self.connection.zrange(self.keys.held, 0, -1)))

    def all_ids(self) -> set[str]:
        """Everybody who is in line, held, or claimed. Read in steps: who moves meanwhile may be missed."""
        ids = {job_id for job_id, _, _ in self.claims().values()}
        for key in (self.keys.held, self.keys.line):
            ids.update(job_id.decode() for job_id, _ in self.connection.zscan_iter(key, count=1000))
        return ids

    def length(self) -> int:
        """Who is in the line or held: what MAX_LINE limits."""
        with self.connection.pipeline(transaction=False) as pipe:
            pipe.zcard(self.keys.line)
            pipe.zcard(self.keys.held)
            return sum(pipe.execute())

    def standing(self, job_id: str, score: float) -> tuple[tuple[int, int] | None, bool, bytes | None]:
        """(present ahead, held ahead) or None without a place; whether it is claimed; and the line's facts."""
        with self.connection.pipeline(transaction=False) as pipe:
            pipe.zscore(self.keys.line, job_id)
            pipe.zscore(self.keys.held, job_id)
            pipe.zcount(self.keys.line, "-inf", f"({score}")
            pipe.zcount(self.keys.held, "-inf", f"({score}")
            pipe.hvals(self.keys.claims)
            pipe.get(facts_key(self.name))
            in_line, in_held, ahead, held_ahead, claims, facts = pipe.execute()
        place = (ahead, held_ahead) if in_line is not None or in_held is not None else None
        return place, any(claim.startswith(f"{job_id}:".encode()) for claim in claims), facts

    def places(self) -> int:
        """How many entries are in line, held, or claimed; jobs of somebody else's are not counted."""
        with self.connection.pipeline(transaction=False) as pipe:
            pipe.zcard(self.keys.line)
            pipe.zcard(self.keys.held)
            pipe.hlen(self.keys.claims)
            pipe.scard(self.keys.foreign)
            line, held, claims, foreign = pipe.execute()
        return int(line + held + claims - foreign)

    def forget_place(self, job_id: str) -> None:
        """Take the place away, and leave presence and job alone: the entry may be running."""
        with self.connection.pipeline() as pipe:
            self._forget_place(pipe, job_id)
            pipe.execute()

    def _read_job(self, job_id: str) -> Job | None:
        """None when there is no hash, or one that cannot be read. Nothing else is caught: RQ stops an idle worker by
        an exception that its signal handler raises wherever the worker is.
        """
        try:
            job = self.job_class.fetch(job_id, connection=self.connection, serializer=self.serializer)
            job.func_name  # noqa: B018  # data that cannot be read shows here
        except NoSuchJobError:
            return None
        except (DeserializationError, ValueError, TypeError, KeyError, AttributeError):
            self.log.warning("Job %s cannot be read", job_id, exc_info=True)
            return None
        return job

    def _script(self, verb: str, *arguments: Any) -> Any:
        return script(self.connection, verb)(keys=as_list(self.keys), args=arguments)

    def _wake(self, pipe: "Pipeline", job_id: str) -> None:
        pipe.rpush(self.keys.wake, job_id)
        pipe.ltrim(self.keys.wake, -64, -1)

    def _forget(self, pipe: "Pipeline", job_id: str) -> None:
        self._forget_place(pipe, job_id)
        pipe.hdel(self.keys.grace, job_id)
        pipe.delete(PRESENCE.format(job_id=job_id), GONE.format(job_id=job_id))

    def _forget_place(self, pipe: "Pipeline", job_id: str) -> None:
        pipe.zrem(self.keys.line, job_id)
        pipe.zrem(self.keys.held, job_id)
        pipe.zrem(self.keys.due, job_id)
        pipe.hdel(self.keys.cause, job_id)
        pipe.srem(self.keys.foreign, job_id)
        pipe.incr(self.keys.version)


@cache
def get_line(name: str) -> LineQueue:
    """This process's queue object; making one anew for each call costs a connection."""
    return LineQueue(name, connection=connection(), commit_mode="auto")


def current_job_id() -> str:
    """The id of the job that this process, a horse, is running."""
    job = get_current_job()
    assert job is not None
    return job.id


def is_runner(job_id: str) -> bool:
    """Whether a job is an entry's, and not somebody else's. Without a readable hash it can only be an entry's."""
    try:
        return bool(Job.fetch(job_id, connection=connection(), serializer=JSONSerializer).func_name == RUNNER)
    except (NoSuchJobError, DeserializationError):
        return True


def _id(job_or_id: Job | str) -> str:
    return job_or_id.id if isinstance(job_or_id, Job) else job_or_id


def _texts(values: Iterable[bytes]) -> list[str]:
    return [value.decode() for value in values]
