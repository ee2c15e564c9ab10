"""The numbers of the site, computed anew from rows, raw keys, and what the walk has noted, without `stats`."""

import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any, cast

from django.conf import settings
from django.db.models import Sum
from django.utils import timezone

from queueing.models import Entry, EntryEvent, Line
from tests.support import ledger
from tests.support.honesty.walk import Walk

BOUNDS = [0.001 * 2**doubled for doubled in range(8, 25)]  # of the histograms, in seconds
ANSWERS = ("unusable", "timeout", "crashed")
LATELY = ("goodput", "not_seen_yet", "never_came", "left", "stopped", "failed", "never_seen")
Numbers = dict[tuple[str, str], float]  # by line and name


class Truth:
    """All numbers at one moment."""

    def __init__(self, walk: Walk) -> None:
        self.walk, self.now = walk, timezone.now()
        self.rows = list(Entry.objects.order_by("id"))
        self.suspended = bool(walk.client.exists("rq:suspended"))
        self.numbers: Numbers = {}
        for queue in settings.QUEUEING_TASKS:
            rows = [row for row in self.rows if row.queue == queue]
            told = self._live(queue, rows) | _lately(rows) | self._stored(rows) | self._ever(queue, rows)
            self.numbers |= {(queue, name): number for name, number in told.items()}

    def of(self, queue: str, name: str) -> float:
        return self.numbers[queue, name]

    # Now

    def present(self, queue: str) -> list[Entry]:
        """The entries in the line, in order: those whose page is open and that no worker has."""
        return [row for row in self._in_line(queue) if self._is_there(row)]

    def held(self, queue: str) -> list[Entry]:
        return [row for row in self._in_line(queue) if not self._is_there(row)]

    def _in_line(self, queue: str) -> list[Entry]:
        claims = cast("list[bytes]", self.walk.client.hvals(f"rq:line:{queue}:claims"))
        claimed = {claim.split(b":")[0].decode() for claim in claims}
        waiting = [row for row in self.rows if row.queue == queue and row.status == "waiting" and _was_seen(row)]
        return sorted((row for row in waiting if row.code.hex not in claimed), key=rank)

    def _is_there(self, row: Entry) -> bool:
        return bool(self.walk.client.exists(f"presence:{row.code.hex}"))

    def _live(self, queue: str, rows: list[Entry]) -> dict[str, float]:
        waiting = [row for row in rows if row.status == "waiting" and _was_seen(row)]
        desks = [desk for desk in self.walk.desks if queue in {"probe", "tables"}]
        oldest = min((row.joined_at for row in waiting), default=self.now)
        return {
            "present": len(self.present(queue)),
            "held": len(self.held(queue)),
            "running": sum(row.status == "running" for row in rows),
            "busy": sum(not desk.is_idle for desk in desks),
            "idle": sum(desk.is_idle for desk in desks),
            "workers": len(desks),
            "oldest": (self.now - oldest).total_seconds(),
        }

    def state(self, queue: str) -> str:
        """The state of the line, by its row and by RQ's word to all workers."""
        state = Line.objects.filter(queue=queue).values_list("state", flat=True).first() or "open"
        if not self.suspended:
            return state
        return {"open": "paused", "closed": "stopped"}.get(state, state)

    def wait(self, queue: str, ahead: float, held_ahead: float) -> tuple[float, float] | None:
        """The expected wait with so many entries ahead, by what the keeper wrote."""
        facts: dict[str, Any] = json.loads(self.walk.client.get(f"rq:line:{queue}:facts") or b"{}")
        points = facts.get("waits", [])
        if self.state(queue) in {"paused", "stopped"} or not facts.get("workers"):
            return None
        if ahead < facts["workers"] - facts["busy"]:
            return 0.0, 2.0
        at = ahead + facts["return_share"] * held_ahead
        if len(points) < 2:
            return (points[0][1], max(2.0, points[0][2])) if points else None
        above = min(max(bisect_right([point[0] for point in points], at), 1), len(points) - 1)
        (x0, low0, high0), (x1, low1, high1) = points[above - 1 : above + 1]
        share = (at - x0) / (x1 - x0)
        return low0 + share * (low1 - low0), max(2.0, high0 + share * (high1 - high0))

    # Stored, and ever

    def _stored(self, rows: list[Entry]) -> dict[str, float]:
        return {
            "stored_bytes": sum(row.input_size + row.files_size for row in rows),
            "stored_entries": len(rows),
        }

    def _ever(self, queue: str, rows: list[Entry]) -> dict[str, float]:
        deleted = [(row, at) for row, at in self.walk.deleted if row.queue == queue]
        undone = [wait for line, wait in self.walk.undone if line == queue]
        sums: Counter[str] = Counter()
        for numbers in ledger.of_entries(rows, deleted).values():
            sums.update(numbers)
        told = {f"ever {name}": float(number) for name, number in sums.items()}
        told["ever starts"] = sums["started"] + len(undone)
        told["ever undone"] = len(undone)
        for kind in ("held", "back"):
            of_rows = EntryEvent.objects.filter(entry__queue=queue, kind=kind).aggregate(sum=Sum("times"))["sum"] or 0
            told[f"ever {kind}"] = of_rows + self.walk.comings[queue, kind]
        all_rows = [*rows, *(row for row, _ in deleted)]
        waits = [row.started_at - row.joined_at for row in all_rows if row.started_at] + undone
        runs = [row.run_time for row in all_rows if row.status == "succeeded" and row.run_time is not None]
        return told | _histogram("wait", waits) | _histogram("run", runs)


def rank(row: Entry) -> tuple[int, int]:
    """The order of the line."""
    return -row.priority, row.place or row.id


def _was_seen(row: Entry) -> bool:
    return row.seen_at is not None or not row.needs_presence


def _histogram(name: str, spans: Iterable[timedelta]) -> dict[str, float]:
    seconds = [max(0.0, span.total_seconds()) for span in spans]
    told = {f"{name} le {bound:.3f}": float(sum(one <= bound for one in seconds)) for bound in BOUNDS}
    return told | {f"{name} count": len(seconds), f"{name} sum": sum(seconds)}


def _lately(rows: list[Entry]) -> dict[str, float]:
    """Worker-seconds of the entries that are still there, by what they were good for; and the entries passed over."""
    sums = dict.fromkeys(LATELY, 0.0)
    skipped = 0
    for row in rows:
        if row.finished_at is None:
            continue
        skipped += row.attempt == 0 and row.reason != "unseen"
        sums["failed"] += row.lost_time.total_seconds() if row.lost_time else 0
        if row.run_time is not None:
            sums[_share(row)] += row.run_time.total_seconds()
    return sums | {"skipped": skipped, "waste": sum(sums[cause] for cause in LATELY[2:])}


def _share(row: Entry) -> str:
    if row.status in {"cancelled", "abandoned"}:
        return "stopped" if row.status == "cancelled" else "left"
    if row.status == "failed" and row.reason not in ANSWERS:
        return "failed"
    if row.end_seen_at is not None or row.visitor is None:
        return "goodput"
    return "not_seen_yet"  # until the row is deleted
