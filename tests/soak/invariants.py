"""Rules that must hold at the end of a soak, from the rows, from Redis, from the files, and from the logs."""

import os
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import redis
from django.conf import settings

from queueing.keeper import purge
from queueing.line.keys import RETURNED, RETURNING, WATCH
from queueing.line.queue import get_queue
from queueing.models import Entry
from queueing.states import FINAL, Reason, Status
from tests.soak.deeds import ASIDE
from tests.soak.ledger import Ledger, Stay
from tests.soak.site import LATE, SETTINGS
from tests.soak.supervisor import YOUNG
from tests.support import probe

SETS = {b"zset", b"hash", b"set"}  # the types of the keys that have entries as members
DAY = 86_400
# The parts whose faults may change the order of starts. A wrong clock may not.
EVERYTHING = {"worker", "web", "redis", "database", "link", "disk"}
PARTS = EVERYTHING | {"keeper", "clock"}
LONG_GONE = 30.0  # seconds after a fault and its aftermath; no process ends because of it any more
LOOP = 3  # ends in succession
# Errors of a task when a disk is full: of Linux, of SQLite, and of PostgreSQL.
NO_ROOM = ("No space left on device", "database or disk is full", "disk I/O error")


class Violation(NamedTuple):
    rule: str
    text: str
    moment: float  # of the event log


class Run(NamedTuple):
    """The task was entered, at this true time, which the probe writes down."""

    label: str
    attempt: int
    at: float


class Evidence(NamedTuple):
    stays: list[Stay]  # with an acknowledged join
    rows: dict[str, Entry]  # by code
    runs: list[Run]
    ledger: Ledger

    def pairs(self) -> Iterator[tuple[Stay, Entry]]:
        for stay in self.stays:
            if stay.code in self.rows:
                yield stay, self.rows[stay.code]

    def first_runs(self) -> dict[str, float]:
        """The time at which each label was entered first."""
        return {run.label: run.at for run in sorted(self.runs, key=lambda run: -run.at)}

    def last_runs(self) -> dict[str, float]:
        return {run.label: run.at for run in sorted(self.runs, key=lambda run: run.at)}


def gather(ledger: Ledger) -> Evidence:
    rows = {str(entry.code): entry for entry in Entry.objects.prefetch_related("files")}
    path, runs = probe.log_path(), []
    for line in path.read_text().splitlines() if path.exists() else []:
        label, attempt, _, at = line.split()
        runs.append(Run(label, int(attempt), float(at)))
    return Evidence([stay for stay in ledger.stays if stay.code], rows, runs, ledger)


def violations(evidence: Evidence) -> Iterator[Violation]:
    """All that does not hold, as far as rows and logs tell."""
    yield from _faults(evidence)
    yield from _ends(evidence)
    yield from _acknowledged(evidence)
    yield from _results(evidence)
    yield from _starts(evidence)
    yield from _times(evidence)
    yield from _absent(evidence)
    yield from _dropped(evidence)
    for earlier, later, at in inverted(evidence):
        yield Violation("order", f"{later} was started before {earlier}", at)


def _faults(evidence: Evidence) -> Iterator[Violation]:
    """Every fault has happened, and was seen to: a rule that holds without a fault shows nothing."""
    ledger = evidence.ledger
    for at, text in ledger.broken_faults:
        yield Violation("fault", text, at)
    for name in ledger.promised:
        if not ledger.faults[name]:
            yield Violation("fault", f"{name!r} has not happened", ledger.began)


def _ends(evidence: Evidence) -> Iterator[Violation]:
    """A process ends on its own because of a fault alone, and not again and again."""
    ledger, early = evidence.ledger, Counter[str]()
    for end in ledger.ends:
        if not ledger.is_touched(PARTS, end.ended - LONG_GONE, end.ended):
            yield Violation("processes", f"{end}; no fault was there", end.ended)
        is_early = end.ended - end.started < YOUNG
        is_alone = not ledger.is_touched(PARTS, end.started, end.ended, until_well=False)
        early[end.name] = early[end.name] + 1 if is_early and is_alone else 0
        if early[end.name] == LOOP:
            yield Violation("processes", f"{end}; it ends again and again", end.ended)


def _acknowledged(evidence: Evidence) -> Iterator[Violation]:
    """Every acknowledged entry is there and final, and as its visitor was told."""
    entered = evidence.last_runs()
    for stay in evidence.stays:
        row = evidence.rows.get(stay.code)
        if row is None or stay.problem:
            yield Violation("acknowledged", f"{stay.label}: {stay.problem or 'it has no row'}", stay.joined_at)
        elif row.status not in FINAL:
            yield Violation("final", f"{stay.label} is {row.status} after the quiet time", stay.joined_at)
        elif stay.end and stay.end != row.status:
            yield Violation("final", f"{stay.label} was told {stay.end}, and is {row.status}", stay.gone_at)
        elif stay.way == "leaves" and stay.gone_at and _ended_after(row, stay.gone_at):
            yield Violation("acknowledged", f"{stay.label} ended after its leave was answered", stay.gone_at)
        elif row.status == Status.FAILED and row.reason != Reason.ORPHANED and not _had_no_room(evidence, row):
            text = f"{stay.label} failed: {row.reason} {row.error_class}\n{row.traceback}"
            yield Violation("acknowledged", text, entered.get(stay.label, stay.joined_at))


def _ended_after(row: Entry, moment: float) -> bool:
    """True if the entry ended after this moment. A process knows the time by an answer, which may have been late."""
    return row.finished_at is not None and row.finished_at.timestamp() > moment + LATE


def _had_no_room(evidence: Evidence, row: Entry) -> bool:
    """True if the task failed because a disk was full, and one was."""
    was_full = any(evidence.ledger.faults[name] for name in evidence.ledger.faults if "disk" in name)
    return was_full and any(words in row.traceback for words in NO_ROOM)


def _results(evidence: Evidence) -> Iterator[Violation]:
    """Every success has one result, of its last attempt, and its visitor was given that one."""
    for stay, row in evidence.pairs():
        ended = row.finished_at.timestamp() if row.finished_at else stay.joined_at
        if row.status != Status.SUCCEEDED:
            if row.result is not None or len(row.files.all()):
                yield Violation("one result", f"{stay.label} is {row.status}, and has a result", ended)
            continue
        if row.result != {"label": stay.label, "attempt": row.attempt}:
            yield Violation("one result", f"{stay.label}, attempt {row.attempt}, has the result {row.result}", ended)
        stored = [(file.attempt, Path(file.file.path).exists()) for file in row.files.all()]
        if stored != [(row.attempt, True)]:
            yield Violation("one result", f"{stay.label}, attempt {row.attempt}, has the files {stored}", ended)
        if stay.result and stay.result != stay.label:
            yield Violation("one result", f"{stay.label} was given the result of {stay.result}", ended)


def _starts(evidence: Evidence) -> Iterator[Violation]:
    """At most one start of each attempt, and none of an entry that had ended.

    A label may be in two rows: a form whose answer was lost, and which is sent again after the end, is a new wish.
    """
    at = {(run.label, run.attempt): run.at for run in evidence.runs}
    for (label, attempt), count in Counter((run.label, run.attempt) for run in evidence.runs).items():
        if count > 1:
            yield Violation("one start", f"{label}: attempt {attempt} was entered {count} times", at[label, attempt])
    for run in evidence.runs:
        rows = [row for row in evidence.rows.values() if row.kwargs.get("label") == run.label]
        if all(run.attempt > row.attempt for row in rows):
            yield Violation("one start", f"{run.label}: attempt {run.attempt} is in no row", run.at)
        elif all(_had_ended(evidence, row, run.at - LATE) for row in rows) and not _touched(evidence, "worker", run):
            yield Violation("one start", f"{run.label} was entered after its end", run.at)


def _had_ended(evidence: Evidence, row: Entry, moment: float) -> bool:
    """True if the entry had ended by then: the row says so, or its visitor was told."""
    told = [stay.told_at for stay in evidence.stays if stay.code == str(row.code) and stay.told_at]
    noted = row.finished_at is not None and row.finished_at.timestamp() < moment
    return noted or bool(told and told[0] < moment)


def _times(evidence: Evidence) -> Iterator[Violation]:
    """The row notes the true time of a start, whatever the clock of the worker's host says."""
    started = {(run.label, run.attempt): run.at for run in evidence.runs}
    for stay, row in evidence.pairs():
        at = started.get((stay.label, row.attempt))
        if at and row.last_attempted_at and abs(row.last_attempted_at.timestamp() - at) > ASIDE:
            yield Violation("time", f"{stay.label} was entered at {at}, and noted {row.last_attempted_at}", at)


def _absent(evidence: Evidence) -> Iterator[Violation]:
    """No task was entered for a visitor whose goodbye was answered before.

    The goodbye counts if Redis and the web processes were well, and if no earlier socket of the entry may still be
    open for the site.
    """
    for stay in farewells(evidence):
        for run in evidence.runs:
            if run.label == stay.label and run.at > stay.gone_at + LATE and not _touched(evidence, "worker", run):
                late = run.at - stay.gone_at
                yield Violation("absent", f"{stay.label} was entered {late:.1f} s after its goodbye", run.at)
    for stay in evidence.stays:
        if stay.way == "vanishes" and not stay.told_at and stay.heard_at and not stay.troubles:
            yield from _late_runs(evidence, stay)


def _late_runs(evidence: Evidence, stay: Stay) -> Iterator[Violation]:
    """The runs for a visitor who had vanished for longer than any presence lives."""
    presence = max(SETTINGS["PRESENCE_TTL"], SETTINGS["POLL_TTL"])
    for run in evidence.runs:
        late = run.at - stay.heard_at
        is_late = run.label == stay.label and late > presence + LATE and not _touched(evidence, "worker", run)
        # A Valkey that comes back old has old presences; a web process that was stopped goes on where it stood.
        if is_late and not evidence.ledger.is_touched({"redis", "web", "link"}, stay.heard_at - LATE, run.at):
            yield Violation("absent", f"{stay.label} was entered {late:.1f} s after its last sign of life", run.at)


def farewells(evidence: Evidence) -> Iterator[Stay]:
    """The stays whose goodbye counts."""
    for stay in evidence.stays:
        if stay.way == "says goodbye" and stay.gone_at and not stay.lost_sockets:
            begin, parts = stay.gone_at - 5, {"redis", "web", "link"}
            if not evidence.ledger.is_touched(parts, begin, stay.gone_at, until_well=False):
                yield stay


def _touched(evidence: Evidence, part: str, run: Run) -> bool:
    return evidence.ledger.is_touched({part, "database"}, run.at - LATE, run.at)


def _dropped(evidence: Evidence) -> Iterator[Violation]:
    """Nobody was dropped whose page was there, but for gaps that are shorter than a grace.

    A longer gap is no absence either, if the database or Redis was away: the page went on asking.
    """
    for stay, row in evidence.pairs():
        if stay.way != "stays" or row.status not in {Status.ABANDONED, Status.CANCELLED}:
            continue
        ended = row.finished_at.timestamp() if row.finished_at else stay.joined_at
        gaps = _absences(stay, ended)
        if all(_was_blind(evidence, begin, end) for begin, end in gaps):
            longest = max((end - begin for begin, end in gaps), default=stay.longest_gap)
            text = f"{stay.label} was there (longest gap {longest:.1f} s), and is {row.status} ({row.reason})"
            yield Violation("dropped", text, ended)


def _absences(stay: Stay, ended: float) -> list[tuple[float, float]]:
    """The gaps that are as long as a grace: before the first sign of the page, and later."""
    first = (stay.joined_at, stay.looked_at or ended)
    unseen = [first] if first[1] - first[0] > SETTINGS["CLOSE_GRACE"] - LATE else []
    return unseen + [gap for gap in stay.gaps if gap[1] - gap[0] >= SETTINGS["LOST_GRACE"] - LATE and gap != first]


def _was_blind(evidence: Evidence, begin: float, end: float) -> bool:
    """True if the servers were away at that time, and nothing else was in the way of the visitor."""
    ledger = evidence.ledger
    blind = [window for window in ledger.windows if window.part in {"database", "redis"}]
    seconds = sum(max(0.0, min(end, window.over) - max(begin, window.begin)) for window in blind)
    in_the_way = ledger.is_touched({"web", "link"}, begin, end, until_well=False)
    return not in_the_way and seconds > (end - begin) / 2


def inverted(evidence: Evidence) -> Iterator[tuple[str, str, float]]:
    """Pairs whose later one was started first, although the earlier one was there and nothing was broken."""
    for earlier, later, at, is_inverted in comparable(evidence):
        if is_inverted:
            yield earlier, later, at


def comparable(evidence: Evidence) -> Iterator[tuple[str, str, float, bool]]:
    """Pairs that were in the line together, by the place; True: started in the other order."""
    started = evidence.first_runs()
    there = [(stay, row) for stay, row in evidence.pairs() if stay.way == "stays" and stay.looked_at]
    there = [(stay, row) for stay, row in there if stay.label in started]
    there.sort(key=lambda pair: pair[1].pk)
    for number, (stay, _) in enumerate(there):
        for other, _ in there[number + 1 :]:
            first, second = started[stay.label], started[other.label]
            began = max(stay.looked_at, other.looked_at)
            if began > min(first, second) - LATE or any(begin < second and end - begin > 1 for begin, end in stay.gaps):
                continue
            if not evidence.ledger.is_touched(EVERYTHING, second - LATE, second):
                yield stay.label, other.label, second, second < first - LATE


def left_behind(client: redis.Redis) -> Iterator[Violation]:
    """After a purge there is no row, no key of an entry, and no file.

    Files are made old first: young ones may stay. RQ's own maintenance ends the books of killed workers.
    """
    for path in _files():
        os.utime(path, (0, 0))
    get_queue("probe").started_job_registry.cleanup(timestamp=time.time() + DAY)
    purge.purge_stale(timedelta(0))
    if count := Entry.objects.count():
        yield Violation("purge", f"{count} rows are left", 0.0)
    for key in client.scan_iter(count=1000):
        name = key.decode()
        is_of_site = name in {WATCH, RETURNING, RETURNED}
        is_of_entry = name.startswith(("presence:", "gone:", "rq:job:")) and not is_of_site
        # RQ's record of a run that was killed, and the joins of an address, run out by themselves.
        may_hold_entries = name.startswith(("rq:line:", "rq:executions:", "rq:wip:")) and client.type(key) in SETS
        if is_of_entry or (may_hold_entries and client.ttl(key) < 0):
            yield Violation("purge", f"the key {name} is left", 0.0)
    for path in _files():
        yield Violation("purge", f"the file {path} is left", 0.0)


def _files() -> list[Path]:
    return [path for path in (Path(settings.MEDIA_ROOT) / "entries").rglob("*") if path.is_file()]
