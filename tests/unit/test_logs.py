"""Every line about a move carries who moved which entry where, for logs that programs read."""

import io
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from queueing import ending, logs, steering
from queueing.management.plain import PlainCommand
from queueing.models import Entry, Line
from queueing.staff import ACTS
from queueing.states import Absence, Reason
from tests.support.admin import do
from tests.support.connections import forget_connections
from tests.support.probe import types_of
from tests.support.servers import free_port
from tests.support.visitors import Visitor, staff, url

pytestmark = pytest.mark.django_db(transaction=True)

FIELDS = {"entry", "line", "status", "reason", "attempt", "worker", "actor", "trace_id", "event"}
Join = Callable[..., Entry]


@pytest.mark.parametrize(("seconds", "number"), [(3600, 1), (0, 3)])
def test_a_loop_warns_once_in_a_while(seconds: float, number: int, caplog: pytest.LogCaptureFixture) -> None:
    seldom = logs.Seldom(logging.getLogger("queueing"), seconds)
    for turn in range(3):
        seldom.warning("Redis is away (%s)", turn)
    assert [record.getMessage() for record in caplog.records] == [f"Redis is away ({turn})" for turn in range(number)]


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Callable[[str], list[dict[str, Any]]]:
    """The fields of the lines of an event."""
    caplog.set_level(logging.INFO, logger="queueing")
    return lambda event: [vars(record) for record in caplog.records if vars(record).get("event") == event]


Lines = Callable[[str], list[dict[str, Any]]]


def told(lines: list[dict[str, Any]], *names: str) -> list[tuple[Any, ...]]:
    assert all(line.keys() >= FIELDS for line in lines)
    return [tuple(line[name] for name in names) for line in lines]


def test_each_move_says_from_where_to_where_by_whom_and_in_which_trace(join: Join, lines: Lines) -> None:
    entry = join()
    with logs.acting("worker"):
        assert entry.start("desk-1")
        assert entry.fail(Reason.ERROR, "x")
    assert told(lines("join"), "line", "status", "actor") == [("probe", "waiting", "code")]
    moves = lines("move")
    assert told(moves, "origin", "status", "reason", "attempt", "worker", "actor") == [
        ("waiting", "running", "", 1, "desk-1", "worker"),
        ("running", "failed", "error", 1, "desk-1", "worker"),
    ]
    assert set(told([*lines("join"), *moves], "entry", "trace_id")) == {(str(entry.code), entry.code.hex)}


def test_the_first_start_in_one_query_is_such_a_line_too(join: Join, lines: Lines) -> None:
    entry = join()
    assert Entry.objects.start_first_attempt(entry.job_id, "desk-2")
    assert told(lines("move"), "entry", "worker", "status") == [(str(entry.code), "desk-2", "running")]


def test_visitors_and_staff_act_under_their_names(lines: Lines) -> None:
    visitor, colleague = Visitor(), staff("view", "change")
    name = logs.staff(User.objects.get())
    first, second = visitor.join(), visitor.join()
    visitor.client.post(url(first, "leave/"))
    colleague.client.post(url(second, "leave/"))
    assert told(lines("join"), "actor") == [("visitor",), ("visitor",)]
    assert told(lines("move"), "entry", "actor", "reason") == [
        (str(first.code), "visitor", "left"),
        (str(second.code), name, "ended"),
    ]
    visitor.client.post(url(first, "delete/"))
    colleague.client.post(url(second, "delete/"))
    assert told(lines("erase"), "entry", "actor") == [(str(first.code), "visitor"), (str(second.code), name)]


def test_an_act_of_staff_is_theirs(join: Join, lines: Lines) -> None:
    boss = User.objects.create_superuser("boss")
    entry = join()
    assert ACTS["end"].perform(entry, boss) == ""
    assert told(lines("move"), "actor", "reason") == [("staff boss", "ended")]
    entry.refresh_from_db()
    assert ACTS["retry"].perform(entry, boss) == ""
    assert lines("join")[-1]["actor"] == "staff boss"
    assert logs.actor() != "staff boss"


def test_an_action_in_the_admin_is_theirs(join: Join, lines: Lines) -> None:
    colleague = staff("view", "change")
    assert "Ended: 1 entry." in do(colleague, "end", join())
    (line,) = lines("move")
    assert line["actor"] == logs.staff(User.objects.get())
    (deed,) = lines("staff moves")
    assert (deed["entry"], deed["actor"]) == (line["entry"], line["actor"])


def test_each_dropped_entry_has_a_line_where_programs_read(
    join: Join, lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    """The text log has one line for all of them."""
    entries = [join(), join()]
    assert ending.drop("probe", [entry.job_id for entry in entries[:1]], Absence.LOST) == 1
    assert lines("move") == []
    assert [(line["count"], line["reason"], line["line"]) for line in lines("drop")] == [(1, "lost", "probe")]
    caplog.set_level(logging.INFO, logger="queueing.each")
    with logs.acting("keeper"):
        assert ending.drop("probe", [entry.job_id for entry in entries], Absence.CLOSED) == 1
    assert told(lines("move"), "entry", "origin", "status", "reason", "actor") == [
        (str(entries[1].code), "waiting", "abandoned", "closed", "keeper")
    ]


def test_levers_are_moved_under_a_name(lines: Lines) -> None:
    steering.steer("probe", steering.pause, "Paused", User.objects.create_superuser("boss"))
    steering.steer("probe", steering.resume, "Resumed")
    assert [(line["line"], line["actor"], line["words"]) for line in lines("steer")] == [
        ("probe", "staff boss", "Paused"),
        ("probe", "code", "Resumed"),
    ]


def test_a_command_acts_as_the_command_line(join: Join, lines: Lines) -> None:
    entry = join()

    class Command(PlainCommand):
        def handle(self, *_: Any, **__: Any) -> None:
            entry.cancel(Reason.ENDED)

    Command().execute(no_color=True, force_color=False, skip_checks=True)
    assert told(lines("move"), "actor") == [("command line",)]
    assert logs.actor() != "command line"


def test_a_line_of_the_log_about_a_lever_names_whose_act_it_is(lines: Lines) -> None:
    """The accounts that stand in for the keeper and the command line are no members of staff."""
    with logs.acting("command line"):
        steering.steer("probe", steering.close, "Closed.")
        steering.steer("probe", steering.pause, "Paused.", User.objects.create_user("anna"))
    Line.objects.update(opens_at=timezone.now() - timedelta(seconds=1))
    with logs.acting("keeper"):
        assert steering.open_due("probe")
    assert [line["actor"] for line in lines("steer")] == ["command line", "staff anna", "keeper"]


def test_work_that_code_enqueues_while_redis_is_away_is_one_line_in_the_log(
    settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    forget_connections()
    try:
        result = types_of.enqueue(1)
        entry = Entry.objects.get(code=result.id)
        ending.leave(entry)
    finally:
        forget_connections()
    found = [record for record in caplog.records if record.levelno >= logging.WARNING]
    assert [record.getMessage().partition(": ")[0] for record in found] == [
        f"entry {entry.code} has no place yet; the keeper will give it one",
        f"entry {entry.code} has ended; the keeper will clear its place",
        f"No hint could be sent for entry {entry.code}",
    ]
    assert all(record.exc_info is None and "\n" not in record.getMessage() for record in found)


class Filter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        return record.levelno > logging.INFO


def chain(handler: logging.Handler | None, level: int, *, propagate: bool = True) -> logging.Logger:
    """A logger below another one, which has the handler."""
    above, below = logging.Logger("a", level), logging.Logger("a.b")  # noqa: LOG001  # nobody else may find them
    below.parent, below.propagate = above, propagate
    if handler is not None:
        above.addHandler(handler)
    return below


def terminal(level: int = logging.NOTSET, *filters: logging.Filter) -> logging.Handler:
    handler = logging.StreamHandler(io.StringIO())
    handler.setLevel(level)
    for one in filters:
        handler.addFilter(one)
    return handler


@pytest.mark.parametrize(
    ("logger", "is_shown"),
    [
        (chain(terminal(), logging.INFO), True),
        (chain(terminal(), logging.WARNING), False),
        (chain(None, logging.INFO), False),
        (chain(terminal(logging.ERROR), logging.INFO), False),
        (chain(terminal(logging.INFO, Filter()), logging.INFO), False),
        (chain(logging.NullHandler(), logging.INFO), False),
        (chain(terminal(), logging.INFO, propagate=False), False),
    ],
)
def test_a_line_is_shown_where_a_stream_takes_it(logger: logging.Logger, is_shown: bool) -> None:
    assert logs.is_shown(logger, logging.INFO) == is_shown
