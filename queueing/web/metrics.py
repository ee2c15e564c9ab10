"""The lines as Prometheus metrics."""

from collections.abc import Iterator

from django.conf import settings
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from queueing import budget, stats
from queueing.states import LineState

GAUGES = {
    "present": "Entries in the line whose visitor was present when last seen",
    "held": "Absent entries whose place is kept",
    "running": "Entries being worked on",
    "workers": "Workers that gave a sign of life lately",
    "oldest_wait": "Seconds since the join of the oldest waiting entry, of those whose page was looked at",
    "goodput": "Worker-seconds of runs that ended in the last RESULT_TTL and whose end was seen by the owner",
    "not_seen_yet": "Worker-seconds of runs that ended lately and whose owner may still come for the result",
    "skipped": "Entries of the last RESULT_TTL that ended before any work, of those whose page was looked at",
}


class LineCollector(Collector):
    """Reads the lines at the moment of the scrape."""

    def collect(self) -> Iterator[Metric]:
        lines = stats.all_lines()
        for name, text in GAUGES.items():
            gauge = GaugeMetricFamily(f"queueing_{name}", text, labels=["queue"])
            for line in lines:
                gauge.add_metric([line.queue], getattr(line, name) or 0)
            yield gauge
        yield _waste(lines)
        yield _states(lines)


class StorageCollector(Collector):
    """The stored bytes and entries, as the keeper summed them last, and the room on the disk."""

    def collect(self) -> Iterator[Metric]:
        totals = budget.read_totals() or budget.Totals()
        stored = GaugeMetricFamily("queueing_stored_bytes", "Bytes of inputs and results' files", labels=["queue"])
        kept = GaugeMetricFamily("queueing_stored_entries", "Rows that are not deleted yet", labels=["queue"])
        for queue in settings.QUEUEING_TASKS:
            stored.add_metric([queue], totals.of(queue).bytes)
            kept.add_metric([queue], totals.of(queue).entries)
        yield from (stored, kept)
        if room := budget.free_room():
            text = "Bytes free on the disk of inputs and results; nobody joins below MIN_FREE_DISK"
            yield GaugeMetricFamily("queueing_free_disk_bytes", text, value=room.bytes)


def _states(lines: list[stats.LineStats]) -> Metric:
    gauge = GaugeMetricFamily("queueing_line_state", "1 for the state of the line, else 0", labels=["queue", "state"])
    for line in lines:
        for state in LineState:
            gauge.add_metric([line.queue, state.value], line.state == state)
    return gauge


def _waste(lines: list[stats.LineStats]) -> Metric:
    text = "Worker-seconds of all other runs that ended in the last RESULT_TTL, by cause"
    gauge = GaugeMetricFamily("queueing_waste", text, labels=["queue", "cause"])
    for line in lines:
        for cause, seconds in line.waste_by_cause.items():
            gauge.add_metric([line.queue, cause], seconds)
    return gauge
