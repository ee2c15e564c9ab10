"""`manage.py line`, and the commands that end with one sentence."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.core.management import CommandError
from django.utils import timezone

from queueing import ending
from queueing.line import workers
from queueing.management.commands.line import moment
from queueing.models import Entry, Line
from tests.support.commands import run_command

pytestmark = pytest.mark.django_db(transaction=True)

Join = Callable[..., Entry]


def test_a_line_is_paused_and_resumed_with_a_sentence(join: Join) -> None:
    join()
    words = run_command("line", "pause", "probe", "We", "are", "back", "at", "nine.")
    assert words == 'probe is paused: 1 wait, 0 run. All who wait read: "We are back at nine."'
    assert run_command("line", "resume", "probe") == "probe is open: 1 wait, 0 run."
    log = LogEntry.objects.order_by("pk").values_list("object_repr", "change_message", "user__username")
    assert list(log) == [
        ("probe", "Paused: We are back at nine.", "command line"),
        ("probe", "Resumed.", "command line"),
    ]


def test_a_line_without_its_name_is_told_the_name_alone() -> None:
    with pytest.raises(CommandError, match=r"the following arguments are required: name$"):
        run_command("line", "pause")
    assert run_command("line", "pause", "probe") == "probe is paused: 0 wait, 0 run."


def test_a_line_is_closed_until_a_time_and_its_message_changes() -> None:
    words = run_command("line", "close", "probe", "--opens-at", "2100-01-31T09:00")
    assert words == "probe is closed, until 2100-01-31 09:00 UTC: 0 wait, 0 run."
    assert run_command("line", "message", "probe", "Soup.").endswith('All who wait read: "Soup."')
    assert run_command("line", "open", "probe") == "probe is open: 0 wait, 0 run."


def test_options_may_stand_before_the_sentence() -> None:
    words = run_command("line", "close", "probe", "--opens-at", "2100-01-31T09:00", "Back", "on Monday.")
    assert words.endswith('All who wait read: "Back on Monday."')


def test_a_time_of_the_day_is_the_next_one() -> None:
    now = timezone.localtime()
    at = moment(f"{now - timedelta(minutes=5):%H:%M}")
    assert timedelta(hours=23) < at - now < timedelta(days=1)
    with pytest.raises(ValueError, match="soon"):
        moment("soon")


def test_draining_waits_until_the_line_is_empty(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = join()
    monkeypatch.setattr("time.sleep", lambda _: ending.leave(entry))
    assert run_command("line", "drain", "probe", "--wait").splitlines() == [
        "probe is closed: 1 wait, 0 run.",
        "probe is empty.",
    ]
    assert Line.of("probe").emptied_at is not None


def test_draining_ends_when_the_line_is_opened_again(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    join()
    monkeypatch.setattr("time.sleep", lambda _: run_command("line", "open", "probe"))
    with pytest.raises(CommandError, match="opened again before it was empty"):
        run_command("line", "drain", "probe", "--wait")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("line", "pause", "prob"), "There is no line 'prob'; did you mean probe?"),
        (("line", "pause", "x"), "There is no line 'x'; there are documents, tables, probe."),
        (("line", "open", "probe", "--opens-at", "09:00"), "--opens-at is of close and drain."),
        (("line", "close", "probe", "--wait"), "--wait is of drain."),
        (("line", "close", "probe", "--opens-at", "2001-01-01T09:00"), "The time at which the line opens has passed."),
        (
            ("line", "close", "probe", "--user", "eve"),
            "'eve' is no member of staff with the permission to change lines.",
        ),
        (("rqworker", "tabels", "--burst"), "There is no line 'tabels'; did you mean tables?"),
        (("rqworker-pool", "tabels", "--burst"), "There is no line 'tabels'; did you mean tables?"),
        (("rqenqueue", "--queue", "tabels", "a.b"), "There is no line 'tabels'; did you mean tables?"),
        (("rqenqueue", "os.getcwd"), "No worker would run 'os.getcwd': it is not one of its allowed_functions."),
        (("rqenqueue",), "Name a function by its dotted path."),
        (("rqsuspend", "--duration", "0"), "--duration is at least 1 second."),
        (("rqcron", "no_such_module"), "Failed to import configuration module 'no_such_module'"),
    ],
)
def test_a_mistake_is_one_sentence_and_changes_nothing(arguments: tuple[str, ...], sentence: str) -> None:
    with pytest.raises(CommandError) as error:
        run_command(*arguments)
    assert str(error.value).startswith(sentence)
    assert not LogEntry.objects.exists()


def test_a_member_of_staff_needs_the_permission_and_stands_in_the_log() -> None:
    user = User.objects.create_user("anna", is_staff=True)
    with pytest.raises(CommandError, match="permission"):
        run_command("line", "pause", "probe", "--user", "anna")
    user.user_permissions.add(Permission.objects.get(codename="change_line"))
    run_command("line", "pause", "probe", "--user", "anna")
    assert LogEntry.objects.get().user == user


def test_all_workers_are_paused_and_go_on(valkey: redis.Redis) -> None:
    assert run_command("rqsuspend").startswith("All lines are paused until manage.py rqresume")
    assert workers.are_suspended("probe")
    assert run_command("queue_stats").splitlines()[0].startswith("documents (paused): 0 present")
    assert run_command("rqresume") == "The workers go on."
    assert not workers.are_suspended("probe")
    assert run_command("rqsuspend", "--duration", "60").startswith("All lines are paused for 60 s")
    assert 0 < valkey.ttl("rq:suspended") <= 60
