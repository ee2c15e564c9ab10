"""Staff steer a line: the verbs, their traces, and what the keeper does at a time that they gave."""

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from queueing import admission, ending, slots, steering
from queueing.exceptions import LeverRefused, LineClosed, TooManyWaiting, UnknownLine
from queueing.keeper import steering as keeper_steering
from queueing.line import levers
from queueing.line.clients import connection
from queueing.models import Entry, Line
from queueing.models.line import make_rows
from queueing.states import LineState
from tests.support.levers import set_levers

pytestmark = pytest.mark.django_db(transaction=True)

Join = Callable[..., Entry]


@pytest.fixture
def user() -> User:
    return User.objects.create_user("anna")


def state() -> tuple[str, str]:
    """The state and the sentence of the row; the copy says the same."""
    line = Line.of("probe")
    assert levers.read(connection(), "probe") == line.levers
    return line.state, line.sentence


# The verbs


def test_each_verb_changes_what_it_names_and_no_more(user: User) -> None:
    """A line that is closed and paused is opened and resumed one by one; the sentence goes when it is open."""
    expected = [
        (steering.pause, "Soup.", ("paused", "Soup.")),
        (steering.pause, None, ("paused", "Soup.")),
        (steering.close, None, ("stopped", "Soup.")),
        (steering.resume, None, ("closed", "Soup.")),
        (steering.pause, None, ("stopped", "Soup.")),
        (steering.open_, None, ("paused", "Soup.")),
        (steering.resume, None, ("open", "")),
        (steering.tell, "Slow today.", ("open", "Slow today.")),
        (steering.resume, None, ("open", "Slow today.")),
        (steering.tell, None, ("open", "")),
        (steering.drain, "Bye.", ("closed", "Bye.")),
        (steering.open_, "Welcome back.", ("open", "Welcome back.")),
    ]
    for verb, sentence, after in expected:
        steering.steer("probe", partial(verb, sentence=sentence), "Steered.", user)
        assert state() == after
    assert LogEntry.objects.filter(user=user, change_message="Steered.").count() == len(expected)


def test_whoever_has_the_command_line_stands_in_the_log_and_cannot_sign_in() -> None:
    steering.steer("probe", steering.pause, "Paused.")
    steering.steer("probe", steering.resume, "Resumed.")
    (name,) = {entry.user.get_username() for entry in LogEntry.objects.all()}
    user = User.objects.get(username=name)
    assert (name, user.is_active, user.has_usable_password()) == ("command line", False, False)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sentence": "x" * 301}, "more than 300 characters"),
        ({"sentence": "a\0b"}, "cannot be stored"),
        ({"draining": True}, "Only a closed line"),
        ({"state": "closed", "opens_at": timezone.now() - timedelta(hours=1)}, "has passed"),
    ],
)
def test_what_a_line_cannot_take_is_refused_and_changes_nothing(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(LeverRefused, match=words):
        steering.steer("probe", lambda _: changes, "Wrong.")
    assert state() == ("open", "")
    assert not LogEntry.objects.exists()


def test_an_unknown_line_is_told_with_the_nearest_name() -> None:
    with pytest.raises(UnknownLine, match="did you mean probe"):
        steering.steer("prboe", steering.pause, "Paused.")


def test_a_redis_that_takes_no_writes_refuses_the_whole(valkey: redis.Redis) -> None:
    valkey.config_set("maxmemory", 1)
    try:
        with pytest.raises(redis.RedisError):
            steering.steer("probe", steering.pause, "Paused.")
    finally:
        valkey.config_set("maxmemory", 0)
    assert state() == ("open", "")
    assert not User.objects.exists()


def test_a_redis_that_goes_away_after_the_row_is_made_good_by_the_keeper(monkeypatch: pytest.MonkeyPatch) -> None:
    def go_away(*_: Any) -> None:
        raise redis.ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(levers, "publish", go_away)
        with pytest.raises(LeverRefused, match="takes effect when"):
            steering.steer("probe", steering.pause, "Paused.")
    keeper_steering.look_after(connection())
    assert state() == ("paused", "")


# Joining


def test_a_closed_line_takes_nobody_and_says_when_it_opens(join: Join) -> None:
    opens_at = timezone.now() + timedelta(hours=1)
    set_levers(state="closed", sentence="We are moving.", opens_at=opens_at)
    with pytest.raises(LineClosed) as refused:
        join()
    assert refused.value.notice == "We are moving."
    assert refused.value.opens_at == opens_at
    assert 3500 < refused.value.retry_after <= 3600
    set_levers(opens_at=timezone.now() - timedelta(seconds=1))  # the keeper is late
    with pytest.raises(LineClosed) as refused:
        join()
    assert (refused.value.opens_at, refused.value.retry_after) == (None, 300)


def test_a_closed_line_is_joined_by_nobody_after_a_flush(join: Join, valkey: redis.Redis) -> None:
    set_levers(state="closed")
    valkey.flushall()
    with pytest.raises(LineClosed):
        join()


def test_a_line_has_its_own_number_of_places_for_a_visitor(join: Join, settings: Any) -> None:
    """Beside that of the setting, which counts the places in all lines."""
    settings.QUEUEING = {"MAX_WAITING_PER_VISITOR": 2}
    visitor = uuid.uuid4()
    set_levers(max_per_visitor=1)
    first = join(visitor=visitor)
    with pytest.raises(TooManyWaiting):
        join(visitor=visitor)
    with pytest.raises(TooManyWaiting):
        admission.check_visitor(Entry(visitor=visitor, queue="probe"))
    admission.check_visitor(Entry(visitor=visitor, queue="tables"))
    Entry.objects.filter(pk=first.pk).update(queue="tables")
    join(visitor=visitor)
    set_levers(max_per_visitor=4)
    for _ in range(2):
        join(visitor=visitor)
    with pytest.raises(TooManyWaiting):
        admission.check_visitor(Entry(visitor=visitor, queue="tables"))


def test_two_joins_at_the_same_moment_do_not_both_take_the_last_place(
    join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1. Both looked when the place was free. 2. The other one is stored. 3. This one is about to be."""
    visitor = uuid.uuid4()
    set_levers(max_per_visitor=1)
    insert = slots.within

    def be_late(entry: Entry, most: int | None) -> Any:
        Entry.objects.create(queue="probe", visitor=visitor, slot=1)
        return insert(entry, most)

    monkeypatch.setattr(slots, "within", be_late)
    with pytest.raises(TooManyWaiting):
        join(visitor=visitor)
    assert Entry.objects.count() == 1


# The keeper


def test_a_line_opens_at_its_time_once(user: User) -> None:
    set_levers(state="stopped", sentence="Until nine.", opens_at=timezone.now() - timedelta(seconds=1))
    keeper_steering.look_after(connection())
    keeper_steering.look_after(connection())
    assert state() == ("paused", "Until nine.")
    (entry,) = LogEntry.objects.all()
    assert (entry.user.get_username(), entry.change_message) == ("keeper", "Opened, as it was to be by this time.")


def test_a_line_that_opens_later_stays_closed() -> None:
    set_levers(state="closed", opens_at=timezone.now() + timedelta(minutes=1))
    keeper_steering.look_after(connection())
    assert state() == ("closed", "")


def test_the_keeper_says_once_when_a_drained_line_is_empty(join: Join) -> None:
    entry = join()
    steering.steer("probe", steering.drain, "Drained.")
    keeper_steering.look_after(connection())
    assert Line.of("probe").levers.draining
    ending.leave(entry)
    keeper_steering.look_after(connection())
    keeper_steering.look_after(connection())
    assert not Line.of("probe").levers.draining
    assert Line.of("probe").emptied_at is not None
    words = LogEntry.objects.order_by("pk").values_list("change_message", flat=True)
    assert list(words) == ["Drained.", "Empty: nobody waits, and nothing runs."]
    steering.steer("probe", steering.open_, "Opened.")
    assert Line.of("probe").emptied_at is None


# The rows


def test_each_line_of_the_settings_has_a_row_after_a_migration(settings: Any) -> None:
    Line.objects.all().delete()
    settings.QUEUEING = {"CLOSED_LINES": "tables"}
    make_rows()
    make_rows()
    assert dict(Line.objects.values_list("queue", "state")) == {
        "documents": LineState.OPEN,
        "tables": LineState.CLOSED,
        "probe": LineState.OPEN,
    }


def test_a_line_without_a_row_is_as_the_settings_say(settings: Any, valkey: redis.Redis) -> None:
    Line.objects.all().delete()
    settings.QUEUEING = {"CLOSED_LINES": "probe"}
    valkey.flushall()
    with pytest.raises(LineClosed):
        admission.check_line("probe")
    assert not Line.objects.exists()


def test_a_limit_of_nothing_is_refused_by_the_database() -> None:
    with pytest.raises(Exception, match=r"(?i)check"), transaction.atomic():
        set_levers(max_running=0)
