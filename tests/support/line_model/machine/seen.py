"""The real state, as the modules of the site tell it, and what must be true of it whatever the model says."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, cast

from queueing.line import clients, keys
from queueing.line.places import get_line
from queueing.models import Entry
from tests.support.line_model.machine.moments import now_ms
from tests.support.line_model.model.members import Member


class Row(NamedTuple):
    """The columns of an entry that the model knows, too."""

    pk: int
    priority: int
    status: str
    attempt: int
    reason: str


@dataclass(frozen=True, slots=True)
class Seen:
    """Rows and keys at one moment. Members are job ids here."""

    line: list[str]
    held: list[str]
    unseen: list[str]
    claims: dict[str, str]
    present: set[str]
    noted: set[str]  # absences that began outside of the line
    deadlines: dict[str, float]  # seconds from now
    rows: dict[str, Row]

    def waiting(self) -> list[str]:
        """Waiting rows in the order of joining, higher priorities first."""
        waiting = [(-row.priority, row.pk, job_id) for job_id, row in self.rows.items() if row.status == "waiting"]
        return [job_id for *_, job_id in sorted(waiting)]

    def placed(self) -> list[str]:
        return [*self.line, *self.held, *self.unseen, *self.claims.values()]


def see(members: list[Member]) -> Seen:
    line, client, now = get_line("probe"), clients.connection(), now_ms()
    job_ids = [member.id for member in members]
    due = cast("list[tuple[bytes, float]]", client.zrange(line.keys.due, 0, -1, withscores=True))
    rows = Entry.objects.values_list("code", *Row._fields)
    return Seen(
        line=line.ids(),
        held=line.held_ids(),
        unseen=[job_id.decode() for job_id in cast("list[bytes]", client.zrange(line.keys.unseen, 0, -1))],
        claims={worker: claim.job_id for worker, claim in line.claims().items()},
        present=_with_key(keys.presence_key, job_ids),
        noted=_with_key(keys.gone_key, job_ids),
        deadlines={job_id.decode(): (at - now) / 1000 for job_id, at in due},
        rows={code.hex: Row(*values) for code, *values in rows},
    )


def _with_key(key_of: Callable[[str], str], job_ids: list[str]) -> set[str]:
    values = clients.connection().mget(map(key_of, job_ids)) if job_ids else []
    return {job_id for job_id, value in zip(job_ids, values, strict=True) if value}


# Invariants


def everybody_is_in_one_place(seen: Seen) -> None:
    assert max(Counter(seen.placed()).values(), default=1) == 1, "somebody is in two places"


def order_is_join_order(seen: Seen) -> None:
    for place in (seen.line, seen.held, seen.unseen):
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


def every_waiting_row_has_a_place(seen: Seen, missed_once: set[str]) -> None:
    assert set(seen.waiting()) - missed_once <= set(seen.placed()), "a waiting row has no place"


def line_equals_the_rows(seen: Seen, members: list[Member]) -> None:
    """Orphans of absent visitors are held, and unseen entries wait for a look. All others are in the line again."""
    held = [job_id for job_id in seen.held if seen.rows[job_id].reason == "orphaned"]
    unseen = {member.id for member in members if member.place == "unseen"}
    in_line = [job_id for job_id in seen.waiting() if job_id not in unseen.union(held)]
    assert (seen.line, seen.held, seen.claims) == (in_line, held, {}), "after a flush the line is not that of the rows"
