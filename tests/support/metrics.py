"""The metrics of one scrape."""

from collections.abc import Mapping
from typing import Any

from prometheus_client.parser import text_string_to_metric_families as parse_metrics

from tests.support.visitors import Visitor

TOKEN = "a token of the tests"
Labels = frozenset[tuple[str, str]]


class Metrics(dict[tuple[str, Labels], float]):
    """The samples of one scrape, by name and labels."""

    def of(self, name: str, **labels: str) -> float:
        """One sample."""
        return self[name, frozenset(labels.items())]

    def all_of(self, name: str, **labels: str) -> dict[str, float]:
        """The samples of this name that have these labels, by the values of their other labels."""
        wanted = set(labels.items())
        return {
            " ".join(value for key, value in sorted(found) if key not in labels): number
            for (called, found), number in self.items()
            if called == name and wanted <= found
        }

    @property
    def names(self) -> set[str]:
        return {name for name, _ in self}


def scrape(settings: Any) -> str:
    """The text that a scraper gets."""
    settings.METRICS_TOKEN = TOKEN
    answer = Visitor().client.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=")
    return answer.content.decode()


def parse(text: str) -> Metrics:
    """The samples. A sample must not come twice."""
    found = Metrics()
    for family in parse_metrics(text):
        for sample in family.samples:
            labels: Mapping[str, str] = sample.labels
            key = sample.name, frozenset(labels.items())
            assert key not in found
            found[key] = sample.value
    return found
