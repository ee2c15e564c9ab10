"""The columns of the list of entries."""

from collections.abc import Sequence

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString

from queueing import site_time
from queueing.admin.base import NOTHING, duration, two_lines
from queueing.line.clients import RedisError
from queueing.line.servers import are_several
from queueing.line.standings import Listed, Stand, Where, stands
from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.web.sentences import time_of

WORDS = {
    Where.LINE: "Present",
    Where.HELD: "Away, held",
    Where.UNSEEN: "Not looked yet",
    Where.CLAIMED: "About to start",
}


def add_stands(entries: Sequence[Entry]) -> list[str]:
    """Give each live entry its `stand`, for the columns. Returns the lines that cannot be reached."""
    live = [entry for entry in entries if entry.is_live]
    if not live:
        return []
    try:
        found = stands([Listed(entry.queue, entry.job_id, entry.score) for entry in live])
    except RedisError:
        found = [None] * len(live)
    for entry, stand in zip(live, found, strict=True):
        entry.stand = stand  # type: ignore[attr-defined]
    return sorted({entry.queue for entry, stand in zip(live, found, strict=True) if stand is None})


def unreached(lines: Sequence[str]) -> str:
    """The subject of a sentence about lines that cannot be reached."""
    return f"The Redis of {', '.join(lines)}" if are_several() else "The lines"


def stand_of(entry: Entry) -> Stand | None:
    """The stand of an entry that `add_stands` has found."""
    return getattr(entry, "stand", None)


def state(entry: Entry) -> SafeString | str:
    """Status with place, progress, or reason."""
    stand = stand_of(entry)
    if entry.is_put_off and entry.not_before:
        return f"Waiting until {time_of(entry.not_before, 'H:i:s')}"
    if entry.status == Status.WAITING:
        place = f", no. {stand.ahead + 1}" if stand and stand.where == Where.LINE else ""
        return f"Waiting{place}"
    if entry.status == Status.RUNNING:
        if entry.progress is None:
            return "Running"
        return format_html(
            'Running <progress max="1" value="{}" aria-label="Progress">{}</progress> {}',
            f"{entry.progress:.3f}",
            f"{entry.progress:.0%}",
            f"{entry.progress:.0%}",
        )
    reason = f": {Reason(entry.reason).label}" if entry.reason else ""
    return f"{entry.get_status_display()}{reason}"


def presence(entry: Entry) -> str:
    """Present, away and for how much longer the place is kept, or nothing for an entry that has ended."""
    stand = stand_of(entry)
    if not entry.is_live:
        return NOTHING
    if stand is None:
        return "Unknown"
    if not entry.needs_presence:
        return "Needs nobody"
    if entry.status == Status.RUNNING or stand.where is None:
        return "Present" if stand.is_present else "Away"
    if stand.seconds is None:
        return WORDS[stand.where]
    # The keeper ends such a place within a second, if it is there and sees who is absent.
    left = f" for {duration(stand.seconds)}" if stand.seconds else "; time is over"
    return f"{WORDS[stand.where]}{left}"


def who(entry: Entry) -> str:
    """The user, or the beginning of the visitor's random name."""
    if entry.user is not None:
        return entry.user.get_username()
    return entry.visitor.hex[:8] if entry.visitor else "code"


class Columns:
    """The columns, for a ModelAdmin. Each has a second line, so that the list fits beside its filters."""

    @admin.display(description="File")
    def file_name(self, entry: Entry) -> str:
        return two_lines(entry.input_name or NOTHING, entry.code.hex[:8])

    @admin.display(description="Status and presence")
    def state(self, entry: Entry) -> str:
        return two_lines(state(entry), presence(entry) if entry.is_live else "")

    @admin.display(description="Waited, ran")
    def times(self, entry: Entry) -> str:
        until = entry.started_at or entry.finished_at or site_time.now()
        waited = duration(until - entry.joined_at)
        if entry.status == Status.RUNNING and entry.last_attempted_at:
            return two_lines(waited, f"runs for {duration(site_time.now() - entry.last_attempted_at)}")
        return two_lines(waited, f"ran {duration(entry.run_time)}" if entry.run_time is not None else "")

    @admin.display(description="Line, worker")
    def line(self, entry: Entry) -> str:
        return two_lines(entry.queue, entry.worker_ids[-1][:12] if entry.worker_ids else "")

    @admin.display(description="Visitor")
    def who(self, entry: Entry) -> str:
        return who(entry)
