"""The lines as Prometheus metrics."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from queueing import stats

GAUGES = {
    "present": "Entries in the line whose visitor was present when last seen",
    "held": "Absent entries whose place is kept",
    "running": "Entries being worked on",
    "workers": "Workers that gave a sign of life lately",
    "oldest_wait": "Seconds since the join of the oldest waiting entry, of those whose page was looked at",
    "goodput": "Worker-seconds of the last RESULT_TTL for visitors who were there at the end",
    "waste": "Worker-seconds of the last RESULT_TTL for visitors who had left",
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
