"""Numbers for Prometheus."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from queueing import stats
from queueing.history import counting
from queueing.line import presence, workers
from queueing.line.places import Line
from queueing.models import Entry, LineMinute
from queueing.sketch import Sketch
from queueing.states import Absence, LineState, Reason
from queueing.web.metrics import buckets
from queueing.work.worker import PresenceWorker
from tests.support.connections import forget_connections
from tests.support.levers import set_levers
from tests.support.metrics import Metrics, parse, scrape
from tests.support.servers import free_port
from tests.support.visitors import Visitor, staff

pytestmark = pytest.mark.django_db(transaction=True)

FOREVER = float("inf")
Join = Callable[..., Entry]
Scrape = Callable[[], Metrics]


@pytest.fixture
def scraped(settings: Any) -> Scrape:
    return lambda: parse(scrape(settings))


def ran(entry: Entry, seconds: float, end: Callable[[Entry], bool], *, waited: float = 10) -> Entry:
    """The entry has waited and run for so long, and ended like that."""
    assert entry.start("w")
    now = timezone.now()
    times = {"started_at": now, "joined_at": now - timedelta(seconds=waited)}
    assert end(entry)
    Entry.objects.filter(pk=entry.pk).update(run_time=timedelta(seconds=seconds), **times)
    entry.refresh_from_db()
    return entry


def succeed(entry: Entry) -> bool:
    return entry.succeed({})


def test_metrics_tell_what_the_lines_hold(join: Join, line: Line, scraped: Scrape) -> None:
    entries = [join() for _ in range(3)]
    presence.close("probe", entries[2].job_id, Absence.LOST)
    Entry.objects.filter(pk=entries[0].pk).update(joined_at=timezone.now() - timedelta(seconds=192))
    for name, state in (("1", "busy"), ("2", "idle"), ("3", "idle")):
        worker = PresenceWorker(["probe"], name=name, connection=line.client)
        worker.register_birth()
        worker.set_state(state)
    metrics = scraped()
    assert metrics.of("queueing_present_entries", line="probe") == 2
    assert metrics.of("queueing_held_entries", line="probe") == 1
    assert metrics.of("queueing_present_entries", line="tables") == 0
    assert metrics.of("queueing_oldest_wait_seconds", line="probe") == pytest.approx(192, abs=20)
    assert metrics.all_of("queueing_workers", line="probe") == {"busy": 1, "idle": 2, "quiet": 0}
    assert metrics.all_of("queueing_workers", line="tables") == {"busy": 0, "idle": 0, "quiet": 0}


def test_what_happened_is_counted(join: Join, scraped: Scrape) -> None:
    ran(join(), 30, succeed).see_end()
    ran(join(), 70, succeed)
    ran(join(), 5, lambda entry: entry.fail(Reason.ERROR))
    join().cancel(Reason.LEFT)
    join(looked=False).abandon(Reason.UNSEEN)
    lost = join()
    lost.start("w")
    lost.requeue_orphan()
    ran(lost, 7, lambda entry: entry.cancel(Reason.ENDED))
    counting.count(until=FOREVER)
    metrics = scraped()
    told = {name: metrics.of(f"queueing_{name}_total", line="probe") for name in ("joins", "starts", "lost_attempts")}
    assert told == {"joins": 6, "starts": 4, "lost_attempts": 1}
    assert metrics.of("queueing_passed_over_total", line="probe") == 1
    ends = metrics.all_of("queueing_ends_total", line="probe")
    assert {name.strip(): number for name, number in ends.items() if number} == {
        "succeeded": 2,
        "failed error": 1,
        "gone left": 1,
        "gone unseen": 1,
        "gone ended": 1,
    }
    assert metrics.of("queueing_goodput_seconds_total", line="probe") == 30
    waste = metrics.all_of("queueing_waste_seconds_total", line="probe")
    assert (waste["stopped"], waste["left"]) == (7, 0)
    assert waste["failed"] == pytest.approx(5, abs=2)  # and the lost attempt
    assert metrics.of("queueing_not_seen_yet_seconds", line="probe") == 70
    assert set(metrics.all_of("queueing_ends_total", line="tables").values()) == {0}


def test_every_way_to_end_has_its_counter(join: Join, scraped: Scrape) -> None:
    """So the sum of the ends is the number of all that ended."""
    for reason in set(Reason) - {Reason.NONE}:
        entry = join()
        entry.start("w")
        assert (
            entry.fail(reason)
            if reason in {"unusable", "error", "timeout", "crashed", "orphaned"}
            else (entry.cancel(reason) if reason in {"left", "ended"} else entry.abandon(reason))
        )
    ran(join(), 1, succeed)
    counting.count(until=FOREVER)
    ends = scraped().all_of("queueing_ends_total", line="probe")
    assert sum(ends.values()) == len(Reason)
    assert set(ends.values()) == {1}


def test_waits_and_runs_are_histograms(join: Join, scraped: Scrape) -> None:
    for seconds in (0.1, 0.3, 3, 3000, 90_000):
        ran(join(), seconds, succeed, waited=2 * seconds)
    counting.count(until=FOREVER)
    metrics = scraped()
    runs = metrics.all_of("queueing_run_seconds_bucket", line="probe")
    assert {bound: runs[bound] for bound in ("0.256", "0.512", "2.048", "4.096", "+Inf")} == {
        "0.256": 1,
        "0.512": 2,
        "2.048": 2,
        "4.096": 3,
        "+Inf": 5,
    }
    assert metrics.of("queueing_run_seconds_count", line="probe") == 5
    assert metrics.of("queueing_run_seconds_sum", line="probe") == pytest.approx(93_003.4)
    assert metrics.of("queueing_wait_seconds_sum", line="probe") == pytest.approx(2 * 93_003.4, abs=5)
    assert list(runs.values()) == sorted(runs.values())


@pytest.mark.parametrize("seconds", [0.0001, 0.2559, 0.2561, 1.0239, 1.0241, 16_777, 16_778, 1e9])
def test_a_duration_is_in_every_bucket_from_its_own_bound_on(seconds: float) -> None:
    sketch = Sketch()
    sketch.note(seconds)
    assert [number for _, number in buckets(sketch)] == [float(bound) >= seconds for bound, _ in buckets(sketch)]


def test_nothing_that_is_deleted_and_no_undone_start_takes_from_a_counter(join: Join, scraped: Scrape) -> None:
    first, second = ran(join(), 30, succeed), join()
    second.start("w")
    counting.count(until=FOREVER)
    before = scraped()
    assert counting.undo_start(second)
    counting.delete([first.pk])
    LineMinute.objects.all().delete()  # as after HISTORY_TTL
    after = scraped()
    counters = {key for key in before if key[0].endswith(("_total", "_bucket", "_count", "_sum"))}
    assert len(counters) > 100
    assert all(after[key] >= before[key] for key in counters)
    assert after.of("queueing_starts_total", line="probe") == 2
    assert after.of("queueing_undone_starts_total", line="probe") == 1
    assert after.of("queueing_waste_seconds_total", line="probe", cause="never_seen") == 30


def test_a_scrape_costs_as_many_queries_for_many_lines_as_for_one(join: Join, settings: Any) -> None:
    join()

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            scrape(settings)
        return len(captured)

    for_three = queries()
    settings.QUEUEING_TASKS = {"probe": settings.QUEUEING_TASKS["probe"]}
    assert queries() == for_three <= 6


def test_metrics_are_not_for_everybody(settings: Any) -> None:
    for token in ("", "right"):
        settings.METRICS_TOKEN = token
        for header in ("", "Bearer ", "Bearer wrong", "Basic right", "Bearer \u00e9", "right", "Bearerright"):
            assert Visitor().client.get("/metrics", headers={"Authorization": header}).status_code == 404
    assert staff().client.get("/metrics").status_code == 404
    assert staff("view").client.get("/metrics").status_code == 200
    assert staff("lines").client.get("/metrics").status_code == 200
    assert Visitor().client.get("/metrics", headers={"Authorization": "Bearer right"}).status_code == 200


def test_the_state_of_each_line_is_a_metric(scraped: Scrape) -> None:
    """A suspension by RQ shows as paused."""

    def states() -> dict[str, float]:
        return {state: scraped().of("queueing_line_state", line="probe", state=state) for state in LineState.values}

    set_levers(state="closed")
    assert states() == {"open": 0, "closed": 1, "paused": 0, "stopped": 0}
    workers.suspend()
    assert states() == {"open": 0, "closed": 0, "paused": 0, "stopped": 1}


@pytest.fixture
def redis_away(settings: Any) -> Iterator[None]:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    forget_connections()
    yield
    forget_connections()


@pytest.mark.usefixtures("redis_away")
def test_while_redis_is_away_its_numbers_are_missing_and_the_counters_go_on(scraped: Scrape) -> None:
    metrics = scraped()
    assert metrics.of("queueing_ready", part="redis") == 0
    assert metrics.of("queueing_ready", part="database") == 1
    assert metrics.of("queueing_joins_total", line="probe") == 0
    assert "queueing_present_entries" not in metrics.names


def test_while_the_database_is_away_the_scrape_says_so(scraped: Scrape) -> None:
    """Nothing is asked of it but whether it is there, so the scrape does not wait for each number."""
    asked = []

    def fail(execute: Any, sql: str, *_: Any) -> Any:
        asked.append(sql)
        raise OperationalError("the connection was refused")

    with connection.execute_wrapper(fail):
        metrics = scraped()
    assert metrics.of("queueing_ready", part="database") == 0
    assert metrics.of("queueing_ready", part="redis") == 1
    assert not any(name.endswith("_total") for name in metrics.names)
    assert asked == ["SELECT 1"]


def test_after_a_flush_no_places_are_told_until_they_have_come_back(
    join: Join, valkey: redis.Redis, scraped: Scrape
) -> None:
    join()
    valkey.flushall()
    metrics = scraped()
    assert metrics.of("queueing_ready", part="places") == 0
    assert "queueing_present_entries" not in metrics.names
    assert metrics.of("queueing_running_entries", line="probe") == 0


def test_the_numbers_are_those_of_the_statistics(join: Join, scraped: Scrape) -> None:
    for _ in range(3):
        join()
    told = scraped()
    for found in stats.all_lines():
        assert told.of("queueing_present_entries", line=found.queue) == found.present
        assert told.of("queueing_running_entries", line=found.queue) == found.running


def test_promtool_finds_nothing_to_mend(join: Join, settings: Any) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is missing; it is in Debian's package prometheus")
    ran(join(), 30, succeed)
    counting.count(until=FOREVER)
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=scrape(settings), text=True, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stderr + checked.stdout) == (0, "")
