"""/metrics of a site with several web processes, workers and a keeper, some of which end and come back."""

import signal
import urllib.request

import pytest

from queueing import joining
from queueing.registry import get_task
from queueing.states import Status
from tests.support import probe
from tests.support.entries import status_of
from tests.support.metrics import Metrics, parse
from tests.support.processes import Processes
from tests.support.waiting import wait_for
from tests.support.web import Web

COUNTED = ("_total", "_bucket", "_sum", "_count")
JOINS, ENDS = "queueing_joins_total", "queueing_ends_total"


def scrape(web: Web) -> Metrics:
    asked = urllib.request.Request(f"http://127.0.0.1:{web.port}/metrics", headers={"Authorization": "Bearer token"})
    with urllib.request.urlopen(asked) as answer:  # noqa: S310
        return parse(answer.read().decode())


def counted(metrics: Metrics) -> dict[object, float]:
    return {key: value for key, value in metrics.items() if key[0].endswith(COUNTED)}


@pytest.fixture
def web(processes: Processes) -> Web:
    processes.environment["METRICS_TOKEN"] = "token"
    return Web(processes).wait()


def run_some(number: int) -> None:
    task = get_task("probe").task
    options = [{"end": "error"} if each % 3 == 2 else {"label": f"run {each}"} for each in range(number)]
    entries = [joining.enqueue(task, [], each, needs_presence=False) for each in options]
    wait_for(lambda: {status_of(entry) for entry in entries} <= {Status.SUCCEEDED, Status.FAILED})


def test_counters_are_the_same_everywhere_and_never_fall(processes: Processes, web: Web) -> None:
    keeper = processes.keeper()
    processes.worker()
    other = Web(processes).wait()
    run_some(3)
    wait_for(lambda: scrape(web).of(ENDS, line="probe", kind="failed", reason="error") == 1)
    first = scrape(web)
    assert counted(first) == counted(scrape(other))
    assert first.of(JOINS, line="probe") == 3
    assert first.of("queueing_run_seconds_count", line="probe") == 2
    other.process.send_signal(signal.SIGKILL)
    keeper.send_signal(signal.SIGKILL)
    keeper.wait()
    run_some(3)
    again = Web(processes).wait()
    assert counted(scrape(again)) == counted(first)  # nobody has counted
    processes.keeper()
    wait_for(lambda: scrape(again).of(ENDS, line="probe", kind="failed", reason="error") == 2)
    last = scrape(web)
    assert counted(last) == counted(scrape(again))
    assert all(last[key] >= value for key, value in first.items() if key[0].endswith(COUNTED))
    assert last.of(JOINS, line="probe") == 6


@pytest.mark.slow
def test_gauges_tell_of_the_workers_and_what_runs(processes: Processes, web: Web) -> None:
    processes.keeper()
    processes.worker()
    hold = probe.log_path().with_name("held.hold")
    hold.touch()
    entry = joining.enqueue(get_task("probe").task, [], {"label": "held"}, needs_presence=False)
    wait_for(lambda: status_of(entry) == Status.RUNNING)
    wait_for(lambda: scrape(web).all_of("queueing_workers", line="probe") == {"busy": 1, "idle": 0, "quiet": 0})
    metrics = scrape(web)
    assert metrics.of("queueing_running_entries", line="probe") == 1
    assert {part: metrics.of("queueing_ready", part=part) for part in ("database", "redis", "keeper", "places")} == {
        "database": 1,
        "redis": 1,
        "keeper": 1,
        "places": 1,
    }
    assert metrics.of("queueing_ready", part="workers") == 0  # of the other lines
    hold.unlink()
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    wait_for(lambda: scrape(web).all_of("queueing_workers", line="probe") == {"busy": 0, "idle": 1, "quiet": 0})
