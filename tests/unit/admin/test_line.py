"""The page of one line: now, its entries in order, its workers, and marks in its charts."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from queueing import site_time, stats
from queueing.admin import charts, living
from queueing.admin.past import PERIODS, read
from queueing.history.books import minute_of
from queueing.line import clients, presence
from queueing.line.clients import RedisError
from queueing.line.places import Line
from queueing.models import Entry, LineEvent
from queueing.states import Absence
from queueing.work.worker import PresenceWorker
from tests.support import past
from tests.support.levers import set_levers
from tests.support.visitors import Visitor, staff

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/admin/queueing/line/page/probe/"
Join = Callable[..., Entry]


def text(*permissions: str, **query: Any) -> str:
    answer = staff(*(permissions or ("view",))).client.get(PAGE, query)
    assert answer.status_code == 200
    return answer.content.decode()


def living_line(page: str) -> list[tuple[str, ...]]:
    """The texts of the rows in order."""
    table = page[page.index('class="cards living"') :]
    table = table[table.index("<tbody") : table.index("</tbody>")]
    rows = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in table.split("<tr>")[1:])
    return [tuple(re.sub("<[^>]+>", "", cell) for cell in row) for row in rows]


def now(visitor: Visitor, **query: Any) -> dict[str, str]:
    answer = visitor.client.get(f"{PAGE}now.json", query).json()
    assert not answer["away"]
    parts: dict[str, str] = answer["parts"]
    return parts


# The living line


@pytest.mark.usefixtures("still_clock")
def test_the_entries_stand_in_their_order_with_place_presence_and_wait(join: Join, line: Line) -> None:
    first, away, third = join("first"), join("away"), join("third")
    join("unseen", looked=False)
    presence.close("probe", away.job_id, Absence.LOST)
    Entry.objects.filter(pk=first.pk).update(joined_at=site_time.now() - timedelta(seconds=192))
    third.put_first()
    line.rerank(third.job_id, third.score)
    rows = living_line(text())
    assert [row[2] for row in rows] == ["third.csv", "first.csv", "away.csv"]
    assert [row[0] for row in rows] == ["1", "2", "–"]  # noqa: RUF001
    assert [row[1] for row in rows[:2]] == ["Present", "Present"]
    assert re.fullmatch(r"Away, held for (1 min 5\d s|2 min)", rows[2][1])
    assert rows[1][3] == "3 min 12 s"
    assert rows[0][4] == third.visitor.hex[:8]  # type: ignore[union-attr]


def test_an_entry_that_is_put_off_is_not_in_the_line(join: Join) -> None:
    put_off = join("put off")
    join("due")
    for hours, names in [(1, ["due.csv"]), (-1, ["put off.csv", "due.csv"])]:
        Entry.objects.filter(pk=put_off.pk).update(not_before=timezone.now() + timedelta(hours=hours))
        assert [row[2] for row in living_line(text())] == names


def test_the_refresh_has_the_cells_of_the_page(join: Join) -> None:
    entry = join("a")
    looker = staff("view")
    page, _ = looker.client.get(PAGE).content.decode().split('class="history"')
    parts = now(looker)
    for name in re.findall(r'data-part="([^"]+)"', page):
        assert name in parts
    assert parts[f"entry-{entry.pk}:place"] == "1"
    assert parts["probe:present"] == "1"
    assert parts["line"] == now(looker)["line"]  # while the rows are the same, links stay where they are
    join("b")
    assert parts["line"] != now(looker)["line"]


def test_a_long_line_has_pages_and_is_searched(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(living, "PAGE", 2)
    for number in range(5):
        join(f"scan {number}")
    assert [row[2] for row in living_line(text())] == ["scan 0.csv", "scan 1.csv"]
    page = text(p="2", period="day")
    assert [(row[0], row[2]) for row in living_line(page)] == [("3", "scan 2.csv"), ("4", "scan 3.csv")]
    assert 'href="?period=day&amp;p=1#line">Further ahead' in page
    assert 'href="?period=day&amp;p=3#line">Further behind' in page
    assert "Further behind" not in text(p="3")
    found = text(q="scan 3")
    assert [(row[0], row[2]) for row in living_line(found)] == [("4", "scan 3.csv")]
    assert "now.json?q=scan+3" in found
    assert "Nobody who waits has “&lt;b&gt;”." in text(q="<b>")
    assert living_line(text(p="x"))[0][2] == "scan 0.csv"
    assert "Nobody waits." in text(p="9" * 8)


def test_a_page_of_the_line_costs_the_same_however_long_it_is(
    join: Join, django_assert_num_queries: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(living, "PAGE", 3)
    for _ in range(7):
        join()
    with django_assert_num_queries(1):
        found = living.stretch("probe", 2)
    assert (len(found.rows), found.has_more) == (3, True)


def test_entries_need_their_permission(join: Join) -> None:
    join("secret")
    page = text("lines")
    assert "secret.csv" not in page
    assert 'id="line"' not in page
    assert "secret.csv" not in str(now(staff("lines")))
    for path in (PAGE, f"{PAGE}now.json"):
        assert staff("change").client.get(path).status_code == 403
    assert staff("view").client.get("/admin/queueing/line/page/nothing/now.json").status_code == 404


def test_without_redis_the_page_has_the_rows_and_says_so(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RedisError

    join("a")
    monkeypatch.setattr(stats, "line_now", fail)
    monkeypatch.setattr("queueing.admin.columns.stands", fail)
    page = text()
    assert "Live data unavailable since" in page
    assert living_line(page)[0][:3] == ("–", "Unknown", "a.csv")  # noqa: RUF001
    assert staff("view").client.get(f"{PAGE}now.json").json()["away"]


# Its workers, and what is said of it


def test_the_page_has_the_workers_of_the_line_and_its_sentence(join: Join, line: Line) -> None:
    for name, queue in (("desk-1", "probe"), ("desk-2", "tables")):
        PresenceWorker([queue], name=name, connection=clients.connection()).register_birth()
    entry = join("busy")
    entry.start("desk-1")
    line.end_claim("desk-1", entry.job_id)
    set_levers(state="paused", sentence="Soup <first>.")
    page = text("view", "steer")
    assert "desk-1" in page
    assert "desk-2" not in page
    assert "busy.csv" in page
    assert "All who wait read: “Soup &lt;first&gt;.”" in page
    assert 'class="state paused">Paused<' in page
    assert now(staff("lines"))["desk-1:entry"].startswith("probe: <a href=")


# Marks


def test_what_happened_is_marked_in_each_chart_and_told_in_its_table() -> None:
    end = minute_of(timezone.now())
    past.fill("probe", end - timedelta(minutes=30), 30)
    for minutes, kind in ((20, "paused"), (5, "deployed"), (4, "flushed"), (90, "closed")):
        LineEvent.objects.create(queue="probe", kind=kind, detail="by anna", at=end - timedelta(minutes=minutes))
    LineEvent.objects.create(queue="tables", kind="opened", detail="by bea")
    page = text()
    assert page.count('<g class="mark">') == 2 * len(charts.PLANS)
    assert page.count(">P</text>") == page.count(">DF</text>") == len(charts.PLANS)
    at = (end - timedelta(minutes=20)).strftime("%H:%M")
    assert page.count(f"<small>{at} Paused, by anna</small></th>") == len(charts.PLANS)
    assert "by bea" not in page
    rows = staff("view").client.get(f"{PAGE}numbers.csv").content.decode()
    assert rows.count("Paused, by anna") == 1
    assert "Closed" not in page  # it is older


def test_a_mark_stands_at_its_moment_and_near_ones_are_one() -> None:
    now = timezone.now()
    spans = read("probe", PERIODS["hour"], now)
    length = timedelta(hours=1)
    events = [
        LineEvent(queue="probe", kind=kind, at=spans.first + length * share)
        for share, kind in ((0.25, "closed"), (0.26, "paused"), (0.262, "paused"), (0.5, "deployed"))
    ]
    marks = charts.Past(spans.spans, events, "H:i").marks()
    assert [(mark.x, mark.letters) for mark in marks] == [(150, "CP"), (300, "D")]
    assert marks[0].words.count("Paused") == 2
    many = [LineEvent(queue="probe", kind=kind, at=spans.first + length / 2) for kind in LineEvent.Kind]
    assert [mark.letters for mark in charts.Past(spans.spans, many, "H:i").marks()] == ["DPR+"]


def test_a_line_without_marks_says_so() -> None:
    page = text()
    assert "No deploy, pause, closure or flush of Redis is noted for this time." in page
    assert '<g class="mark">' not in page


def test_every_kind_of_event_has_its_letter() -> None:
    assert set(charts.LETTERS) == set(LineEvent.Kind)
