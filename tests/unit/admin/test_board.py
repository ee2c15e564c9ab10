"""The board of the lines, on the start page of the admin and on the page of the lines."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from queueing import stats
from queueing.admin import board
from queueing.admin.base import duration
from queueing.line import clients, presence
from queueing.line.clients import RedisError
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence, Status
from queueing.work.worker import PresenceWorker
from tests.support.admin import LIST
from tests.support.visitors import staff

pytestmark = pytest.mark.django_db(transaction=True)

LINES, INDEX = f"{LIST}lines/", "/admin/"
Join = Callable[..., Entry]


def cells(page: str, queue: str = "probe") -> dict[str, str]:
    """The cells of a line, by their parts."""
    return dict(re.findall(rf'data-part="{queue}:(\w+)">(.*?)</', page))


def text(path: str, *permissions: str) -> str:
    answer = staff(*(permissions or ("view",))).client.get(path)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.fixture
def life(join: Join, line: Line) -> list[Entry]:
    """Two present, one held, one unseen, one running; a worker that is busy and one that is not."""
    entries = [join("a"), join("b"), join("c"), join("d", looked=False), join("e")]
    presence.close("probe", entries[2].job_id, Absence.CLOSED)
    entries[4].start("desk-1")
    line.end_claim("desk-1", entries[4].job_id)
    Entry.objects.filter(pk=entries[0].pk).update(joined_at=timezone.now() - timedelta(seconds=192))
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
    assert re.fullmatch("3 min 1[2-9] s", now["oldest"])
    assert (now["wait"], now["workers"]) == ("unknown", "1 busy, 1 idle")
    assert cells(page, "all")["present"] == "2"
    assert cells(page, "tables")["oldest"] == "–"  # noqa: RUF001
    for query in ("queue=probe&amp;presence=line", "queue=probe&amp;status__exact=running"):
        assert f'href="{LIST}?{query}"' in page
    assert 'http-equiv="refresh"' not in page


@pytest.mark.usefixtures("life")
def test_the_refresh_has_the_cells_of_the_page() -> None:
    looker = staff("lines")
    page = looker.client.get(INDEX).content.decode()
    now = looker.client.get(f"{LINES}board.json").json()
    assert not now["away"]
    for queue in settings.QUEUEING_TASKS:
        shown = cells(page, queue)
        assert {name: now["parts"][f"{queue}:{name}"] for name in shown} == shown or "oldest" in shown
        assert len(shown) == len(board.LABELS)
    assert f'href="{LIST}?' not in page  # the entries need a permission of their own


@pytest.mark.usefixtures("life")
def test_the_board_says_the_same_as_the_statistics() -> None:
    rows = {row.queue: {cell.name: cell.text for cell in row.cells} for row in board.rows()}
    for line in stats.all_lines():
        row = rows[line.queue]
        assert (row["present"], row["held"]) == (str(line.present), str(line.held))
        assert row["running"] == str(line.running)
        if line.oldest_wait is not None:
            assert row["oldest"] in {duration(line.oldest_wait), duration(line.oldest_wait - 1)}
        busy, idle = re.findall(r"\d+", row["workers"]) or (0, 0)
        assert int(busy) + int(idle) == line.workers


def test_the_board_costs_two_queries_however_many_lines_there_are(join: Join) -> None:
    for _ in range(5):
        join()
    with CaptureQueriesContext(connection) as queries:
        board.rows()
    assert len(queries) == 2


def test_while_redis_is_away_the_page_is_there_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RedisError

    looker = staff("view")
    monkeypatch.setattr(stats, "line_now", fail)
    page = looker.client.get(INDEX).content.decode()
    assert "Live data unavailable since" in page
    assert cells(page)["present"] == "unknown"
    assert looker.client.get(f"{LINES}board.json").json()["away"]


def test_the_board_is_for_staff_with_the_permission() -> None:
    assert "data-live" not in text(INDEX, "change")
    assert "data-live" in text(INDEX, "lines")
    assert staff("change").client.get(f"{LINES}board.json").status_code == 403


def test_the_page_of_the_lines_has_the_sums_of_goodput_and_waste(join: Join, line: Line) -> None:
    for end_seen_at, seconds in ((timezone.now(), 30), (None, 20)):
        done = join()
        values = {"status": Status.SUCCEEDED, "end_seen_at": end_seen_at, "run_time": timedelta(seconds=seconds)}
        Entry.objects.filter(pk=done.pk).update(finished_at=timezone.now(), attempt=1, **values)
        line.remove(done.job_id)
    assert ">30 s<br>not seen yet: 20 s<" in text(LINES)
    Entry.objects.filter(status=Status.SUCCEEDED).update(status=Status.CANCELLED)
    assert ">50 s<br>stopped: 50 s<" in text(LINES)
    lately = staff("lines").client.get(f"{LINES}now.json").json()["parts"]["lately"]
    assert ">50 s<br>stopped: 50 s<" in lately
    assert LINES in text(LIST)
