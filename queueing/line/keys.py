"""The names of our Redis keys.

RQ's own keys (job hashes, registries, workers, and the list `rq:queue:<q>`, which is our inbox) stay as they are.
"""

from dataclasses import dataclass, fields

from rq import defaults

# string "<ms>": a page of this entry is open now, and one has been since that moment. Lives PRESENCE_TTL or POLL_TTL;
# without end, and as "1", if the entry needs nobody.
PRESENCE = "presence:{job_id}"
# string "<ms>:<grace ms>:<absence>": the page of a claimed or running entry went away at that moment. Lives GONE_TTL.
GONE = "gone:{job_id}"
# string "<ms since the watch began>": web processes are beating. Lives three beats.
WATCH = "presence:watch"
# string "1": a web process has just started, and pages that another one has lost are on their way back. Lives
# twice PRESENCE_TTL.
RETURNING = "presence:returning"
# string "1": RETURNING was set lately, and is not set again. Lives RETURNED_TTL.
RETURNED = "presence:returned"
# string "1": the keeper made a round. Lives a few rounds.
KEEPER = "queueing:keeper"
# string "1": Redis took a write just now. Lives a second.
WRITABLE = "queueing:writable"
# string, JSON: the bytes and entries that each line has (`budget.Totals`). Lives TOTALS_TTL.
STORED = "queueing:stored"
# string "1": a join makes the sums of STORED now, and others wait for them. Lives SUMMING_TTL.
SUMMING = "queueing:summing"
# string "1": this worker gave a heartbeat. Lives WORKER_TTL.
WORKER = "queueing:worker:{name}"
# capped list of JSON: the latest faults of web processes (`faults.Fault`). Lives FAULTS_TTL after the last of them.
FAULTS = "queueing:faults"
# hash of counters: the ends of the runs of this worker, by status. Lives RUNS_TTL after the last of them.
RUNS = "queueing:runs:{name}"
# counter: attempts to sign in, by a digest of a name, an address, or both. Lives SIGN_IN_PAUSE.
ATTEMPTS = "queueing:attempts:{digest}"
# string "1": this name has signed in from this address (a digest of both). Lives KNOWN_TTL.
KNOWN = "queueing:known:{digest}"
# string "1": Redis was emptied, and workers may not have given a heartbeat since. Lives COUNTING_TTL.
COUNTING = "queueing:counting"
# string, JSON: the workers of a queue and the forecast of its waits (`Facts`). The keeper writes them, pages read them.
# Lives FACTS_TTL.
FACTS = "rq:line:{queue}:facts"
# zset id -> ms: joins of one address that are being stored, and places whose page was not looked at; with the moment
# when they are over. Those that were looked at are taken out at the address's next join. Lives FROM_TTL, or longer.
FROM = "rq:line:{queue}:from:{address}"
# zset token -> ms: the requests that are storing this entry now, and when the reservation of each is over. One, or more
# for a form that was sent twice. Goes with the place, or lives as long as a reservation.
STORING = "rq:line:{queue}:storing:{job_id}"
# string "<ms>": when the next join of an address would be on time; it may be early by a burst. Over all lines of this
# Redis. Lives until then.
ON_TIME = "queueing:joins:{address}"
# counter: joins of a line in a minute that began with the first of them. Lives a minute.
JOINS = "rq:line:{queue}:joins"
# string "1": the line takes joins with a check only, since there were too many in a minute. Lives BRAKE_TTL.
BRAKE = "rq:line:{queue}:brake"
# counter: checks of uploads for which this proof of work was given. Lives as long as its challenge.
PROOF = "queueing:proof:{code}"


@dataclass(frozen=True, slots=True)
class LineKeys:
    """The keys of one line, in the order in which every script takes them (see lua/common.lua)."""

    line: str  # zset id -> score: entries that were present when last seen
    held: str  # zset id -> score: absent entries whose place is kept
    due: str  # zset id -> ms: when a held or unseen place is dropped
    absence: str  # hash id -> "closed": the page of this held entry said goodbye; no field: connection lost
    grace: str  # hash id -> ms: a longer hold that the visitor asked for
    claims: str  # hash worker -> "<id>:<score>:<ms>": entries handed out and not started yet
    version: str  # counter: grows whenever anybody's numbers may have changed
    wake: str  # capped list on which idle workers block
    notes: str  # capped list of "<ms>:<kind>:<detail>:<id> <id> ...": for the timelines, drained by the keeper
    foreign: str  # set of ids: jobs in line, held or claimed that stock RQ pushed and that have no row
    inbox: str  # RQ's own list, to which stock RQ pushes
    unseen: str  # zset id -> score: entries whose page has not been looked at yet
    epoch: str  # string, the run id of a server: on it the keeper has given each row its place; none after a flush
    restoring: str  # string: a keeper has begun to give the rows their places back, on this server
    reserved: str  # zset id -> ms: joins that are being stored, and when their reservation ends
    newest: str  # string: the last of the places that a flush took; later ones are newcomers. Lives PATIENCE
    levers: str  # string, JSON: a copy of the line's row (`levers.Levers`); nothing is claimed without it
    running: str  # zset id -> ms: entries that were started and have not ended, since when
    starts: str  # zset claim -> ms: the claims of the last minute, without those that were given back

    def in_order(self) -> list[str]:
        """The keys in the order in which the scripts take them."""
        return [getattr(self, field.name) for field in fields(self)]


def has_usual_prefix() -> bool:
    """True if RQ's keys begin as the scripts expect; RQ takes another prefix from the variable RQ_KEY_PREFIX."""
    return defaults.RQ_KEY_PREFIX == "rq"


def line_keys(queue: str) -> LineKeys:
    """The keys of the line of that queue."""
    prefix = f"rq:line:{queue}"
    own = {field.name: f"{prefix}:{field.name}" for field in fields(LineKeys)}
    return LineKeys(**own | {"line": prefix, "inbox": f"rq:queue:{queue}"})


def facts_key(queue: str) -> str:
    """The key of the facts of that queue."""
    return FACTS.format(queue=queue)


def from_key(queue: str, address: str) -> str:
    """The key of the joins and unseen places of an address in that queue."""
    return FROM.format(queue=queue, address=address)


def storing_key(queue: str, job_id: str) -> str:
    """The key of the requests that are storing this entry."""
    return STORING.format(queue=queue, job_id=job_id)


def on_time_key(address: str) -> str:
    """The key that limits the joins of an address, over all lines of one Redis."""
    return ON_TIME.format(address=address)


def joins_key(queue: str) -> str:
    """The key that counts the joins of that queue in this minute."""
    return JOINS.format(queue=queue)


def brake_key(queue: str) -> str:
    """The key that lives while the line takes joins with a check only."""
    return BRAKE.format(queue=queue)


def proof_key(code: str) -> str:
    """The key that counts the checks that one proof of work has paid for."""
    return PROOF.format(code=code)


def presence_key(job_id: str) -> str:
    """The key that lives while a page of this entry is open."""
    return PRESENCE.format(job_id=job_id)


def gone_key(job_id: str) -> str:
    """The key that holds the moment at which a running entry lost its page."""
    return GONE.format(job_id=job_id)
