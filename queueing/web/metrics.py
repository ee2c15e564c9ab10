"""The site as Prometheus metrics, read at the moment of the scrape. docs/operations.md says what each of them means.

All numbers come from the database and from Redis, so every web process gives the same, but for the free disk. Counters
and histograms are the totals of the memory of the lines (`history/`), which the keeper writes. They only grow,
whichever processes start and end, and whatever is deleted.
"""

from collections.abc import Iterator
from itertools import accumulate

from django.conf import settings
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from queueing import budget, stats
from queueing.goodput import Waste
from queueing.line.clients import RedisError
from queueing.line.servers import are_several
from queueing.models.trouble import DATABASE_ERRORS
from queueing.sketch import LAST, SHORTEST, STEPS, Sketch, start_of
from queueing.states import LineState, Reason
from queueing.stats import LineStats
from queueing.tally import WASTE, Tally
from queueing.web import readiness

# The bounds of the histograms: buckets of a sketch at which the durations have doubled, from 0.256 s to 4.7 h. So no
# duration is put into a bucket by a guess.
BOUNDS = [1 + STEPS * doubled for doubled in range(8, 25)]

GAUGES = {
    "present_entries": ("present", "Entries in the line whose visitor was present when last seen"),
    "held_entries": ("held", "Absent entries whose place is kept"),
    "running_entries": ("running", "Entries being worked on"),
    "oldest_wait_seconds": ("oldest_wait", "Time since the join of the oldest waiting entry whose page was looked at"),
    "not_seen_yet_seconds": ("not_seen_yet", "Worker-seconds of runs whose owner may still come for the result"),
}
# After a flush, these are too small until the places have come back.
OF_PLACES = ("present", "held")

COLUMNS = {
    "joins": ("joined", "Entries that joined"),
    "starts": ("started", "First starts of entries, with those that were undone"),
}
DETAILS = {
    "undone_starts": ("undone", "First starts that were undone, because the visitor left meanwhile"),
    "passed_over": ("passed_over", "Entries that ended before any work, of those whose page was looked at"),
    "holds": ("holds", "Places that were held, because their visitor was absent"),
    "returns": ("returns", "Held places whose visitor came back"),
    "lost_attempts": ("lost_attempts", "Attempts that ended with their worker, of ended entries"),
}
# The reasons of each kind of end.
REASONS = {
    "failed": (Reason.UNUSABLE, Reason.ERROR, Reason.TIMEOUT, Reason.CRASHED, Reason.ORPHANED),
    "gone": (Reason.LEFT, Reason.ENDED, Reason.UNSEEN, Reason.CLOSED, Reason.LOST),
}

type Totals = dict[str, Tally]  # by line


class SiteCollector(Collector):
    """Everything. What cannot be read is left out, and no 0 stands for it: `queueing_ready` says why."""

    def collect(self) -> Iterator[Metric]:
        ready = readiness.look()
        parts = GaugeMetricFamily("queueing_ready", "1 for a part of the site that is there, else 0", labels=["part"])
        for part, is_there in ready.items():
            parts.add_metric([part], is_there)
        yield parts
        if ready["database"]:
            yield from _counted()
        if ready["database"] and (ready["redis"] or are_several()):
            yield from _now()
        if room := budget.free_room():
            text = "Bytes free on the disk of inputs and results; nobody joins below MIN_FREE_DISK"
            yield GaugeMetricFamily("queueing_free_disk_bytes", text, value=room.bytes)


def _counted() -> Iterator[Metric]:
    """The counters and histograms; one query."""
    try:
        totals = stats.totals()
    except DATABASE_ERRORS:  # it went away since it was asked
        return
    for name, (column, text) in COLUMNS.items():
        yield _counter(name, text, {queue: getattr(tally, column) for queue, tally in totals.items()})
    for name, (detail, text) in DETAILS.items():
        yield _counter(name, text, {queue: tally.details[detail] for queue, tally in totals.items()})
    yield _ends(totals)
    goodput = {queue: tally.goodput for queue, tally in totals.items()}
    yield _counter("goodput_seconds", "Worker-seconds of runs whose end was seen by the owner", goodput)
    yield _waste(totals)
    yield _histogram("wait_seconds", "Time from the join to the first start", totals, "waits", "waited")
    yield _histogram("run_seconds", "Time of the runs that succeeded", totals, "runs", "ran")


def _now() -> Iterator[Metric]:
    """The gauges of the lines."""
    try:
        lines = stats.all_lines()
    except (RedisError, *DATABASE_ERRORS):
        return
    known = {line.queue for line in lines}
    reached = GaugeMetricFamily("queueing_line_reached", "1 if the line's Redis answers, else 0", labels=["line"])
    for queue in settings.QUEUEING_TASKS:
        reached.add_metric([queue], queue in known)
    yield reached
    for name, (attribute, text) in GAUGES.items():
        gauge = GaugeMetricFamily(f"queueing_{name}", text, labels=["line"])
        for line in lines:
            if line.has_epoch or attribute not in OF_PLACES:
                gauge.add_metric([line.queue], getattr(line, attribute) or 0)
        yield gauge
    yield _workers(lines)
    yield _states(lines)
    yield _waits(lines)
    try:
        stored = budget.read_totals() or budget.Totals()
    except RedisError:
        return
    used = GaugeMetricFamily("queueing_stored_bytes", "Bytes of inputs and results' files", labels=["line"])
    kept = GaugeMetricFamily("queueing_stored_entries", "Rows that are not deleted yet", labels=["line"])
    for queue in settings.QUEUEING_TASKS:
        used.add_metric([queue], stored.of(queue).bytes)
        kept.add_metric([queue], stored.of(queue).entries)
    yield from (used, kept)


def _counter(name: str, text: str, values: dict[str, float]) -> Metric:
    counter = CounterMetricFamily(f"queueing_{name}", text, labels=["line"])
    for queue, value in values.items():
        counter.add_metric([queue], value)
    return counter


def _ends(totals: Totals) -> Metric:
    text = "Entries that ended, by kind (succeeded, failed, gone) and reason"
    counter = CounterMetricFamily("queueing_ends", text, labels=["line", "kind", "reason"])
    for queue, tally in totals.items():
        counter.add_metric([queue, "succeeded", ""], tally.succeeded)
        for kind, reasons in REASONS.items():
            for reason in reasons:
                counter.add_metric([queue, kind, reason.value], tally.details[reason.value])
    return counter


def _waste(totals: Totals) -> Metric:
    counter = CounterMetricFamily(
        "queueing_waste_seconds", "Worker-seconds of all other runs, by cause", labels=["line", "cause"]
    )
    for queue, tally in totals.items():
        for cause in Waste:
            counter.add_metric([queue, cause.value], tally.details[WASTE + cause.value] / 1e6)
    return counter


def _histogram(name: str, text: str, totals: Totals, sketch: str, detail: str) -> Metric:
    family = HistogramMetricFamily(f"queueing_{name}", text, labels=["line"])
    for queue, tally in totals.items():
        family.add_metric([queue], buckets(getattr(tally, sketch)), tally.details[detail] / 1e6)
    return family


def buckets(sketch: Sketch) -> list[tuple[str, float]]:
    """The bounds in seconds, each with the number of durations up to it."""
    sums = list(accumulate(sketch[bucket] for bucket in range(LAST + 1)))
    bounded = [(f"{round(start_of(bound) / SHORTEST) * SHORTEST:.3f}", sums[bound - 1]) for bound in BOUNDS]
    return [*bounded, ("+Inf", sums[-1])]


def _workers(lines: list[LineStats]) -> Metric:
    text = "Workers that gave a sign of life lately; one counts for each of its lines; quiet ones take no entries"
    gauge = GaugeMetricFamily("queueing_workers", text, labels=["line", "state"])
    for line in lines:
        gauge.add_metric([line.queue, "busy"], line.busy)
        gauge.add_metric([line.queue, "idle"], line.idle)
        gauge.add_metric([line.queue, "quiet"], line.quiet)
    return gauge


def _states(lines: list[LineStats]) -> Metric:
    gauge = GaugeMetricFamily("queueing_line_state", "1 for the state of the line, else 0", labels=["line", "state"])
    for line in lines:
        for state in LineState:
            gauge.add_metric([line.queue, state.value], line.state == state)
    return gauge


def _waits(lines: list[LineStats]) -> Metric:
    """A line whose wait is unknown has none."""
    text = "Expected wait of somebody who joins now, from low to high"
    gauge = GaugeMetricFamily("queueing_expected_wait_seconds", text, labels=["line", "bound"])
    for line in lines:
        if line.wait:
            gauge.add_metric([line.queue, "low"], line.wait.low)
            gauge.add_metric([line.queue, "high"], line.wait.high)
    return gauge
