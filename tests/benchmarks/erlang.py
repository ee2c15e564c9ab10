"""The field's model of a line that people leave: M/M/c+M, called Erlang-A. Its formulas, and its play with one crowd.

Arrivals are Poisson, service and patience exponential, c servers take the longest-waiting first, and patience counts
only while waiting. Sources: C. Palm, "Research on telephone traffic carried by full availability groups", Tele 1
(1957); O. Garnett, A. Mandelbaum and M. Reiman, "Designing a call center with impatient customers", Manufacturing &
Service Operations Management 4:3 (2002), 208-227.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

# States less likely than this, beside the likeliest one seen, are left out.
NEGLIGIBLE = 1e-12


@dataclass(frozen=True)
class ErlangA:
    """The line in the long run; all rates per second."""

    arrivals: float
    service: float  # of one server
    leaving: float  # 1 / mean patience
    servers: int

    @cached_property
    def probabilities(self) -> list[float]:
        """That n are in the system: births at the rate of arrivals, deaths by service and by lost patience."""
        weights, largest = [1.0], 1.0
        while len(weights) <= self.servers or weights[-1] > NEGLIGIBLE * largest:
            n = len(weights)
            ends = min(n, self.servers) * self.service + max(n - self.servers, 0) * self.leaving
            weights.append(weights[-1] * self.arrivals / ends)
            largest = max(largest, weights[-1])
        total = sum(weights)
        return [weight / total for weight in weights]

    @property
    def waiting(self) -> float:
        """The mean number of those who wait."""
        return sum((n - self.servers) * p for n, p in enumerate(self.probabilities) if n > self.servers)

    @property
    def served(self) -> float:
        """The share of visitors whose service begins: each of those who wait leaves at the rate of `leaving`."""
        return 1 - self.leaving * self.waiting / self.arrivals

    @property
    def served_wait(self) -> float:
        """Seconds that those who are served have waited, on average.

        Who comes upon k waiting moves up k + 1 times, each time after the first of: an end of service, somebody
        ahead leaving, the own patience. The last one is never the own patience with probability
        c mu / (c mu + (k + 1) theta), and the steps last 1 / (c mu + j theta), j = k + 1 ... 1, on average whoever
        makes them. Arrivals see the long run's probabilities (they are Poisson).
        """
        full, mean_wait, total = self.servers * self.service, 0.0, 0.0
        for k, probability in enumerate(self.probabilities[self.servers :]):
            mean_wait += 1 / (full + (k + 1) * self.leaving)
            total += probability * full / (full + (k + 1) * self.leaving) * mean_wait
        return total / self.served


@dataclass(frozen=True, slots=True)
class Person:
    """One visitor of a crowd, in seconds: when they come, how long they would be served, how long they would wait."""

    arrival: float
    service: float
    patience: float


def play(crowd: Sequence[Person], servers: int) -> list[float | None]:
    """The model's outcome for this crowd: each visitor's wait, or None for a visitor who left before the turn.

    Exact: in order of arrival, everybody meets the server that is free first, or leaves before.
    """
    free = [0.0] * servers
    waits: list[float | None] = []
    for person in crowd:
        start = max(person.arrival, free[0])
        if start - person.arrival > person.patience:
            waits.append(None)
        else:
            heapq.heapreplace(free, start + person.service)
            waits.append(start - person.arrival)
    return waits
