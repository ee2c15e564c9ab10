"""The acts of staff: the row, the line, the timeline with the user's name, and the admin's history."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.utils import timezone
from redis.backoff import NoBackoff
from redis.retry import Retry

from queueing import joining, staff
from queueing.conf import conf
from queueing.line import presence
from queueing.line.places import Line
from queueing.models import Entry, EntryEvent
from queueing.registry import get_task
from queueing.staff import ACTS
from queueing.states import Absence, Reason, Status
from tests.support.probe import types_of
from tests.support.visitors import Visitor, finished, url
from tests.support.visitors import staff as colleague

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

Join = Callable[..., Entry]


@pytest.fixture
def anna(db: None) -> User:
    return User.objects.create_user("anna", is_staff=True)


def do(name: str, entry: Entry, user: User) -> str:
    """One act; returns why it was refused, or ""."""
    outcome = staff.perform(ACTS[name], [entry], user)
    return next(iter(outcome.refused), "")


def by_staff(entry: Entry) -> list[str]:
    return list(entry.events.filter(kind=EntryEvent.Kind.STAFF).values_list("detail", flat=True))


def fail(entry: Entry, reason: Reason = Reason.ERROR, line: Line | None = None) -> Entry:
    assert entry.start("w")
    assert entry.fail(reason, "It broke.")
    if line:
        line.remove(entry.job_id)
    return entry


def test_an_act_is_noted_with_the_users_name(join: Join, anna: User) -> None:
    entry = join()
    assert do("end", entry, anna) == ""
    assert by_staff(entry) == ["Ended by anna"]
    (row,) = LogEntry.objects.all()
    assert (row.user, row.object_id, row.change_message) == (anna, str(entry.pk), "Ended.")
    assert do("end", entry, anna) == staff.CHANGED
    assert by_staff(entry) == ["Ended by anna"]
    assert LogEntry.objects.count() == 1


def test_put_first_and_back(join: Join, line: Line, anna: User) -> None:
    first, second, third = join("a"), join("b"), join("c")
    assert do("put_first", third, anna) == ""
    assert line.ids() == [third.job_id, first.job_id, second.job_id]
    assert do("put_first", second, anna) == ""
    assert line.ids() == [second.job_id, third.job_id, first.job_id]
    assert do("put_first", second, anna) == staff.CHANGED
    assert [entry.job_id for entry in Entry.objects.waiting().in_order()] == line.ids()
    for entry in (third, second):
        entry.refresh_from_db()
        assert do("put_back", entry, anna) == ""
    assert line.ids() == [first.job_id, second.job_id, third.job_id]
    assert set(Entry.objects.values_list("place", "moved_from")) == {(None, None)}
    assert by_staff(third) == ["Put first by anna", "Put back by anna"]


def test_an_entry_that_is_put_off_is_not_the_first_of_the_line(join: Join, line: Line, anna: User) -> None:
    put_off, first, second = join("a"), join("b"), join("c")
    Entry.objects.filter(pk=put_off.pk).update(not_before=timezone.now() + timedelta(hours=1))
    line.remove_place(put_off.job_id)
    assert do("put_first", first, anna) == staff.CHANGED  # it is the first
    assert do("put_first", put_off, anna) == ""  # from the time on at which it comes
    assert do("put_first", second, anna) == ""
    assert line.ids() == [second.job_id, first.job_id]


def test_put_first_goes_before_another_priority_and_keeps_a_held_place_held(join: Join, line: Line, anna: User) -> None:
    first, second = join("a"), join("b")
    Entry.objects.filter(pk=first.pk).update(priority=10)
    presence.close("probe", second.job_id, Absence.LOST)
    assert do("put_first", second, anna) == ""
    assert line.held_ids() == [second.job_id]
    assert list(Entry.objects.waiting().in_order()) == [second, first]
    presence.beat("probe", [second.job_id], 10)
    assert line.ids() == [second.job_id, first.job_id]
    third = join("c")
    first.refresh_from_db()
    assert do("put_first", first, anna) == do("put_first", third, anna) == ""
    assert [entry.job_id for entry in Entry.objects.waiting().in_order()] == line.ids()
    assert line.ids() == [third.job_id, first.job_id, second.job_id]


def test_a_place_that_is_lost_with_redis_comes_back_as_staff_put_it(join: Join, line: Line, anna: User) -> None:
    join("a")
    second = join("b")
    do("put_first", second, anna)
    before = line.client.zscore(line.keys.line, second.job_id)
    second.refresh_from_db()
    assert second.score == before


def test_without_the_line_a_place_is_not_changed(
    join: Join, anna: User, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    join("a")
    entry = join("b")
    away = Line("probe", redis.Redis(port=1, retry=Retry(NoBackoff(), retries=0)))
    monkeypatch.setattr(staff, "get_line", lambda _: away)
    assert do("put_first", entry, anna) == staff.LINE_AWAY
    assert do("drop_held", entry, anna) == staff.LINE_AWAY
    entry.refresh_from_db()
    assert (entry.place, entry.moved_from, entry.status) == (None, None, Status.WAITING)
    assert by_staff(entry) == []
    with pytest.raises(redis.RedisError):
        away.rerank(entry.job_id, 1)


def test_held_entries_are_dropped_and_present_ones_are_not(join: Join, line: Line, anna: User) -> None:
    held, present = join("a"), join("b")
    presence.close("probe", held.job_id, Absence.LOST)
    assert do("drop_held", held, anna) == ""
    assert do("drop_held", present, anna) == staff.CHANGED
    held.refresh_from_db()
    assert (held.status, held.reason) == (Status.CANCELLED, Reason.ENDED)
    assert line.held_ids() == []
    assert line.ids() == [present.job_id]


def test_deleting_takes_the_content_and_leaves_the_row(anna: User) -> None:
    entry = finished(Visitor())
    assert do("erase", entry, anna) == ""
    entry.refresh_from_db()
    assert (entry.result, entry.input_name, entry.files.count()) == (None, "", 0)
    assert do("erase", entry, anna) == staff.CHANGED


# Retries


def test_a_retry_makes_a_successor_for_the_owner_at_the_end_of_the_line(join: Join, line: Line, anna: User) -> None:
    entry = fail(join("a"), line=line)
    other = join("b")
    assert do("retry", entry, anna) == ""
    entry.refresh_from_db()
    successor = entry.followed_by
    assert successor is not None
    assert (entry.status, entry.reason) == (Status.FAILED, Reason.ERROR)
    assert (successor.visitor, successor.kwargs, successor.input.name) == (
        entry.visitor,
        entry.kwargs,
        entry.input.name,
    )
    assert successor.score > other.score
    assert by_staff(entry) == ["Retried by anna"]
    assert by_staff(successor) == [f"made by a retry of {entry.code}"]
    assert do("retry", entry, anna) == staff.CHANGED
    assert Entry.objects.count() == 3


def test_what_our_machines_lost_is_retried_in_its_old_place(join: Join, line: Line, anna: User) -> None:
    entry = fail(join("a"), Reason.ORPHANED, line)
    other = join("b")
    assert do("retry", entry, anna) == ""
    entry.refresh_from_db()
    assert entry.followed_by is not None
    assert entry.followed_by.score == entry.score < other.score


def test_no_work_starts_for_a_retry_before_its_visitor_looks(join: Join, line: Line, anna: User) -> None:
    """The place waits for KEEP_GRACE, since the visitor knows nothing of it yet."""
    entry = fail(join("a"), line=line)
    do("retry", entry, anna)
    entry.refresh_from_db()
    successor = entry.followed_by
    assert successor is not None
    assert line.claim("w").job_id is None
    now, _ = line.client.time()
    due = line.client.zscore(line.keys.due, successor.job_id)
    assert due is not None
    assert conf.KEEP_GRACE - 10 < due / 1000 - now <= conf.KEEP_GRACE + 1
    joining.look(successor, 10)
    assert line.ids() == [successor.job_id]
    presence.close("probe", successor.job_id, Absence.CLOSED)  # and it is kept for as long in an absence
    due = line.client.zscore(line.keys.due, successor.job_id)
    assert due is not None
    assert due / 1000 - now > conf.KEEP_GRACE - 10


def test_the_old_page_leads_to_the_new_place(line: Line, anna: User) -> None:
    visitor = Visitor()
    entry = fail(visitor.join(), line=line)
    before = visitor.client.get(url(entry, "status.json")).json()
    assert before["next_url"] is None
    assert before["again_seconds"] > 0
    do("retry", entry, anna)
    entry.refresh_from_db()
    assert entry.followed_by is not None
    now = visitor.client.get(url(entry, "status.json")).json()
    assert (now["next_url"], now["again_seconds"], now["advice"]) == (url(entry.followed_by), None, "")
    assert f'<a href="{url(entry.followed_by)}">' in visitor.client.get(url(entry)).content.decode()
    assert visitor.client.get(url(entry.followed_by)).status_code == 200
    assert line.ids() == [entry.followed_by.job_id]


def test_a_retry_without_an_input_or_beyond_the_visitors_places_is_refused(line: Line, anna: User) -> None:
    visitor = Visitor()
    gone, more = fail(visitor.join(), line=line), fail(visitor.join(), line=line)
    gone.input.storage.delete(str(gone.input.name))
    assert "no longer stored" in do("retry", gone, anna)
    for _ in range(conf.MAX_WAITING_PER_VISITOR):
        visitor.join()
    assert do("retry", more, anna) == staff.HAS_ENOUGH
    more.refresh_from_db()
    assert more.followed_by is None


def test_an_entry_made_by_code_is_retried_with_its_arguments(anna: User, line: Line) -> None:
    """The very function that code enqueued, which is not the line's heavy task."""
    task = types_of.using(priority=7)
    assert task.module_path != get_task("probe").task.module_path
    entry = fail(Entry.objects.get(code=task.enqueue(1, most=2).id))
    assert do("retry", entry, anna) == ""
    entry.refresh_from_db()
    again = entry.followed_by
    assert again is not None
    assert (again.task_path, again.args, again.kwargs, again.priority) == (task.module_path, [1], {"most": 2}, 7)
    assert again.job_id in line.ids()


def test_an_entry_that_staff_put_first_keeps_its_place_for_a_successor(join: Join, line: Line, anna: User) -> None:
    join("a")
    entry = join("b")
    do("put_first", entry, anna)
    fail(entry, Reason.ORPHANED, line)
    assert entry.keeps_place_for_successor


# On the page of a visitor


@pytest.mark.parametrize(("verb", "what"), [("leave", "Ended"), ("keep", "Place kept")])
def test_what_staff_do_on_a_visitors_page_is_noted_and_what_the_visitor_does_is_not(verb: str, what: str) -> None:
    visitor, mover = Visitor(), colleague("view", "change")
    entry = visitor.join()
    user = User.objects.get()
    assert mover.client.post(url(entry, f"{verb}/")).status_code == 303
    assert by_staff(entry) == [f"{what} by {user.username}"]
    (row,) = LogEntry.objects.all()
    assert (row.object_id, row.change_message) == (str(entry.pk), f"{what}.")
    own = visitor.join()
    visitor.client.post(url(own, "leave/"))
    assert by_staff(own) == []
    assert LogEntry.objects.count() == 1
