"""A crowd larger than the workers can serve: for whom they work, next to stock RQ and to the field's model.

Each crowd is played to this site and then, the same visitors again, to stock RQ.
"""

import random
import statistics
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.erlang import ErlangA, Person
from tests.benchmarks.outcome import WORKERS, Outcome
from tests.benchmarks.report import Row
from tests.benchmarks.sides import Ours, StockRQ
from tests.benchmarks.visits import Visit
from tests.support.processes import Processes

LOAD = 1.5
SEEDS = range(1, 4)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of crowd; each seed makes one of it."""

    size: int
    service: float  # mean seconds of sleep
    patience: float  # in mean services
    load: float = LOAD  # arrivals to what the workers can serve

    def crowd(self, seed: int) -> list[Person]:
        chance, now, crowd = random.Random(seed), 0.0, []  # noqa: S311  # numbers, no secrets
        for _ in range(self.size):
            now += chance.expovariate(self.load * WORKERS / self.service)
            service = chance.expovariate(1 / self.service)
            crowd.append(Person(now, service, chance.expovariate(1 / (self.patience * self.service))))
        return crowd

    def in_the_long_run(self, overhead: float) -> ErlangA:
        busy = self.service + overhead
        return ErlangA(self.load * WORKERS / self.service, 1 / busy, 1 / (self.patience * self.service), WORKERS)


HASTY = Kind(size=60, service=0.6, patience=2)
# These wait for longer than the shortest range that is ever shown.
PATIENT = Kind(size=60, service=0.45, patience=20)


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        processes = Processes(Path(folder))
        processes.use({"MAX_PAGES_PER_ADDRESS": 1000})  # the crowd comes from one address
        processes.environment["PROBE_WRITABLE"] = folder  # for the log of the runs
        try:
            site, stock = Ours(processes), StockRQ(processes)
            # The patient first, and after one more crowd of theirs: what they are shown is learnt from those before.
            site.play(PATIENT.crowd(0))
            site.wait_for_the_dropped()
            patient = [site.play(PATIENT.crowd(seed)) for seed in SEEDS]
            hasty = [(*site.play(crowd), stock.play(crowd)) for crowd in map(HASTY.crowd, SEEDS)]
        finally:
            processes.stop()
    yield from _waste([ours for ours, _, _ in hasty], [rival for _, _, rival in hasty])
    yield from _ranges([(ours, visits) for ours, visits, _ in hasty], patient)


def _waste(ours: list[Outcome], rival: list[Outcome]) -> Iterator[Row]:
    yield Row(
        "worker-seconds for visitors gone before the start",
        "%",
        [one.wasted for one in ours],
        "<=",
        1,
        database="either",
        rival=[one.wasted for one in rival],
        meaning=f"{about(HASTY)} A visitor holds a WebSocket, closes it cleanly when patience is over before the page "
        "says that the task runs, and counts as gone from the moment before the close is sent. The start is the row's "
        "(stock RQ: the job's first line). A run counts with the turnaround of its worker, and a fork after which the "
        "visitor is found to be gone with a turnaround.",
    )
    yield Row(
        "worker-seconds for visitors gone before the task's first line",
        "%",
        [one.wasted_by_first_line for one in ours],
        database="either",
        rival=[one.wasted_by_first_line for one in rival],
        meaning="The same, with those who left in the milliseconds between the row's start and the first line of the "
        "task; one visitor is about 3 % here, because the tasks are short and the crowds small.",
    )
    yield Row(
        "visitors served",
        "%",
        [one.served for one in ours],
        database="either",
        rival=[one.served for one in rival],
        meaning="Visitors of the crowd who were still there at the start. " + _model(ours),
    )
    yield Row(
        "visitors served, off the model",
        "%",
        [one.off_the_model for one in ours],
        "<=",
        5,
        database="either",
        rival=[one.off_the_model for one in rival],
        meaning="By how much the number of the served differs from Erlang-A's (M/M/c+M; Garnett, Mandelbaum and "
        "Reiman, M&SOM 4:3, 2002), played with the very same visitors: a crowd that begins and ends with an empty "
        "line is not served as in the long run, and the luck of its draw is no difference.",
    )
    yield Row(
        "mean wait of the served",
        "ms",
        [1000 * statistics.mean(one.waits) for one in ours],
        database="either",
        rival=[1000 * statistics.mean(one.waits) for one in rival],
        meaning="From joining to the first line of the task. Stock RQ serves the few who come before the line has "
        f"grown. {_model_wait(ours)}",
    )


def _ranges(hasty: list[tuple[Outcome, list[Visit]]], patient: list[tuple[Outcome, list[Visit]]]) -> Iterator[Row]:
    yield Row(
        "waits inside the range first shown",
        "%",
        [right_ranges(*one) for one in patient],
        ">=",
        70,
        database="either",
        meaning=f"{about(PATIENT)} They come after one more such crowd, from which the site learns. The first range "
        "on the page's socket, and the wait from then to the first line of the task; who left after more than the "
        "range's end counts as a range that was wrong. Of the impatient crowds it is "
        f"{_median([right_ranges(*one) for one in hasty]):.0f} %, but there nearly every wait is shorter than the 2 s "
        "that a range spans at least.",
    )
    yield Row(
        "visitors served, off the model, patient crowd",
        "%",
        [ours.off_the_model for ours, _ in patient],
        "<=",
        5,
        database="either",
        meaning="As above, with the patient crowd of the ranges.",
    )


def right_ranges(outcome: Outcome, visits: list[Visit]) -> float:
    """Percent of the first shown ranges that held the true wait; of who left in it, that wait is not known."""
    began = {run.number: run.began for run in outcome.runs}
    verdicts = []
    for one in visits:
        if one.shown is None:
            continue
        low, high = one.shown
        if one.left is None:
            verdicts.append(low <= began[one.number] - one.shown_at <= high)
        elif one.left - one.shown_at > high:
            verdicts.append(False)
    return 100 * sum(verdicts) / len(verdicts)


def about(kind: Kind, seeds: Sequence[int] = SEEDS) -> str:
    return (
        f"Crowds of {kind.size} visitors, one for each of {len(seeds)} seeds: Poisson arrivals at a load of "
        f"{kind.load} on {WORKERS} workers, sleeps of {kind.service} s and a patience of {kind.patience} sleeps on "
        "average, both exponential."
    )


def _model(ours: Sequence[Outcome]) -> str:
    overhead = _median([one.overhead for one in ours])
    return (
        f"The model serves {_median([one.model_served for one in ours]):.0f} % of the same crowds and "
        f"{100 * HASTY.in_the_long_run(overhead).served:.0f} % in the long run, when a server is busy for a sleep and "
        f"the {1000 * overhead:.0f} ms of turnaround measured here."
    )


def _model_wait(ours: Sequence[Outcome]) -> str:
    overhead = _median([one.overhead for one in ours])
    played = _median([statistics.mean(one.model_waits) for one in ours])
    return (
        f"The model's is {1000 * played:.0f} ms for the same crowds and "
        f"{1000 * HASTY.in_the_long_run(overhead).served_wait:.0f} ms in the long run; it knows no way from the claim "
        "to the first line."
    )


def _median(values: Sequence[float]) -> float:
    return statistics.median(values)
