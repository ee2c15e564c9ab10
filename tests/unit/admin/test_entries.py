"""The list of entries: its columns, search, filters, pages, export, and the failures by their error."""

import asyncio
import codecs
import csv
import io
import re
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from queueing.admin import export, filters, listing
from queueing.line import clients, keys, presence
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence, Reason, Status
from queueing.web.visitor import SESSION_KEY
from tests.support.admin import LIST, ask, do, page_of
from tests.support.visitors import Visitor, finished, staff

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

Join = Callable[..., Entry]


def listed(query: str, visitor: Visitor | None = None) -> list[int]:
    """The ids in the list, in its order."""
    answer = (visitor or staff("view")).client.get(f"{LIST}{query}")
    assert answer.status_code == 200, answer["Location"]
    return [int(pk) for pk in re.findall(r'href="/admin/queueing/entry/(\d+)/change/', answer.content.decode())]


def rows(count: int, **values: Any) -> list[Entry]:
    """Ended entries, oldest first."""
    ended: dict[str, Any] = {"queue": "probe", "status": Status.SUCCEEDED, "finished_at": timezone.now()}
    return Entry.objects.bulk_create(Entry(**ended | values) for _ in range(count))


def cells(entry: Entry) -> dict[str, str]:
    page = staff("view").client.get(LIST).content.decode()
    row = next(row for row in page.split("<tr>") if page_of(entry) in row)
    found = re.findall(r'<t[dh] class="field-(\w+)[^"]*">(.*?)</t[dh]>', row, re.DOTALL)
    return {name: re.sub("<[^>]+>", "", text.replace("<small>", " / ")) for name, text in found}


# Columns


def test_waiting_entries_have_their_place_and_presence(join: Join) -> None:
    first, second, unseen = join("scan"), join("b"), join("c", looked=False)
    presence.close("probe", second.job_id, Absence.LOST)
    assert cells(first)["file_name"] == f"scan.csv / {first.code.hex[:8]}"
    assert cells(first)["state"] == "Waiting, no. 1 / Present"
    # The place of a held one is told when it is back.
    assert re.fullmatch(r"Waiting / Away, held for (1 min 5\d s|2 min)", cells(second)["state"])
    assert cells(unseen)["state"].startswith("Waiting / Not looked yet for ")
    assert cells(first)["who"] == first.visitor.hex[:8]  # type: ignore[union-attr]


def test_a_place_whose_time_is_over_has_no_countdown(join: Join, line: Line) -> None:
    """It stays so for as long as the keeper is away, or cannot see who is absent."""
    away, unseen = join("away"), join("unseen", looked=False)
    presence.close("probe", away.job_id, Absence.LOST)
    for entry in (away, unseen):
        line.client.zadd(line.keys.due, {entry.job_id: 1})
    assert cells(away)["state"] == "Waiting / Away, held; time is over"
    assert cells(unseen)["state"] == "Waiting / Not looked yet; time is over"


def test_running_and_ended_entries_have_their_progress_worker_and_durations(join: Join, line: Line) -> None:
    entry = join()
    entry.start("desk-1")
    line.end_claim("desk-1", entry.job_id)
    entry.report(0.25, "Reading")
    Entry.objects.filter(pk=entry.pk).update(
        joined_at=timezone.now() - timedelta(minutes=5), started_at=timezone.now() - timedelta(minutes=4)
    )
    assert cells(entry)["state"] == "Running 25% 25% / Present"
    assert cells(entry)["line"] == "probe / desk-1"
    assert re.fullmatch(r"1 min / runs for \d\.\d s", cells(entry)["times"])
    entry.fail(Reason.TIMEOUT, "Too long.")
    assert cells(entry)["state"] == "Failed: The task ran out of time"
    Entry.objects.filter(pk=entry.pk).update(run_time=timedelta(seconds=3.21))
    assert cells(entry)["times"] == "1 min / ran 3.2 s"


def test_without_redis_the_list_is_there(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    from queueing.admin import columns
    from queueing.line.clients import RedisError

    entry = join()
    monkeypatch.setattr(columns, "stands", lambda _: (_ for _ in ()).throw(RedisError()))
    page = staff("view").client.get(LIST).content.decode()
    assert page_of(entry) in page
    assert "The lines cannot be reached" in page


# Search and filters


def test_any_part_of_what_an_entry_is_known_by_finds_it(join: Join) -> None:
    entry, other = join("Quarterly scan"), join("b")
    anna = User.objects.create_user("anna.smith")
    Entry.objects.filter(pk=entry.pk).update(
        code=uuid.UUID("12345678-9abc-4def-8123-456789abcdef"),
        visitor=uuid.UUID("aaaabbbb-cccc-4ddd-8eee-ffff00001111"),
        user=anna,
        status=Status.FAILED,
        error_class="builtins.ZeroDivisionError",
        traceback="Traceback: page 77 is torn",
        message="It broke.",
    )
    assert other.input_name == "b.csv"
    terms: tuple[str, ...] = (
        "quarterly SCAN",
        "Smith",
        "12345678",
        "9abc-4def",
        "12345678-9ABC-4def-8123-456789abcdef",
        "56789abcdef",
        "bbbb-cccc",
    )
    terms += ("zerodivision", "77 is torn", "it broke")
    looker = staff("view", "content")
    for term in terms:
        assert listed(f"?q={term}", looker) == [entry.pk], term
    assert listed("?q=", looker) == [other.pk, entry.pk]


def test_contents_are_read_and_searched_with_their_permission_alone(join: Join) -> None:
    """The class of an error and the visitor's sentence are no content; a traceback and code's arguments are."""
    entry = join("a")
    words = {"error_class": "builtins.KeyError", "message": "It broke.", "traceback": "KeyError: 'Anna Smith'"}
    Entry.objects.filter(pk=entry.pk).update(
        kwargs={"account": "DE4711"}, status=Status.FAILED, finished_at=timezone.now(), **words
    )
    desk, operator = staff("view", "change", "lines"), staff("view", "content")
    for looker, sees in ((desk, False), (operator, True)):
        pages = [
            looker.client.get(page_of(entry)).content.decode(),
            str(looker.client.get(f"{page_of(entry).replace('change/', 'now.json')}").json()),
            looker.client.get("/admin/queueing/entry/failures/").content.decode(),
            b"".join(looker.client.get("/admin/queueing/entry/export.csv")).decode(),
        ]
        for secret in ("Anna Smith", "DE4711"):
            assert any(secret in page for page in pages) == sees, secret
        assert "builtins.KeyError" in pages[0]
        for term, found in (("anna+smith", sees), ("keyerror", True), ("it+broke", True)):
            wanted = [entry.pk] if found else []
            assert listed(f"?q={term}", looker) == wanted, term
            exported = b"".join(looker.client.get(f"/admin/queueing/entry/export.csv?q={term}")).decode()
            assert exported.count(str(entry.code)) == len(wanted)


@pytest.mark.parametrize("term", ["%25", "_", "(a%2B)%2B%24", "'%3B--", "zz", "é"])
def test_a_term_is_no_pattern(term: str, join: Join) -> None:
    join("plain")
    assert listed(f"?q={term}") == []


def test_filters_by_presence_age_and_attempt(join: Join) -> None:
    old, there, away, unseen = join("d"), join("a"), join("b"), join("c", looked=False)
    presence.close("probe", away.job_id, Absence.LOST)
    old.start("w")
    Entry.objects.filter(pk=old.pk).update(attempt=2, joined_at=timezone.now() - timedelta(hours=2))
    found = {
        "presence=line": [there.pk],  # the oldest one does not wait any more
        "presence=held": [away.pk],
        "presence=unseen": [unseen.pk],
        "presence=claimed": [],
        "presence=line&queue=tables": [],
        "age=10m": [unseen.pk, away.pk, there.pk],
        "age=older": [old.pk],
        "attempt=0": [unseen.pk, away.pk, there.pk],
        "attempt=more": [old.pk],
        "queue=documents": [],
        "queue=probe&status__exact=running": [old.pk],
    }
    looker = staff("view")
    for query, wanted in found.items():
        assert listed(f"?{query}", looker) == wanted, query


@pytest.mark.parametrize("words", ["{}", "Reference {}", " reference {} "])
def test_a_reference_of_a_page_that_broke_is_found(words: str) -> None:
    visitor = Visitor(raise_request_exception=False)
    visitor.join()
    session = visitor.client.session
    session[SESSION_KEY] = "no name that we gave"
    session.save()
    broken = visitor.client.get("/")
    assert broken.status_code == 500
    page = staff("view").client.get(LIST, {"q": words.format(broken["X-Reference"])}).content.decode()
    (told,) = re.findall(r'<li class="info">(.*?)</li>', page, re.DOTALL)
    said = rf"Reference {broken['X-Reference']} is a fault of the site, on 20[\d-]+ [\d:]+ UTC: GET /, ValueError\."
    assert re.match(said, told)
    assert "no name that we gave" not in page  # a sentence may quote what only some staff may see
    assert "a fault of the site" not in staff("view").client.get(LIST, {"q": "0badcafe"}).content.decode()


def test_a_reference_of_a_failed_entry_is_found(join: Join) -> None:
    entry, _ = join(), join()
    assert listed(f"?q=reference+{str(entry.code)[:8]}") == [entry.pk]


def test_faults_of_somebody_else_break_no_search(join: Join) -> None:
    clients.connection().lpush(keys.FAULTS, b"\xff", '{"reference": 1}')
    entry = join()
    assert listed(f"?q={entry.code.hex[:8]}") == [entry.pk]


def hold(count: int, line: Line) -> None:
    """So many entries whose place is held."""
    made = rows(count, status=Status.WAITING, finished_at=None, input_name="x.csv")
    line.client.zadd(line.keys.held, {entry.job_id: entry.pk for entry in made})


def test_a_filter_by_presence_has_all_places(line: Line) -> None:
    hold(1201, line)
    mover = staff("view", "change")
    exported = b"".join(mover.client.get("/admin/queueing/entry/export.csv?presence=held")).decode()
    assert exported.count("x.csv") == 1201
    question = ask(mover, "drop_held", Entry.objects.all()[0], query="?presence=held", whole=True).content.decode()
    assert "1,201 entries that match the filter." in question
    assert "are looked at" not in question


def test_places_beyond_those_that_are_looked_at_are_said(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also after an act, which would report success otherwise."""
    monkeypatch.setattr(filters, "MOST_PLACES", 3)
    hold(5, line)
    mover = staff("view", "change")
    said = "There are 5 such places, and only 3 of them are looked at"
    assert said in mover.client.get(f"{LIST}?presence=held").content.decode()
    assert said not in mover.client.get(f"{LIST}?presence=line").content.decode()
    assert said in do(mover, "end", Entry.objects.all()[0], query="?presence=held", whole=True)
    assert Entry.objects.live().count() == 2
    left = mover.client.get(f"{LIST}?presence=held").content.decode()
    assert "are looked at" not in left
    assert left.count("x.csv") == 2


def test_names_of_more_users_than_are_looked_for_are_said(join: Join) -> None:
    join()
    User.objects.bulk_create(User(username=f"pupil-{number}") for number in range(51))
    page = staff("view").client.get(f"{LIST}?q=pupil").content.decode()
    assert "Only 50 of the users with such a name are looked for." in page
    assert "of the users" not in staff("view").client.get(f"{LIST}?q=pupil-50").content.decode()


def test_the_first_entry_since_a_moment_is_found_by_its_id() -> None:
    made = rows(40)
    now = timezone.now()
    for index, entry in enumerate(made):
        Entry.objects.filter(pk=entry.pk).update(joined_at=now - timedelta(minutes=40 - index))
    Entry.objects.filter(pk__in=[entry.pk for entry in made[10:20]]).delete()  # gaps
    for before, index in ((0, 1), (4, 5), (8, 9), (9, 20), (20, 21), (38, 39)):
        assert made[before].pk < filters.first_since(now - timedelta(minutes=40 - index)) <= made[index].pk
    assert filters.first_since(now - timedelta(days=1)) <= made[0].pk
    assert filters.first_since(now) > made[-1].pk


# Pages


def test_a_list_goes_on_with_older_entries() -> None:
    made = [entry.pk for entry in reversed(rows(120))]
    looker = staff("view")
    seen, query = [], ""
    for _ in range(3):
        seen += listed(query, looker)
        text = looker.client.get(f"{LIST}{query}").content.decode()
        match = re.search(r'href="(\?below=\d+)">Older entries', text)
        query = match[1] if match else ""
    assert seen == made
    assert query == ""
    assert "Older entries" in looker.client.get(f"{LIST}?status__exact=succeeded").content.decode()
    assert listed("?below=nonsense&q=", looker) == made[:50]


def test_nothing_is_counted_and_the_rows_are_read_in_windows_of_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "FIRST_WINDOW", 20)
    rows(60, input_name="x.csv")
    rare = rows(1, input_name="rare.csv")
    rows(60, input_name="x.csv")
    looker = staff("view")
    with CaptureQueriesContext(connection) as queries:
        assert listed("?q=rare", looker) == [rare[0].pk]
    assert not [query for query in queries if "COUNT(" in query["sql"]]


def test_a_look_that_takes_too_long_says_so_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listing, "FIRST_WINDOW", 20)
    monkeypatch.setattr(listing, "WINDOW_GROWTH", 1)
    (rare,) = rows(1, input_name="rare.csv")
    rows(60, input_name="x.csv")
    wanted = Entry.objects.filter(input_name="rare.csv")
    found = listing.newest(wanted, limit=50, budget=0)
    assert (found.rows, found.is_complete) == ([], False)
    while found.below is not None:
        found = listing.newest(wanted, limit=50, below=found.below, budget=0)
    assert found.rows == [rare]
    assert listing.count(wanted) == (1, True)
    assert str(listing.count(Entry.objects.all(), most=50)) == "at least 50"
    assert str(listing.count(wanted, budget=0)) == "at least 0"


# Export and failures


def table(query: str, *permissions: str) -> list[list[str]]:
    answer = staff(*permissions).client.get(f"{LIST}export.csv{query}")
    assert answer.status_code == 200
    return list(csv.reader(io.StringIO(b"".join(answer).decode("utf-8-sig"), newline="")))


def test_the_entries_of_a_filter_are_exported_in_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "BATCH", 7)
    rows(20, input_name='a "b", c.csv')
    rows(5, status=Status.FAILED)
    head, *body = table("?status__exact=succeeded", "view")
    assert head[:4] == ["code", "line", "file", "status"]
    assert len(body) == 20
    assert {row[2] for row in body} == {'a "b", c.csv'}
    assert len(table("", "view")) == 26


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1+1", "\uff1d1+1"])
def test_no_cell_of_an_export_is_a_formula(name: str) -> None:
    rows(1, input_name=name, message="=cmd()", error_class="-x")
    _, row = table("", "view")
    assert row[2].startswith("'")
    assert not [cell for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_no_cell_is_a_formula_where_semicolons_separate_them() -> None:
    rows(1, input_name="x;=1+1 ü.csv")
    content = b"".join(staff("view").client.get(f"{LIST}export.csv"))
    assert content.startswith(codecs.BOM_UTF8)  # or Excel takes it for Windows-1252
    _, row = csv.reader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";")
    assert row[1].startswith("'=1+1 ü.csv")


def test_an_export_is_streamed_under_asgi_too() -> None:
    rows(3)

    async def read() -> list[bytes]:
        return [batch async for batch in export.answer(Entry.objects.all())]

    batches = asyncio.run(read())
    assert len(batches) == 2
    assert b"".join(batches).count(b"\r\n") == 4


def test_failures_are_grouped_by_their_error(join: Join) -> None:
    failed: dict[str, Any] = {"status": Status.FAILED, "reason": Reason.ERROR, "message": "<b>It broke.</b>"}
    rows(3, error_class="builtins.KeyError", **failed)
    rows(2, error_class="builtins.OSError", **failed)
    rows(1, status=Status.SUCCEEDED)
    looker = staff("view")
    page = looker.client.get(f"{LIST}failures/").content.decode()
    assert (
        page.index(">3</a>")
        < page.index(">builtins.KeyError<")
        < page.index(">2</a>")
        < page.index(">builtins.OSError<")
    )
    assert "&lt;b&gt;It broke." in page
    link = re.search(r'<a href="([^"]+)" aria-label="3 entries">', page)
    assert link
    query = link[1].partition("?")[2].replace("&amp;", "&")
    assert len(listed(f"?{query}", looker)) == 3
    assert "No failures are kept" in looker.client.get(f"{LIST}failures/?queue=tables").content.decode()


# One entry


def test_a_page_of_an_entry_leads_to_its_contents_by_permission() -> None:
    entry = finished(Visitor())
    text = staff("view").client.get(page_of(entry)).content.decode()
    assert f'href="/entry/{entry.code}/"' in text
    assert "/input/" not in text
    text = staff("view", "content").client.get(page_of(entry)).content.decode()
    for page in ("input/", "result/", "files/answer.txt"):
        assert f'href="/entry/{entry.code}/{page}"' in text
    assert text.index("Timeline") < text.index("Traceback")


def test_a_page_of_an_entry_lives(join: Join) -> None:
    entry, looker = join(), staff("view")
    assert f'data-live="{LIST}{entry.pk}/now.json"' in looker.client.get(page_of(entry)).content.decode()
    now = looker.client.get(f"{LIST}{entry.pk}/now.json").json()
    assert "Waiting, no. 1" in now["parts"]["state"]
    assert not now["away"]
    entry.start("w")
    entry.fail(Reason.ERROR, "It broke.")
    now = looker.client.get(f"{LIST}{entry.pk}/now.json").json()
    assert "<strong>Failed</strong>" in now["parts"]["timeline"]
    entry.delete()
    assert looker.client.get(f"{LIST}4711/now.json").status_code == 404
