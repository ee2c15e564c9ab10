"""The board of the lines, on the start page of the admin and on the page of the lines."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from html import unescape
from typing import Any

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from queueing import ending, site_time, stats, steering
from queueing.admin import board, trends
from queueing.admin.base import duration
from queueing.history import reading
from queueing.history.books import minute_of
from queueing.history.reading import trends as trends_of
from queueing.keeper import steering as keeper_steering
from queueing.line import clients, keys, presence
from queueing.line.clients import RedisError
from queueing.line.places import Line as Places
from queueing.line.signs import note_round
from queueing.line.workers import resume, suspend
from queueing.models import Entry, Line
from queueing.states import Absence, Status
from queueing.tally import Tally, total
from queueing.work.worker import PresenceWorker
from tests.support import past
from tests.support.admin import LIST
from tests.support.commands import run_command
from tests.support.levers import set_levers
from tests.support.probe import probe
from tests.support.visitors import staff

pytestmark = pytest.mark.django_db(transaction=True)

LINES, INDEX = "/admin/queueing/line/", "/admin/"
Join = Callable[..., Entry]


def cells(page: str, queue: str = "probe") -> dict[str, str]:
    """The cells of a line, by their parts."""
    return dict(re.findall(rf'data-part="{queue}:(\w+)">(.*?)</(?:a|span)></td>', page))


def plain(cell: str) -> str:
    """The text of a cell, as somebody who sees no picture hears it."""
    cell = cell.replace("<small>", ", ")
    return re.sub(r"<svg.*?</svg>|<span [^>]*aria-hidden.*?</span>|<.*?>", "", cell).strip()


@pytest.fixture(autouse=True)
def _new_minute(still_clock: datetime) -> Iterator[None]:
    """The cells of the last hour are kept for a minute, which does not turn while a test counts."""
    trends.forget()
    yield
    trends.forget()


def text(path: str, *permissions: str) -> str:
    answer = staff(*(permissions or ("view",))).client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def life(join: Join, line: Places) -> list[Entry]:
    """Two present, one held, one unseen, one running; a worker that is busy and one that is not."""
    entries = [join("a"), join("b"), join("c"), join("d", looked=False), join("e")]
    presence.close("probe", entries[2].job_id, Absence.CLOSED)
    entries[4].start("desk-1")
    line.end_claim("desk-1", entries[4].job_id)
    Entry.objects.filter(pk=entries[0].pk).update(joined_at=site_time.now() - timedelta(seconds=192))
    for number, state in (("1", "busy"), ("2", "idle")):
        worker = PresenceWorker(["probe"], name=f"desk-{number}", connection=clients.connection())
        worker.register_birth()
        worker.set_state(state)
    return entries


@pytest.mark.usefixtures("life")
@pytest.mark.parametrize("path", [INDEX, LINES])
def test_the_lines_are_where_staff_land_and_lead_to_what_they_count(path: str) -> None:
    page = text(path)
    now = cells(page)
    assert (now["present"], now["held"], now["running"]) == ("2", "1", "1")
    assert now["oldest"] == "3 min 12 s"
    assert (now["wait"], plain(now["workers"])) == ("unknown", "1 busy, 1 idle")
    assert plain(now["state"]) == "Open"
    assert now["trend"] == "–"  # noqa: RUF001
    assert cells(page, "all")["present"] == "2"
    assert cells(page, "tables")["oldest"] == "–"  # noqa: RUF001
    for query in ("queue=probe&amp;presence=line", "queue=probe&amp;status__exact=running"):
        assert f'href="{LIST}?{query}"' in page
    for place in ("workers", "failures"):
        assert f'href="{reverse(f"admin:queueing_{place}")}"' in page
    assert 'http-equiv="refresh"' not in page


@pytest.mark.usefixtures("life")
def test_the_refresh_has_the_cells_of_the_page() -> None:
    looker = staff("lines")
    page = looker.client.get(INDEX).content.decode()
    now = looker.client.get(f"{LINES}board.json").json()
    assert not now["away"]
    for queue in settings.QUEUEING_TASKS:
        shown = cells(page, queue)
        assert list(shown) == [*board.NOW, "trend"]
        shown.pop("oldest")  # it may have grown by a second
        assert {name: now["parts"][f"{queue}:{name}"] for name in shown} == shown
    assert f'href="{LIST}?' not in page  # the entries need a permission of their own


@pytest.mark.usefixtures("life")
def test_the_board_says_the_same_as_the_statistics() -> None:
    rows = board.now_of(settings.QUEUEING_TASKS)
    for line in stats.all_lines():
        row = rows[line.queue]
        assert (row["present"], row["held"]) == (str(line.present), str(line.held))
        assert row["running"] == str(line.running)
        if line.oldest_wait is not None:
            assert row["oldest"] == duration(line.oldest_wait)
        busy, idle = re.findall(r"\d+", row["workers"]) or (0, 0)
        assert int(busy) + int(idle) == line.workers


def test_the_board_costs_two_queries_however_many_lines_there_are(join: Join) -> None:
    for _ in range(5):
        join()
    with CaptureQueriesContext(connection) as queries:
        board.as_json()
    assert len(queries) == 4  # two of them once a minute
    with CaptureQueriesContext(connection) as queries:
        board.as_json()
    assert len(queries) == 2


def test_while_redis_is_away_the_page_is_there_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RedisError

    looker = staff("view")
    monkeypatch.setattr(stats, "line_now", fail)
    page = looker.client.get(INDEX).content.decode()
    assert "Live data unavailable since" in page
    assert (cells(page)["state"], cells(page)["present"]) == ("unknown", "?")
    assert looker.client.get(f"{LINES}board.json").json()["away"]


@pytest.mark.parametrize(
    ("path", "refresh"),
    [(INDEX, f"{LINES}board.json"), (LINES, f"{LINES}board.json?full"), (f"{LINES}page/probe/",) * 2],
)
def test_a_silent_keeper_is_said_and_its_return_too(path: str, refresh: str, valkey: redis.Redis) -> None:
    refresh = refresh if refresh != path else f"{path}now.json"
    looker = staff("view")
    for is_alive in (True, False, True):
        valkey.delete(keys.KEEPER)
        if is_alive:
            note_round(valkey)
        page = looker.client.get(path).content.decode()
        (said,) = re.findall(r'data-part="site:notices" role="status">(.*?)</p>', page)
        answer = looker.client.get(refresh).json()
        assert said == answer["parts"]["site:notices"]
        assert said == ("" if is_alive else board.SILENT_KEEPER)
        assert not answer["away"]


@pytest.mark.parametrize(
    ("path", "refresh"),
    [
        (INDEX, f"{LINES}board.json"),
        (f"{LINES}page/probe/", f"{LINES}page/probe/now.json"),
        (f"{LIST}workers/", f"{LIST}workers/now.json"),
    ],
)
def test_a_word_to_all_workers_is_said_with_its_end(path: str, refresh: str, valkey: redis.Redis) -> None:
    note_round(valkey)
    looker = staff("lines")
    suspend()
    try:
        assert board.SUSPENDED in looker.client.get(path).content.decode()
        assert looker.client.get(refresh).json()["parts"]["site:notices"] == board.SUSPENDED
    finally:
        resume()
    assert board.SUSPENDED not in looker.client.get(path).content.decode()
    assert looker.client.get(refresh).json()["parts"]["site:notices"] == ""


def test_the_board_is_for_staff_with_the_permission() -> None:
    assert "data-live" not in text(INDEX, "change")
    assert "data-live" in text(INDEX, "lines")
    assert staff("change").client.get(f"{LINES}board.json").status_code == 403


# The last hour


def hours(queue: str = "probe") -> tuple[Tally, Tally]:
    """Something has happened in the last hour and in the one before; returns the sums."""
    end = minute_of(site_time.now() - trends.SETTLED)
    made = past.fill(queue, end - timedelta(minutes=120), 120)
    return total(made[60:]), total(made[:60])


def test_the_last_hour_is_counted_and_compared_with_the_one_before() -> None:
    last, before = hours()
    now = cells(text(LINES))
    words = "more" if last.joined > before.joined else "less"
    assert plain(now["joined"]) == f"{last.joined}, {words} than in the hour before ({before.joined})"
    assert plain(now["failed"]) == "60, about as much as in the hour before (60)"
    assert plain(now["waste"]).startswith(f"{last.waste / (last.waste + last.goodput):.0%}, ")
    assert plain(now["waste"]).endswith(f", {duration(last.waste)}")
    assert now["trend"].count("<polyline") == 1
    mean = last.mean("present")
    assert mean
    assert plain(now["trend"]).startswith(f"{mean:.1f} on average, ")
    assert plain(cells(text(LINES), "all")["joined"]) == plain(now["joined"])


def test_the_board_and_the_charts_say_the_same_of_the_same_minutes() -> None:
    hours()
    found = trends_of(minute_of(site_time.now() - trends.SETTLED))["probe"].last
    end = minute_of(site_time.now() - trends.SETTLED)
    spans = reading.spans("probe", end - timedelta(hours=1), timedelta(minutes=1), 60)
    charted = total(span.tally for span in spans)
    assert (found.tally.waste, found.tally.goodput) == (charted.waste, charted.goodput)
    assert found.tally.columns() == charted.columns()
    assert found.present == [span.tally.present for span in spans]


def test_without_an_hour_before_nothing_is_compared() -> None:
    end = minute_of(site_time.now() - trends.SETTLED)
    past.fill("probe", end - timedelta(minutes=30), 20)
    now = cells(text(LINES))
    assert plain(now["joined"]).isdecimal()
    assert "hour before" not in now["trend"]


def test_minutes_that_are_not_known_are_gaps() -> None:
    picture = trends.sparkline([1, 2, None, 3, None, 4, 4])
    assert picture.count("<polyline") == 2
    assert picture.count("<circle") == 1


def test_the_refresh_brings_the_last_hour_once_a_minute() -> None:
    hours()
    looker = staff("lines")
    first = looker.client.get(f"{LINES}board.json").json()
    assert "<svg" in first["parts"]["probe:trend"]
    assert "probe:joined" not in first["parts"]
    again = looker.client.get(f"{LINES}board.json", {"have": first["have"]}).json()
    assert "probe:trend" not in again["parts"]
    assert again["parts"]["probe:present"] == "0"
    full = looker.client.get(f"{LINES}board.json?full").json()
    assert "probe:joined" in full["parts"]


def test_the_numbers_of_the_last_hour_lead_to_what_they_count(join: Join) -> None:
    for ago in (90, 10):
        done = join(f"{ago}-minutes")
        at = site_time.now() - timedelta(minutes=ago)
        Entry.objects.filter(pk=done.pk).update(status=Status.SUCCEEDED, joined_at=at, finished_at=at)
    looker = staff("view")
    page = looker.client.get(LINES).content.decode()
    for name in ("joined", "succeeded"):
        address = re.search(rf'href="([^"]+)" data-part="probe:{name}"', page)
        assert address
        listed = looker.client.get(unescape(address[1])).content.decode()
        assert "10-minutes.csv" in listed
        assert "90-minutes.csv" not in listed
    address = re.search(r'href="([^"]+)" data-part="probe:gone"', page)
    assert address
    assert "10-minutes.csv" not in looker.client.get(unescape(address[1])).content.decode()


# Settings of staff


def test_a_drained_line_that_is_empty_says_since_when(join: Join) -> None:
    entry = join()
    steering.steer("probe", steering.drain, "Drained.")
    looker = staff("lines")

    def state() -> str:
        keeper_steering.look_after(clients.connection())
        return plain(looker.client.get(f"{LINES}board.json").json()["parts"]["probe:state"])

    assert state() == "Closed, draining"
    ending.leave(entry)
    emptied = re.fullmatch(r"Closed, empty since (\d\d:\d\d UTC)", state())
    assert emptied
    probe.enqueue()  # code is not refused
    late = state()
    assert late == f"Closed, was empty at {emptied[1]}"
    steering.steer("probe", steering.open_, "Opened.")
    assert state() == "Open"


def test_the_state_and_what_staff_have_set_are_shown() -> None:
    set_levers(state="paused", sentence="Soup <first>.", max_running=3)
    page = text(LINES)
    assert plain(cells(page)["state"]) == "Paused"
    assert cells(page)["workers"] == "none"
    assert cells(page)["wait"] == "none told in a pause"
    assert "expected wait none told in a pause" in run_command("queue_stats").splitlines()[-1]
    assert "“Soup &lt;first&gt;.”; most running at once: 3" in page
    assert f'href="/admin/queueing/line/{Line.of("probe").pk}/change/"' in page
    suspend()
    try:
        assert plain(cells(text(INDEX), "tables")["state"]) == "Paused, all workers"
    finally:
        resume()


def test_the_page_of_the_lines_is_there_while_redis_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RedisError

    last, _ = hours()
    looker = staff("view")
    monkeypatch.setattr(stats, "line_now", fail)
    page = looker.client.get(LINES).content.decode()
    assert (cells(page)["state"], cells(page)["present"]) == ("unknown", "?")
    assert plain(cells(page)["joined"]).startswith(str(last.joined))
