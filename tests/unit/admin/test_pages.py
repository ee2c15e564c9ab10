"""The admin: the pages that staff see, and the few actions that they have."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from queueing.line.places import Line
from queueing.models import Entry, EntryEvent
from queueing.states import Reason, Status
from tests.support.admin import LIST, ask, do, page_of
from tests.support.visitors import Visitor, staff

pytestmark = pytest.mark.django_db(transaction=True)

LINES = "/admin/queueing/line/"
Join = Callable[..., Entry]
CONFIRMED = {"action": "end", "confirmed": "yes"}


def text(visitor: Visitor, path: str) -> str:
    answer = visitor.client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def end(visitor: Visitor, *entries: Entry) -> str:
    return do(visitor, "end", *entries)


def test_staff_see_an_entrys_timeline_and_its_error_escaped(join: Join) -> None:
    entry = join("a")
    EntryEvent.objects.create(entry=entry, kind=EntryEvent.Kind.HELD, detail="closed")
    entry.start("w1")
    entry.fail(Reason.ERROR, "It broke.", error_class="builtins.RuntimeError", traceback="secret <detail>")
    looker = staff("view", "content")
    assert "<strong>End seen</strong>" not in text(looker, page_of(entry))
    entry.see_end()
    assert entry.code.hex[:8] in text(looker, LIST)
    page = text(looker, page_of(entry))
    places = [
        page.index(word)
        for word in ("Joined", "<strong>Held</strong>", "<strong>Failed</strong>", "<strong>End seen</strong>")
    ]
    assert places == sorted(places)
    assert "The task raised an exception" in page
    assert "secret &lt;detail&gt;" in page
    assert "a.csv" in page


@pytest.mark.parametrize("end", [Entry.cancel, Entry.abandon])
def test_the_last_word_of_a_task_is_not_told_as_what_its_visitor_reads(
    join: Join, end: Callable[[Entry, Reason], bool]
) -> None:
    entry = join("a")
    entry.start("w1")
    entry.report(0.5, "Page 3 of 3")
    assert end(entry, Reason.ENDED)
    assert "Page 3 of 3" not in text(staff("view"), page_of(entry))


def test_staff_see_the_first_look_the_place_and_the_successor(join: Join) -> None:
    entry = join("a", looked=False)
    looker = staff("view")
    assert "<strong>First look</strong>" not in text(looker, page_of(entry))
    entry.see()
    successor = join("b")
    Entry.objects.filter(pk=entry.pk).update(place=4711, followed_by=successor)
    page = text(looker, page_of(entry))
    places = [page.index(word) for word in ("Joined", "<strong>First look</strong>", "<strong>Started again</strong>")]
    assert places == sorted(places)
    assert re.search(r"Place:.*4711", page, re.DOTALL)
    assert f'<a href="{page_of(successor)}">' in page


def test_the_page_of_an_entry_has_one_format_of_times_and_leads_to_the_visitors_page(join: Join) -> None:
    entry = join("a", looked=False)
    joined = datetime(2030, 1, 2, 13, 4, 5, tzinfo=UTC)
    Entry.objects.filter(pk=entry.pk).update(joined_at=joined, seen_at=joined, finished_at=joined)
    page = text(staff("view"), page_of(entry))
    assert page.count("2030-01-02 13:04:05 UTC") == 6  # in the timeline and among the times
    assert "p.m." not in page
    assert f'href="/entry/{entry.code}/"' in page
    assert page.count('rel="icon"') == 1


def test_what_staff_end_is_told_as_that(join: Join) -> None:
    waiting, running = join("a"), join("b")
    running.start("w")
    assert "Ended: 2 entries." in end(staff("view", "change"), waiting, running)
    for entry, headline in ((waiting, "Your place was ended"), (running, "Stopped")):
        entry.refresh_from_db()
        assert (entry.status, entry.reason) == (Status.CANCELLED, Reason.ENDED)
        page = text(staff("view"), f"/entry/{entry.code}/")
        assert headline in page
        assert "The people who run this site ended it" in page
        assert "Staff ended it" in text(staff("view"), page_of(entry))


@pytest.mark.parametrize(
    "query",
    [
        "?queue=probe",
        "?status__exact=waiting",
        "?reason__exact=lost",
        "?joined_at__gte=2000-01-01T00:00:00Z",
        "?q={code}",
    ],
)
def test_the_list_is_filtered(query: str, join: Join) -> None:
    entry, other = join("a"), join("b")
    Entry.objects.filter(pk=entry.pk).update(reason=Reason.LOST)
    Entry.objects.filter(pk=other.pk).update(
        queue="tables", status=Status.FAILED, joined_at=timezone.now() - timedelta(days=20_000)
    )
    listed = text(staff("view"), LIST + query.format(code=entry.code))
    assert page_of(entry) in listed
    assert page_of(other) not in listed


def test_a_search_for_nonsense_finds_nothing(join: Join) -> None:
    assert page_of(join()) not in text(staff("view"), f"{LIST}?q=nonsense")


def test_rows_are_read_only(join: Join) -> None:
    entry = join()
    worker = staff("view", "change", "add", "delete")
    assert worker.client.get(f"{LIST}add/").status_code == 403
    assert worker.client.get(f"{LIST}{entry.pk}/delete/").status_code == 403
    assert worker.client.post(page_of(entry), {"status": "failed"}).status_code == 403
    page = text(worker, page_of(entry))
    assert 'name="_save"' not in page
    assert "delete_selected" not in text(worker, LIST)
    entry.refresh_from_db()
    assert entry.status == Status.WAITING


def test_staff_may_end_living_entries(join: Join, line: Line) -> None:
    living, running, done = join(), join(), join()
    for entry in (running, done):
        entry.start("w")
        line.end_claim("w", entry.job_id)
    done.succeed({})
    assert "Ended: 2 entries." in end(staff("view", "change"), living, running, done)
    statuses = dict(Entry.objects.values_list("pk", "status"))
    assert statuses == {living.pk: Status.CANCELLED, running.pk: Status.CANCELLED, done.pk: Status.SUCCEEDED}
    assert line.count_entries() == 0


def test_a_visitor_who_may_only_look_ends_nothing(join: Join) -> None:
    entry = join()
    looker = staff("view")
    assert 'value="end"' not in text(looker, LIST)
    assert "confirmed" not in ask(looker, "end", entry).content.decode()
    assert "confirmed" not in looker.client.post(LIST, CONFIRMED | {"_selected_action": entry.pk}).content.decode()
    entry.refresh_from_db()
    assert entry.is_live


@pytest.mark.parametrize("path", [LIST, LINES])
def test_it_is_for_staff(path: str, join: Join) -> None:
    join()
    for visitor in (Visitor(), staff("view", "change", is_staff=False)):
        answer = visitor.client.get(path)
        assert (answer.status_code, answer["Location"]) == (302, f"/admin/login/?next={path}")
    assert staff().client.get(path).status_code == 403
