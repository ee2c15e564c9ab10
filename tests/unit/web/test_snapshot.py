"""The snapshot that a visitor is told, from the row, the place and the facts."""

import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from queueing import eta
from queueing.facts import Facts, parse_facts
from queueing.keeper import survey
from queueing.line.keys import facts_key
from queueing.line.levers import Levers
from queueing.line.places import Line, Place
from queueing.models import Entry
from queueing.states import FINAL, LineState, Reason, Status
from queueing.web import snapshot
from queueing.web.sentences import how_long, ordinal
from queueing.web.snapshot import JSON_FIELDS, Snapshot
from tests.support.standing import stand

NOW = datetime(2030, 1, 1, tzinfo=UTC)
BUSY = Facts(workers=2, running=2, busy=2, waits=((0, 10.0, 40.0), (10, 280.0, 380.0)))


def entry(status: Status = Status.WAITING, **values: object) -> Entry:
    return Entry(id=1, code=uuid.uuid4(), queue="probe", status=status, **values)


def told(
    made: Entry, ahead: int | None = None, held_ahead: int = 0, facts: Facts = BUSY, *, is_claimed: bool = False
) -> Snapshot:
    place = Place(ahead, held_ahead) if ahead is not None else None
    return snapshot.build(made, place, facts, is_claimed=is_claimed)


def test_a_waiting_entry_has_its_numbers_and_sentences() -> None:
    now = told(entry(), 2, 1)
    assert (now.position, now.ahead, now.held_ahead) == (3, 2, 1)
    assert now.headline == "3rd in line"
    assert now.detail == "2 ahead of you; 1 who is away may return. 2 workers serve this line."
    assert now.eta_seconds
    assert now.eta_seconds[0] < 90 < now.eta_seconds[1]
    assert now.wait.startswith("Expected wait: ")
    assert now.title == "(3) Probe"
    assert tuple(now.as_json()) == JSON_FIELDS


def test_a_visitor_who_is_next_is_told_so() -> None:
    now = told(entry(), 0, facts=Facts(workers=1))
    assert (now.headline, now.detail) == ("You are next", "Nobody is ahead of you. 1 worker serves this line.")


@pytest.mark.parametrize(("priority", "is_overtaken"), [(0, True), (9, True), (10, False), (20, False)])
def test_a_place_that_later_ones_may_overtake_is_promised_neither_the_next_turn_nor_its_wait(
    priority: int, is_overtaken: bool
) -> None:
    facts = replace(BUSY, first_priority=10, busy_elsewhere=2)
    waits, leads = told(entry(priority=priority), 4, facts=facts), told(entry(priority=priority), 0, facts=facts)
    longer = ", or longer: some who join later go first" if is_overtaken else ""
    assert waits.wait == f"Expected wait: about 1 to 3 minutes{longer}."
    assert leads.headline == ("Nobody is ahead of you now" if is_overtaken else "You are next")
    assert ("You are next" in leads.detail) is not is_overtaken


def test_a_place_behind_those_of_other_networks_is_never_next() -> None:
    now = told(entry(behind=True), 0, facts=Facts(workers=1, running=1, busy=1, busy_elsewhere=1))
    assert now.headline == "Nobody is ahead of you now"
    assert now.wait == "Whoever joins from another network goes first, so the wait cannot be told."
    assert now.detail.endswith(
        "Your network has many places in this line, so this one comes after those of other networks."
    )
    assert "next" not in now.detail
    assert told(entry(behind=True), 2).headline == "3rd in line"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, ""), (0.2, "1 second"), (1, "1 second"), (2, "2 seconds"), (90, "90 seconds"), (91, "2 minutes")],
)
def test_a_duration_has_its_number(seconds: float | None, words: str) -> None:
    assert how_long(seconds) == words


@pytest.mark.parametrize(
    ("workers", "busy", "elsewhere", "sentence"),
    [
        (2, 1, 1, "2 workers serve this line."),
        (2, 2, 0, "2 workers serve this line."),
        (1, 1, 1, "The worker of this line is busy with another line. You are next when it is free for this line."),
        (2, 2, 2, "Both workers of this line are busy with other lines. You are next when one is free for this line."),
        (4, 4, 4, "All 4 workers of this line are busy with other lines. You are next when one is free for this line."),
        (2, 2, 1, "Both workers of this line are busy, one of them with another line."),
        (3, 3, 2, "All 3 workers of this line are busy, 2 of them with other lines."),
    ],
)
def test_workers_that_are_busy_elsewhere_are_told(workers: int, busy: int, elsewhere: int, sentence: str) -> None:
    facts = Facts(workers=workers, running=1, busy=busy, busy_elsewhere=elsewhere)
    assert told(entry(), 0, facts=facts).detail == f"Nobody is ahead of you. {sentence}"


def test_only_the_first_in_line_is_next(line: Line) -> None:
    now = told(entry(), 1, facts=Facts(workers=2, busy=2, busy_elsewhere=2))
    assert now.detail == "1 ahead of you. Both workers of this line are busy with other lines."


def test_an_unknown_wait_is_not_guessed() -> None:
    now = told(entry(), 5, facts=Facts())
    assert (now.eta_seconds, now.wait) == (None, "The wait is not known yet.")


def test_a_line_without_workers_says_so_and_that_it_goes_on() -> None:
    now = told(entry(), 1, facts=Facts(workers=0))
    assert now.wait == "No worker is there at the moment. Your place is kept, and the line goes on by itself."
    assert now.detail == "1 ahead of you."


PAUSED = "This line is paused at the moment. Your place is kept, and the line goes on by itself when the pause is over."


@pytest.mark.parametrize("said", [{"suspended": True}, {"levers": Levers(state=LineState.PAUSED)}])
@pytest.mark.parametrize("workers", [0, 2])
def test_no_seconds_are_promised_while_the_line_is_paused(said: dict[str, Any], workers: int) -> None:
    """A paused line needs no worker, so a missing one is not told."""
    now = told(entry(), 0, facts=replace(BUSY, workers=workers, busy=0, **said))
    assert (now.eta_seconds, now.line, now.wait) == (None, "paused", PAUSED)
    assert "serve" not in now.detail


def test_what_staff_say_is_told_to_all_who_wait() -> None:
    facts = replace(BUSY, levers=Levers(sentence="We are slow today."))
    assert told(entry(), 3, facts=facts).notice == "We are slow today."
    running = entry(status=Status.RUNNING)
    assert (told(running, facts=facts).notice, told(running, facts=facts).line) == ("", "")


def test_nothing_is_promised_while_nobody_knows_whether_the_line_is_paused(line: Line) -> None:
    survey.write("probe", BUSY)
    written = line.client.get(facts_key("probe"))
    assert parse_facts(written).wait(3) == BUSY.wait(3) is not None
    assert parse_facts(written, None).wait(3) is None
    assert told(entry(), 3, facts=parse_facts(written, b"rubbish")).line == ""


def test_a_limit_of_running_entries_makes_no_free_worker() -> None:
    facts = replace(BUSY, workers=3, busy=1, running=1)
    assert facts.wait(0) == (0, 2)
    limited = replace(facts, levers=Levers(max_running=1))
    assert limited.wait(0) == eta.look_up(facts.waits, 0)


def test_a_limit_of_starts_makes_the_wait_at_least_as_long() -> None:
    facts = replace(BUSY, workers=9, busy=0, levers=Levers(max_starts=2))
    assert [facts.wait(ahead) for ahead in (0, 1, 2, 5)] == [(0, 60), (0, 60), (60, 120), (120, 180)]


def test_held_entries_ahead_count_by_the_share_of_them_that_comes_back() -> None:
    facts = replace(BUSY, return_share=0.5)
    assert told(entry(), 2, 4, facts).eta_seconds == told(entry(), 4, 0, facts).eta_seconds


def test_a_visitor_who_was_claimed_is_told_that_the_turn_is_coming_up() -> None:
    now = told(entry(), is_claimed=True)
    assert (now.position, now.ahead, now.held_ahead, now.eta_seconds) == (None, None, None, None)
    assert (now.headline, now.wait, now.detail) == ("Your turn is coming up", "", "A worker is taking it up.")


def test_without_a_place_no_turn_is_promised() -> None:
    now = told(entry())
    assert (now.position, now.ahead, now.held_ahead, now.eta_seconds) == (None, None, None, None)
    assert (now.headline, now.detail) == ("Waiting", "Your place is stored; its number will follow.")


def test_places_are_told_from_claims(line: Line) -> None:
    first, second = entry(), entry()
    first.id, second.id = 1, 2
    assert snapshot.read(first).headline == "Waiting"  # as after a flush
    for made in (first, second):
        stand(line, made.job_id, made.score, presence=60)
    line.claim("w")
    assert [snapshot.read(made).headline for made in (first, second)] == ["Your turn is coming up", "You are next"]


def test_it_never_grows_without_saying_why() -> None:
    now = told(entry(reason=Reason.ORPHANED), 0)
    assert "you are back in your place" in now.detail


def test_running_says_what_is_done() -> None:
    assert told(entry(Status.RUNNING, attempt=1)).headline == "Probing…"
    now = told(entry(Status.RUNNING, attempt=2, progress=0.5, message="Page 2 of 4"))
    assert (now.headline, now.progress, now.title) == ("Page 2 of 4", 0.5, "50% Probe")
    assert "began again" in now.detail


@pytest.mark.parametrize("status", sorted(FINAL))
def test_what_has_ended_waits_for_nothing(status: Status) -> None:
    now = told(entry(status, finished_at=NOW, progress=0.5))
    assert (now.position, now.eta_seconds, now.keep_seconds, now.progress, now.wait) == (None, None, None, None, "")
    assert now.kept_until == NOW + timedelta(hours=1)
    assert (now.result_url is not None) == (status == Status.SUCCEEDED)
    assert now.headline


@pytest.mark.parametrize("reason", sorted(Reason))
@pytest.mark.parametrize("status", sorted(Status))
def test_every_status_and_reason_has_words(status: Status, reason: Reason) -> None:
    now = told(entry(status, reason=reason), facts=Facts())
    assert now.headline
    assert now.title
    assert now.detail or status == Status.SUCCEEDED
    assert bool(now.advice) == (status in FINAL - {Status.SUCCEEDED})


def test_a_place_may_be_kept_for_longer() -> None:
    assert told(entry(), 0).keep_seconds == 120
    assert told(entry(keep_seconds=1800), 0).keep_seconds == 1800


@pytest.mark.parametrize(
    ("number", "text"),
    [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (21, "21st"), (112, "112th")],
)
def test_ordinals_end_as_in_english(number: int, text: str) -> None:
    assert ordinal(number) == text


def test_facts_that_nobody_wrote_are_unknown() -> None:
    assert parse_facts(None) == Facts()
    assert parse_facts(None).workers is None


def test_facts_of_another_version_do_no_harm() -> None:
    assert parse_facts(b'{"workers": 3, "mood": "good"}') == Facts(workers=3)


def test_facts_of_a_keeper_that_counted_no_workers_elsewhere_are_read(line: Line) -> None:
    earlier = parse_facts(b'{"workers": 2, "running": 0, "busy": 2, "suspended": false, "returning": 0.5, "waits": []}')
    assert earlier == Facts(workers=2, busy=2)
    assert told(entry(), 0, facts=earlier).detail == "Nobody is ahead of you. 2 workers serve this line."


def test_facts_of_a_keeper_that_knew_no_forecast_leave_the_wait_unknown() -> None:
    earlier = b'{"workers": 1, "running": 1, "busy": 1, "run_seconds": [60.0, 61.0, 62.0], "leave_rate": 0.001}'
    assert parse_facts(earlier) == Facts(workers=1, running=1, busy=1)
    assert parse_facts(earlier).wait(0) is None


def test_facts_are_read_as_they_were_written(line: Line) -> None:
    survey.write("probe", BUSY)
    assert parse_facts(line.client.get(facts_key("probe"))) == BUSY
