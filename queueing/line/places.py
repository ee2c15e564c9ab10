"""The places of one queue in Redis: unseen, in the line, held, or claimed.

An entry's score is its place. The score comes from the row, so a held or claimed entry comes back to the same place.

How an entry goes out of the line:

    verb               place      claim                   presence, terms   RQ job   when
    release            comes back ends                    stay              stays    the claim was not started
    end_claim          goes       ends                    stay              stays    the task starts
    end_stale_claim    goes       ends if unchanged       stay              stays    the claim's row does not wait
    remove_place       goes       stays                   stay              stays    the row does not wait: a ghost
    remove_but_job     goes       stays                   go                stays    the entry ended after a start
    remove             goes       stays                   go                goes     the entry ended before any start
"""

import math
import re
from collections.abc import Mapping, Sequence
from functools import cache
from itertools import batched
from typing import NamedTuple, cast

import redis
from redis.client import Pipeline

from queueing.conf import conf
from queueing.line import jobs, levers, reserving, scripts
from queueing.line.clients import connection
from queueing.line.epoch import EpochWait
from queueing.line.keys import facts_key, from_key, gone_key, line_keys, presence_key, storing_key
from queueing.line.presence import seconds_since
from queueing.line.reserving import Reservation
from queueing.line.scripts import Ranked, as_text, milliseconds
from queueing.line.tampering import reports, shorten

# Ids that one call of the claim script looks at. The first call looks at the head alone: as a rule the head is
# present, since an absent head has stepped aside before.
FIRST_WINDOW, WINDOW_GROWTH, LARGEST_WINDOW = 1, 8, 500
# A claim as the claim script writes it: "<id>:<score>:<ms>".
CLAIM = re.compile(rb"([A-Za-z0-9_-]+):(-?[0-9.]+(?:e[+-]?\d{1,3})?):(\d{1,15})")


class Place(NamedTuple):
    """The number of entries ahead of an entry, present and held."""

    ahead: int
    held_ahead: int


class Written(NamedTuple):
    """The slow-changing values of a line, as they are written in Redis; `facts.parse_facts` reads them."""

    facts: bytes | None = None  # by the keeper
    levers: bytes | None = None  # the copy of the line's row
    suspended: bytes | None = None  # RQ's word to all workers


class Standing(NamedTuple):
    """The standing of one entry in the line, for its page."""

    # None for an unseen or claimed entry, for an entry without a place, and for all while the line has no epoch.
    place: Place | None
    is_claimed: bool
    present_for: float  # seconds that a page has been open without a gap; 0 for an absent visitor
    written: Written


class Counts(NamedTuple):
    """The numbers of a line, for somebody who has no place in it."""

    present: int  # in the line, and present when last seen
    held: int
    ahead: Place  # of somebody who joins now
    has_epoch: bool  # False: places are on their way back, and the numbers are too small
    written: Written


class ClaimResult(NamedTuple):
    """The result of a worker's claim."""

    job_id: str | None  # None: nobody in the line is present
    passed: int  # absent entries that stepped aside


class ClaimedJob(NamedTuple):
    """The same, with the hash of the entry's job."""

    job_id: str | None
    passed: int
    fields: Mapping[bytes, bytes] | None = None  # None: nothing is claimed, or the hash cannot be read


class Claim(NamedTuple):
    """An entry that was handed to a worker and not started yet."""

    job_id: str
    score: float
    seconds: float  # since the claim


class Line:
    """The places of one queue."""

    def __init__(self, name: str, client: redis.Redis) -> None:
        self.name = name
        self.client = client
        self.keys = line_keys(name)
        self.epoch_wait = EpochWait(name)  # of this process's claims
        self.is_at_limit = False  # the last claim found as many at work, or started, as the levers allow

    # Coming

    def reserve(self, job_id: str, address: str = "") -> Reservation:
        """Set a place aside for an entry that is about to be stored; see `reserving.reserve`."""
        return reserving.reserve(self.client, self.name, self.keys, job_id, address)

    def cancel_reservation(self, job_id: str, token: str, address: str = "", *, is_charged: bool = False) -> None:
        """The entry was not stored; see `reserving.cancel`."""
        reserving.cancel(self.client, self.name, self.keys, job_id, token, address, is_charged=is_charged)

    def place(self, job_id: str, score: float, *, needs_presence: bool = True, address: str = "", keep: int = 0) -> str:
        """Give an entry its job and its place: "line", "unseen", or "" (the entry had a place).

        The entry is unseen until its first beat, and over if no beat comes within CLOSE_GRACE, or within `keep` seconds
        if that is longer. Without `needs_presence` the entry is in the line, and no visitor has to be there.
        """
        self.set_terms(job_id, keep=keep or None)
        job, ttl = jobs.job_fields(self.name, job_id), max(conf.CLOSE_GRACE, keep) if needs_presence else None
        of_address = [from_key(self.name, address)] if address and not keep else []  # staff made a kept place
        own_keys = [storing_key(self.name, job_id), *of_address]
        return scripts.place(self.client, self.keys, Ranked(job_id, score), job, ttl, own_keys, reserving.from_ttl())

    def restore(self, places: Sequence[Ranked]) -> list[str]:
        """Give rows (job id, score) the place back that they lost; returns the ids that had no place."""
        return scripts.restore(self.client, self.keys, places)

    def set_terms(self, job_id: str, *, keep: float | None, always_present: bool = False) -> None:
        """Store the row's terms of absence: a longer hold in seconds, or a presence without end."""
        if keep is not None:
            self.client.hset(self.keys.grace, job_id, str(milliseconds(keep)))
        if always_present:
            self.client.set(presence_key(job_id), 1)

    def rerank(self, job_id: str, score: float) -> None:
        """Give an entry that has a place another one. A claimed entry has none: it is about to start."""
        with self.client.pipeline() as pipe:
            for key in (self.keys.line, self.keys.held, self.keys.unseen):
                pipe.zadd(key, {job_id: score}, xx=True)
            pipe.incr(self.keys.version)
            pipe.execute()

    def take_held(self, job_id: str) -> bool:
        """Take the place of a held entry away. False: it is not held; its visitor may be back."""
        return bool(self.client.zrem(self.keys.held, job_id))

    def wake_worker(self, pipe: Pipeline, job_id: str) -> None:
        """Call an idle worker. The list is capped, because nobody reads it while all are busy."""
        pipe.rpush(self.keys.wake, job_id)
        pipe.ltrim(self.keys.wake, -64, -1)

    # Claims

    def claim(self, worker: str) -> ClaimResult:
        """As `claim_job`, without the job."""
        return ClaimResult(*self.claim_job(worker)[:2])

    def claim_job(self, worker: str) -> ClaimedJob:
        """Claim the first present entry for this worker alone.

        After a flush, a claim waits until the rows have their places back: see `epoch.EpochWait`. Then the levers are
        read from the row, so this raises errors of the database, too.
        """
        window, total = FIRST_WINDOW, 0
        self.epoch_wait.newcomers_wait = self.is_at_limit = False
        while claimed := self._claim_once(worker, window):
            total += claimed.passed
            self.epoch_wait.note(has_epoch=claimed.has_epoch, newcomers_wait=claimed.newcomers_wait)
            if claimed.job_id:
                return ClaimedJob(claimed.job_id, total, claimed.job)
            if self.epoch_wait.is_on:
                break
            window = min(window * WINDOW_GROWTH, LARGEST_WINDOW)
        return ClaimedJob(None, total)

    def _claim_once(self, worker: str, window: int) -> scripts.Claimed | None:
        """One call of the script, once the levers are known. None: nothing can be claimed now."""
        patience = self.epoch_wait.has_patience()
        while True:
            claimed = scripts.claim(
                self.client, self.keys, worker, window=window, grace=conf.LOST_GRACE, waits_for_epoch=patience
            )
            if claimed is None or not claimed.obstacle:
                return claimed
            if claimed.obstacle == "limit":
                self.is_at_limit = True
                return None
            levers.publish(self.client, self.name)

    def claims(self) -> dict[str, Claim]:
        """The claims by worker."""
        seconds, micros = self.client.time()
        now = seconds * 1000 + micros / 1000
        claims = {}
        for worker, claim in cast("dict[bytes, bytes]", self.client.hgetall(self.keys.claims)).items():
            parts = CLAIM.fullmatch(claim)
            if parts is None:
                self.client.hdel(self.keys.claims, worker)
                reports.add("%s: the claim %s is none", self.name, shorten(claim))
                continue
            job_id, score, at = parts.groups()
            claims[scripts.as_text(worker)] = Claim(job_id.decode(), float(score), (now - float(at)) / 1000)
        return claims

    # Going; see the table above

    def release(self, worker: str, job_id: str, score: float | None = None) -> str:
        """Give a claim (with worker "": an orphan) back to its place: "line", "held", or "" (not this worker's)."""
        return scripts.release(self.client, self.keys, worker, job_id, score, conf.LOST_GRACE)

    def end_claim(self, worker: str, job_id: str, *, started: str = "") -> None:
        """End this worker's claim and the entry's place. `started` is the timeline's text about the start."""
        scripts.end_claim(self.client, self.keys, worker, job_id, started)

    def end_stale_claim(self, worker: str, job_id: str) -> None:
        """End the claim of another process. A later claim of the same worker stays."""
        scripts.end_stale_claim(self.client, self.keys, worker, job_id)
        self.remove_place(job_id)

    def end_run(self, job_id: str) -> None:
        """A started entry waits again, and has no place until the keeper gives it one."""
        self.client.zrem(self.keys.running, job_id)

    def remove_place(self, job_id: str) -> None:
        """Take the place away. Presence and job stay: the entry may be running."""
        with self.client.pipeline() as pipe:
            self._remove_place(pipe, job_id)
            pipe.execute()

    def remove_but_job(self, job_id: str) -> None:
        """Take away the place, terms and presence of an entry. The job stays until RQ has finished its own books."""
        with self.client.pipeline() as pipe:
            self._remove_but_job(pipe, job_id)
            pipe.execute()

    def remove(self, job_id: str, pipeline: Pipeline | None = None) -> bool:
        """Take away all of an entry, with its job. True if the entry had a place (always False with `pipeline`)."""
        pipe = self.client.pipeline() if pipeline is None else pipeline
        self._remove_but_job(pipe, job_id)
        pipe.lrem(self.keys.inbox, 1, job_id)
        pipe.delete(jobs.job_key(job_id))
        if pipeline is not None:
            return False
        line, held, unseen, *_, pushed, _ = pipe.execute()
        return any((line, held, unseen, pushed))

    def delete_jobs(self, job_ids: Sequence[str]) -> None:
        """Delete the jobs of entries whose places have gone."""
        self.client.delete(*map(jobs.job_key, job_ids))

    def _remove_place(self, pipe: Pipeline, job_id: str) -> None:
        pipe.zrem(self.keys.line, job_id)
        pipe.zrem(self.keys.held, job_id)
        pipe.zrem(self.keys.unseen, job_id)
        pipe.zrem(self.keys.due, job_id)
        pipe.hdel(self.keys.absence, job_id)
        pipe.srem(self.keys.foreign, job_id)
        pipe.incr(self.keys.version)

    def _remove_but_job(self, pipe: Pipeline, job_id: str) -> None:
        self._remove_place(pipe, job_id)
        pipe.hdel(self.keys.grace, job_id)
        pipe.zrem(self.keys.running, job_id)
        pipe.delete(presence_key(job_id), gone_key(job_id))

    # Questions

    def ids(self) -> list[str]:
        """The ids in the line, in order."""
        return [scripts.as_text(job_id) for job_id in cast("list[bytes]", self.client.zrange(self.keys.line, 0, -1))]

    def held_ids(self) -> list[str]:
        """The ids that are held, in order."""
        return [scripts.as_text(job_id) for job_id in cast("list[bytes]", self.client.zrange(self.keys.held, 0, -1))]

    def unseen_ids(self) -> list[str]:
        """The ids whose page was not looked at yet, in order."""
        return [scripts.as_text(job_id) for job_id in cast("list[bytes]", self.client.zrange(self.keys.unseen, 0, -1))]

    def all_ids(self) -> set[str]:
        """The ids that have a place or are claimed. The ids are read in steps, so an entry that moves may be missed."""
        ids = {claim.job_id for claim in self.claims().values()}
        for key in (self.keys.unseen, self.keys.held, self.keys.line):
            found = [job_id for job_id, _ in self.client.zscan_iter(key, count=1000)]
            texts = dict(zip(map(scripts.as_text, found), found, strict=True))
            strays = [job_id for text, job_id in texts.items() if not jobs.is_job_id(text)]
            if strays:  # not by this project, and no name by which anything else could remove them
                self.client.zrem(key, *strays)
                reports.add("%s: the id %s in %s is no job's", self.name, shorten(strays[0]), key)
            ids.update(text for text in texts if jobs.is_job_id(text))
        return ids

    def length(self) -> int:
        """The number that MAX_LINE limits: all places, of the held ones only HELD_WEIGHT each. Joins under way are left
        out.
        """
        with self.client.pipeline(transaction=False) as pipe:
            pipe.zcard(self.keys.line)
            pipe.zcard(self.keys.held)
            pipe.zcard(self.keys.unseen)
            line, held, unseen = pipe.execute()
        return math.ceil(float(line + unseen + held * conf.HELD_WEIGHT))

    def count_entries(self) -> int:
        """The number of entries that have a place or are claimed. Foreign jobs are not counted."""
        with self.client.pipeline(transaction=False) as pipe:
            pipe.zcard(self.keys.line)
            pipe.zcard(self.keys.held)
            pipe.zcard(self.keys.unseen)
            pipe.hlen(self.keys.claims)
            pipe.scard(self.keys.foreign)
            line, held, unseen, claims, foreign = pipe.execute()
        return int(line + held + unseen + claims - foreign)

    def counts(self, newcomer: float) -> Counts:
        """The numbers of the line, with its facts; one round trip. `newcomer` is a score: the end of its priority."""
        with self.client.pipeline(transaction=False) as pipe:
            pipe.zcard(self.keys.line)
            pipe.zcard(self.keys.held)
            pipe.zcount(self.keys.line, "-inf", f"({newcomer}")
            pipe.zcount(self.keys.held, "-inf", f"({newcomer}")
            pipe.mget(*self._written(), self.keys.epoch)
            present, held, ahead, held_ahead, (*written, epoch) = pipe.execute()
        return Counts(present, held, Place(ahead, held_ahead), bool(epoch), Written(*written))

    def standing(self, job_id: str, score: float) -> Standing:
        """The standing of the entry of this score, with the facts of the line; one round trip."""
        return self.standings([Ranked(job_id, score)])[job_id]

    def standings(self, entries: Sequence[Ranked]) -> dict[str, Standing]:
        """By job id, the standings of some entries, at least one; one round trip."""
        with self.client.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.hvals(self.keys.claims)
            pipe.mget(*self._written(), self.keys.epoch)
            pipe.mget(presence_key(job_id) for job_id, _ in entries)
            for job_id, score in entries:
                pipe.zscore(self.keys.line, job_id)
                pipe.zscore(self.keys.held, job_id)
                pipe.zcount(self.keys.line, "-inf", f"({score}")
                pipe.zcount(self.keys.held, "-inf", f"({score}")
            (now, _), claims, (*written, epoch), sinces, *replies = pipe.execute()
        claimed = {as_text(claim).partition(":")[0] for claim in claims}
        found = {}
        for (job_id, _), since, counts in zip(entries, sinces, batched(replies, 4), strict=True):
            in_line, in_held, ahead, held_ahead = counts
            has_place = in_line is not None or in_held is not None
            place = Place(ahead, held_ahead) if has_place and epoch else None  # else others ahead are on their way back
            found[job_id] = Standing(place, job_id in claimed, seconds_since(since, now), Written(*written))
        return found

    def _written(self) -> tuple[str, str, str]:
        """The keys of `Written`."""
        return facts_key(self.name), self.keys.levers, levers.SUSPENDED


@cache
def get_line(name: str) -> Line:
    """The line of that name, on this process's connection to its Redis."""
    return Line(name, connection(name))
