"""The snapshot of an entry: the numbers and sentences that page, socket and poll all show."""

import json
import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.urls import reverse

from queueing import inputs, joining, site_time
from queueing.conf import conf
from queueing.eta import Wait
from queueing.facts import Facts, parse_facts
from queueing.line.clients import RedisError
from queueing.line.places import Place, Standing, get_line
from queueing.line.scripts import Ranked
from queueing.logs import about
from queueing.models import Entry
from queueing.registry import all_tasks
from queueing.states import FINAL, Status
from queueing.web import sentences

logger = logging.getLogger("queueing")


class Snapshot(NamedTuple):
    """One moment of an entry. The first block is the contract of status.json, the second ready-made sentences.

    A tuple, because a process makes thousands of snapshots a second: a frozen dataclass takes five times as long.
    """

    status: str
    position: int | None
    ahead: int | None
    held_ahead: int | None
    keep_seconds: float | None  # how long the place is kept in an absence that begins now
    eta_seconds: Wait | None
    progress: float | None
    message: str
    result_url: str | None

    headline: str
    detail: str
    advice: str
    wait: str
    title: str
    reason: str

    line: str  # the state of a waiting entry's line: open, closed, paused or stopped; "" if it is not known
    notice: str  # what staff say to all who wait in it
    next_try: str | None  # the time of the next try of an entry that is put off, as ISO 8601

    again_seconds: float | None  # how long "Join again" works from now on; None: it does not
    deleted: bool  # the content was deleted
    next_url: str | None  # the page of the entry that follows this one

    # For the page only.
    kept_until: datetime | None
    keep_after: float  # seconds until the visitor may ask to keep the place

    def as_json(self) -> dict[str, Any]:
        """The fields but those for the page only, by name."""
        return dict(zip(JSON_FIELDS, self, strict=False))


JSON_FIELDS = Snapshot._fields[: Snapshot._fields.index("kept_until")]


def read(entry: Entry) -> Snapshot:
    """The snapshot of a row and, while it waits, of its place in Redis."""
    return of(entry, standings_of([entry]))


def standings_of(entries: Sequence[Entry]) -> dict[str, Standing]:
    """The standings of those that wait, by job id: one round trip to Redis for each line, and none that is away."""
    standings: dict[str, Standing] = {}
    waiting = [entry for entry in entries if entry.status == Status.WAITING]
    for queue in {entry.queue for entry in waiting}:
        ranked = [Ranked(entry.job_id, entry.score) for entry in waiting if entry.queue == queue]
        with suppress(RedisError):
            standings |= get_line(queue).standings(ranked)
    return standings


def of(entry: Entry, standings: Mapping[str, Standing]) -> Snapshot:
    """As `read`, with the standings that were read before."""
    standing = standings.get(entry.job_id)
    if entry.status != Status.WAITING:
        now = build(entry, None, Facts(), again_seconds=_again_seconds(entry))
        return now._replace(next_url=_next_url(entry))
    if standing is None:
        return without_redis(entry)
    now = build(entry, standing.place, parse_facts(*standing.written), is_claimed=standing.is_claimed)
    return now._replace(keep_after=max(0.0, conf.MIN_PRESENCE - standing.present_for))


def look(entry: Entry) -> Snapshot:
    """As `read`, for the owner of a live entry, who is present from now on for POLL_TTL.

    A Redis that does not take the look may still answer questions: its memory is full, or it is a replica. Its numbers
    are not shown, because nobody in that line moves.
    """
    try:
        joining.look(entry, conf.POLL_TTL)
    except RedisError:
        return without_redis(entry)
    return read(entry)


def in_a_list(entry: Entry) -> str:
    """The state of an entry in a few words, for a list."""
    if entry.status == Status.SUCCEEDED and entry.has_result and entry.finished_at:
        kept = entry.finished_at + timedelta(seconds=conf.RESULT_TTL) - site_time.now()
        return f"ready, kept for {sentences.how_long(max(kept.total_seconds(), 1))}"
    if entry.status == Status.RUNNING:
        return "is being worked on"
    if entry.status != Status.WAITING:
        return entry.get_status_display().lower()
    wish = f", kept for {sentences.how_long(entry.keep_seconds)}" if entry.keep_seconds else ""
    return f"{read(entry).headline.lower()}{wish}"


def without_redis(entry: Entry) -> Snapshot:
    """The snapshot of a row whose place cannot be seen, because Redis does not answer or takes no writes."""
    now = build(entry, None, Facts())
    if entry.status != Status.WAITING:
        return now
    return now._replace(wait=sentences.REDIS_AWAY, detail=sentences.REDIS_AWAY_DETAIL, line="")


def build(
    entry: Entry,
    place: Place | None,
    facts: Facts,
    *,
    is_claimed: bool = False,
    again_seconds: float | None = None,
) -> Snapshot:
    """The snapshot from row, place and facts. Reads nothing."""
    seconds = facts.wait(place.ahead, place.held_ahead) if place and not entry.behind else None
    return Snapshot(
        status=entry.status,
        position=place.ahead + 1 if place else None,
        ahead=place.ahead if place else None,
        held_ahead=place.held_ahead if place else None,
        keep_seconds=max(conf.LOST_GRACE, entry.keep_seconds or 0) if entry.is_live else None,
        eta_seconds=Wait(round(seconds.low, 1), round(seconds.high, 1)) if seconds else None,
        progress=entry.progress if entry.status == Status.RUNNING else None,
        message=entry.message,
        result_url=reverse("queueing:result", args=[entry.code]) if entry.has_result else None,
        headline=sentences.headline(
            entry, place, is_claimed=is_claimed, is_overtaken=sentences.may_be_overtaken(entry, facts)
        ),
        detail=sentences.detail(entry, place, facts, is_claimed=is_claimed),
        advice=sentences.advice(entry, again_seconds),
        wait=sentences.wait(entry, seconds, facts, is_claimed=is_claimed),
        title=sentences.title(entry, place),
        reason=entry.reason,
        line=facts.state.value if entry.status == Status.WAITING and facts.knows_levers else "",
        notice=sentences.notice(entry, facts),
        next_try=entry.not_before.isoformat() if entry.is_put_off and entry.not_before else None,
        again_seconds=again_seconds,
        deleted=entry.erased_at is not None,
        next_url=None,
        kept_until=entry.finished_at + timedelta(seconds=conf.RESULT_TTL) if entry.finished_at else None,
        keep_after=conf.MIN_PRESENCE,
    )


def without_again(now: Snapshot, refusal: str) -> Snapshot:
    """The snapshot for a visitor whom the policy refuses a new place: its sentence is the advice after an end."""
    if not refusal or now.status not in FINAL or now.next_url is not None:
        return now
    return now._replace(again_seconds=None, advice=refusal)


def _again_seconds(entry: Entry) -> float | None:
    """The seconds for which "Join again" works, rounded; None if it does not, would not help, or was done already."""
    left = inputs.seconds_left(entry) if entry.may_join_again and entry.followed_by_id is None else None
    return None if left is None else round(left, 1)


def _next_url(entry: Entry) -> str | None:
    """The page of the entry that "Join again", or a retry by staff, made of this one."""
    if entry.is_live or entry.followed_by_id is None:
        return None
    codes = Entry.objects.filter(pk=entry.followed_by_id, queue__in=all_tasks()).values_list("code", flat=True)
    return reverse("queueing:entry", args=[code]) if (code := codes.first()) else None


def page_context(
    entry: Entry, now: Snapshot | None = None, *, is_owner: bool, may_open: bool, may_join: bool = True
) -> dict[str, Any]:
    """The context of the entry's page, and of its partial on the socket. Staff are no owners: their page says so.

    Without `may_open`, the page says that there is a result, and has nothing of it. Without `may_join`, the site's
    policy refuses the owner a new place, so the page has no way to one.
    """
    done, now = entry.has_result and may_open, now or read(entry)
    context = {
        "entry": entry,
        "is_owner": is_owner,
        "may_open": may_open,
        "may_join": may_join,
        "task": entry.heavy_task,
        "input": sentences.input_of(entry),
        "snapshot": now,
        "state": json.dumps(now.as_json()),
        "result": entry.result if done else None,
        "files": {file.name: file for file in entry.files.all()} if done else {},
        "keep_minutes": round(conf.KEEP_GRACE / 60),
    }
    return context | (_change_context(entry) if done and is_owner and may_join else {})


def _change_context(entry: Entry) -> dict[str, Any]:
    """The form by which the owner of a result joins again with other options, while the input is kept."""
    form = entry.heavy_task.form
    left = inputs.seconds_left(entry) if form.has_options() else None
    if left is None:
        return {}
    change = form.of_options(initial=entry.kwargs | _as_found(entry), auto_id="change_%s")
    for field in change.fields.values():
        field.widget.attrs["form"] = "again"  # the form with the token, which is outside of the partial
    return {"change": change, "change_until": site_time.now() + timedelta(seconds=left)}


def _as_found(entry: Entry) -> dict[str, Any]:
    """The options that the task has found out. Without them the form shows those that the visitor chose."""
    try:
        return dict(entry.heavy_task.form.as_found(entry.result))
    except Exception:  # such as the result of another version of the task
        logger.exception("entry %s: as_found of its form failed", entry.code, extra=about(entry, event="error"))
        return {}
