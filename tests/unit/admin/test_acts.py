"""The actions on entries: asked first, done in steps of bounded time, and noted."""

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User

from queueing.admin import acts
from queueing.line import presence
from queueing.line.places import Line
from queueing.models import Entry, EntryEvent
from queueing.staff import ACTS
from queueing.states import Absence, Reason, Status
from tests.support.admin import LIST, answer, ask, do, page_of
from tests.support.entries import status_of
from tests.support.visitors import staff

pytestmark = pytest.mark.django_db(transaction=True)

Join = Callable[..., Entry]


@pytest.fixture
def many(join: Join) -> list[Entry]:
    return [join(str(number)) for number in range(12)]


def fail(entry: Entry, line: Line) -> None:
    entry.start("w")
    entry.fail(Reason.ERROR, "It broke.")
    line.remove(entry.job_id)


@pytest.mark.parametrize("name", ACTS)
def test_an_act_asks_first_and_says_how_many_and_what_visitors_will_read(name: str, join: Join, line: Line) -> None:
    waiting, failed = join("waiting"), join("failed")
    fail(failed, line)
    Entry.objects.filter(pk=waiting.pk).update(moved_from=1)
    page = ask(staff("view", "change"), name, waiting, failed).content.decode()
    assert f"{ACTS[name].title}: 1 entry." in page
    assert ACTS[name].told in page
    assert "1 of the selected entries is left as it is" in page
    assert ("waiting.csv" in page) != ("failed.csv" in page)
    assert not EntryEvent.objects.filter(kind="staff").exists()
    assert (status_of(waiting), status_of(failed)) == (Status.WAITING, Status.FAILED)


def test_an_act_on_one_entry_starts_at_its_page(join: Join) -> None:
    entry, mover = join(), staff("view", "change")
    page = mover.client.get(page_of(entry)).content.decode()
    assert '<option value="end">End…</option>' in page
    data = {"CHANGE_FORM-action": "end", "_selected_action": entry.pk}
    question = mover.client.post(page_of(entry), data)
    assert "End: 1 entry." in question.content.decode()
    assert answer(mover, question).status_code == 302
    assert status_of(entry) == Status.CANCELLED


def test_a_whole_filter_is_done_in_steps_that_say_how_far_they_are(
    many: list[Entry], join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acts, "STEP", 0.0)  # one entry each
    mover = staff("view", "change")
    question = ask(mover, "end", many[0], query="?status__exact=waiting", whole=True)
    assert "End: 12 entries that match the filter." in question.content.decode()
    late = join("late")  # it was not in the question
    step = answer(mover, question)
    assert "Ended: 1 of 12 so far." in step.content.decode()
    assert "data-go-on" in step.content.decode()
    assert Entry.objects.live().count() == 12
    while step.status_code == 200:
        step = answer(mover, step)
    assert step["Location"] == f"{LIST}?status__exact=waiting"
    assert "Ended: 12 entries." in mover.client.get(step["Location"]).content.decode()
    assert list(Entry.objects.live()) == [late]
    assert LogEntry.objects.filter(change_message="Ended.").count() == 12


def test_a_step_is_asked_for_the_permission_again(many: list[Entry], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acts, "STEP", 0.0)
    mover, user = staff("view", "change"), User.objects.get()
    step = answer(mover, ask(mover, "end", many[0], whole=True))
    user.user_permissions.remove(*user.user_permissions.filter(codename="change_entry"))
    answer(mover, step)
    assert Entry.objects.live().count() == len(many) - 1


def test_only_the_filter_is_done(many: list[Entry], line: Line) -> None:
    for entry in many[:5]:
        fail(entry, line)
    page = do(staff("view", "change"), "end", many[0], query="?status__exact=running", whole=True)
    assert "No entry was left that this concerns." in page
    assert Entry.objects.live().count() == 7


def test_failures_are_retried_together_and_refusals_are_told(many: list[Entry], line: Line) -> None:
    for entry in many[:4]:
        fail(entry, line)
    many[0].input.storage.delete(str(many[0].input.name))
    page = do(staff("view", "change"), "retry", many[0], query="?status__exact=failed", whole=True)
    assert "Retried: 3 entries." in page
    assert "1 entry: Your input is no longer stored." in page
    followed = Entry.objects.exclude(followed_by=None).order_by("pk")
    assert [entry.pk for entry in followed] == [entry.pk for entry in many[1:4]]
    assert "Put first: 0 entries." not in page


def test_entries_that_are_put_first_together_keep_their_order(many: list[Entry], line: Line) -> None:
    assert "Put first: 3 entries." in do(staff("view", "change"), "put_first", *many[5:8])
    wanted = [*many[5:8], *many[:5], *many[8:]]
    assert line.ids() == [entry.job_id for entry in wanted]


def test_held_entries_of_a_filter_are_dropped(many: list[Entry], line: Line) -> None:
    for entry in many[:3]:
        presence.close("probe", entry.job_id, Absence.CLOSED)
    page = do(staff("view", "change"), "drop_held", many[0], query="?presence=held", whole=True)
    assert "Dropped while held: 3 entries." in page
    assert line.held_ids() == []
    assert Entry.objects.live().count() == 9


def test_numbers_in_a_step_that_are_none_do_no_harm(join: Join) -> None:
    entry, mover = join(), staff("view", "change")
    data = {"action": "end", "confirmed": "yes", "_selected_action": entry.pk}
    for value in ("x", "-1", "1e9", "9" * 40, "²", ""):
        answer = mover.client.post(LIST, data | {"below": value, "done": value, "refused": value})
        assert answer.status_code == 302
    assert status_of(entry) == Status.CANCELLED
