"""The promises in seconds, with the default settings: what a worker's death costs, and what a long task does not."""

import time
from collections.abc import Iterator

from queueing.line.places import get_line
from queueing.models import Entry
from tests.benchmarks import processes, waiting
from tests.benchmarks.report import Row
from tests.support import probe

RUNS = 5
LONG = 45  # seconds; longer than a lease, and than what is measured beside it


def rows() -> Iterator[Row]:
    """All of it at the same time: the waits are the settings' own (LEASE, and a round of the keeper)."""
    waiting.clear()
    probe.log_path().write_text("")
    with processes.running(("manage.py", "keeper"), *[("manage.py", "rqworker", "probe")]) as (_, steady):
        long = _enqueue("steady", seconds=LONG)
        processes.wait_for(lambda: _entered("steady"))
        after_death, after_claim = _recover()
        processes.wait_for(lambda: Entry.objects.get(code=long).finished_at is not None)
        entry = Entry.objects.get(code=long)
        starts = probe.calls().count("steady")
        assert (steady.poll(), entry.status, entry.attempt) == (None, "succeeded", 1)
    yield Row(
        "kill -9 of a worker to the task's next first line", "s", after_death, "<=", 45,
        meaning=f"{RUNS} workers killed in mid-task at the same moment, default settings.",
    )  # fmt: skip
    yield Row(
        "a claim whose worker is dead to the task's first line", "s", after_claim, "<=", 35,
        meaning=f"{RUNS} claims by workers that never start them, default settings.",
    )  # fmt: skip
    yield Row(
        f"starts of a task of {LONG} s under a lease of 30 s", "", [starts], "<=", 1,
        meaning="On a healthy worker, beside the keeper.",
    )  # fmt: skip


def _recover() -> tuple[list[float], list[float]]:
    labels = [f"victim{number}" for number in range(RUNS)]
    for label in labels:
        probe.log_path().with_name(f"{label}.hold").touch()
        _enqueue(label)
    with processes.running(*[("manage.py", "rqworker", "probe")] * RUNS) as victims:
        processes.wait_for(lambda: all(_entered(label) for label in labels))
        for victim in victims:
            victim.kill()
    killed = time.time()
    claimed = {}
    for number in range(RUNS):
        _enqueue(f"claimed{number}")
        assert get_line("probe").claim(f"dead{number}")[0] is not None
        claimed[f"claimed{number}"] = time.time()
    for label in labels:
        probe.log_path().with_name(f"{label}.hold").unlink()
    with processes.running(*[("manage.py", "rqworker", "probe")] * 2):
        processes.wait_for(lambda: all(len(_entered(label)) == 2 for label in labels))
        processes.wait_for(lambda: all(_entered(label) for label in claimed))
    return [_entered(label)[1] - killed for label in labels], [_entered(one)[0] - at for one, at in claimed.items()]


def _entered(label: str) -> list[float]:
    """The times at which the task of that label was entered."""
    lines = [line.split() for line in probe.log_path().read_text().splitlines()]
    return [float(at) for name, _, _, at in lines if name == label]


def _enqueue(label: str, seconds: float = 0) -> str:
    return str(probe.probe.using(backend="unattended").enqueue(label=label, seconds=seconds).id)
