"""The lines in the admin: their levers, by permission, each change with its trace."""

from datetime import timedelta
from typing import Any

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.utils import timezone

from queueing import steering
from queueing.line import levers
from queueing.line.clients import connection
from queueing.line.workers import resume, suspend
from queueing.models import Line
from queueing.models.line import LIMITS
from tests.support.levers import set_levers
from tests.support.visitors import Visitor, staff

pytestmark = pytest.mark.django_db(transaction=True)

LIST = "/admin/queueing/line/"


def page() -> str:
    return f"{LIST}{steering.row_of('probe').pk}/change/"


def send(visitor: Visitor, **values: Any) -> str:
    """Save the form with these values; the others stay as they are."""
    return save(visitor, shown(), **values)


def shown() -> dict[str, Any]:
    """The values in the form, as it is opened now."""
    line = steering.row_of("probe")
    values: dict[str, Any] = {name: getattr(line, name) for name in ("state", "sentence", *LIMITS)}
    values |= {"draining": "on"} if line.draining else {}
    if line.opens_at:
        values |= {"opens_at_0": f"{line.opens_at:%Y-%m-%d}", "opens_at_1": f"{line.opens_at:%H:%M:%S}"}
    return {name: value for name, value in values.items() if value is not None}


def save(visitor: Visitor, opened: dict[str, Any], **values: Any) -> str:
    """Send a form that was opened with these values."""
    data = {f"initial-{name}": value for name, value in opened.items()} | opened | values
    return visitor.client.post(page(), data, follow=True).content.decode()


def test_staff_steer_a_line_and_it_stands_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    steerer = staff("view_line", "change_line")
    assert 'name="initial-state"' in steerer.client.get(page()).content.decode()
    with caplog.at_level("INFO", "queueing.audit"):
        assert "was changed successfully" in send(steerer, state="paused", sentence="Soup.", max_running=3)
    found = levers.read(connection(), "probe")
    assert (found.state, found.sentence, found.max_running) == ("paused", "Soup.", 3)
    (entry,) = LogEntry.objects.all()
    assert entry.get_change_message() == "State: paused; Sentence: Soup.; Most running at once: 3"
    assert "steers line probe" in caplog.text
    assert "Soup." in steerer.client.get(f"{LIST}{Line.objects.get(queue='probe').pk}/history/").content.decode()


def test_two_members_of_staff_do_not_undo_each_other() -> None:
    """The one opened the form before the other one paused the line."""
    opened = shown()
    set_levers(state="paused")
    save(staff("view_line", "change_line"), opened, sentence="Soup.")
    line = Line.of("probe")
    assert (line.state, line.sentence) == ("paused", "Soup.")


def test_a_line_that_is_opened_loses_what_is_said_of_closed_ones() -> None:
    set_levers(state="closed", draining=True, opens_at=timezone.now() + timedelta(hours=1))
    send(staff("view_line", "change_line"), state="open")
    line = Line.of("probe")
    assert (line.state, line.draining, line.opens_at) == ("open", False, None)


@pytest.mark.parametrize(
    ("before", "after", "sentence", "kept"),
    [
        ("closed", "open", None, ""),
        ("paused", "open", None, ""),
        ("stopped", "open", None, ""),
        ("stopped", "paused", None, "Until nine."),
        ("open", "open", None, "Until nine."),
        ("closed", "open", "Welcome back.", "Welcome back."),
    ],
)
def test_a_sentence_ends_with_the_state_that_it_was_about(
    before: str, after: str, sentence: str | None, kept: str
) -> None:
    """As with `manage.py line open`; and the log says so."""
    set_levers(state=before, sentence="Until nine.")
    send(staff("view_line", "change_line"), **{"state": after} | ({"sentence": sentence} if sentence else {}))
    line = Line.of("probe")
    assert (line.state, line.sentence) == (after, kept)
    assert levers.read(connection(), "probe").sentence == kept
    lost = "" if kept == "Until nine." else f"; Sentence: {kept or 'none'}"
    words = [entry.get_change_message() for entry in LogEntry.objects.all()]
    assert words == [f"State: {after}{lost}"] * (before != after)


def test_levers_that_are_saved_unchanged_leave_no_trace(caplog: pytest.LogCaptureFixture) -> None:
    set_levers(state="paused", sentence="Soup.")
    with caplog.at_level("INFO", "queueing.audit"):
        send(staff("view_line", "change_line"))
    assert not LogEntry.objects.exists()
    assert "steers" not in caplog.text


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"draining": "on"}, "Only a closed line can be drained"),
        ({"max_running": 0}, "greater than or equal to 1"),
        ({"sentence": "x" * 301}, "at most 300 characters"),
        ({"state": "ajar"}, "Select a valid choice"),
    ],
)
def test_what_a_line_cannot_take_is_refused(values: dict[str, Any], words: str) -> None:
    assert words in send(staff("view_line", "change_line"), **values)
    assert Line.of("probe").levers == levers.Levers()
    assert not LogEntry.objects.exists()


def test_a_redis_that_takes_no_writes_refuses_the_whole(valkey: redis.Redis) -> None:
    steerer = staff("view_line", "change_line")
    valkey.config_set("maxmemory", 1)
    try:
        assert "no line can be steered right now, and nothing is changed" in send(steerer, state="paused")
    finally:
        valkey.config_set("maxmemory", 0)
    assert Line.of("probe").state == "open"


def test_a_word_to_all_workers_is_said_beside_the_levers() -> None:
    steerer = staff("view_line", "change_line")
    suspend()
    try:
        assert "rqresume" in steerer.client.get(page()).content.decode()
    finally:
        resume()
    assert "rqresume" not in steerer.client.get(page()).content.decode()


def test_who_may_only_look_changes_nothing() -> None:
    looker = staff("view_line")
    assert looker.client.get(LIST).status_code == 200
    assert 'name="_save"' not in looker.client.get(page()).content.decode()
    assert looker.client.post(page(), {"state": "paused"}).status_code == 403
    assert Line.of("probe").state == "open"


@pytest.mark.parametrize(("permissions", "status"), [(("view_line",), 302), (("view",), 302), ((), 403)])
def test_who_may_steer_may_see_where_the_save_leads(permissions: tuple[str, ...], status: int) -> None:
    """The permission to steer alone opens nothing, as with the other permissions."""
    steerer = staff("change_line", *permissions)
    values = shown()
    saved = steerer.client.post(page(), {f"initial-{name}": value for name, value in values.items()} | values)
    assert saved.status_code == status
    assert steerer.client.get(page()).status_code == (200 if permissions else 403)
    assert steerer.client.get(LIST).status_code == (200 if permissions else 403)
    assert (page() in steerer.client.get("/admin/").content.decode()) == bool(permissions)
    assert (LIST in steerer.client.get("/admin/").content.decode()) == bool(permissions)


def test_a_line_that_the_settings_do_not_name_is_not_shown() -> None:
    Line.objects.create(queue="former")
    assert "former" not in staff("view_line").client.get(LIST).content.decode()
