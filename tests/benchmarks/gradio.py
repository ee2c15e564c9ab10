"""This site beside Gradio's queue, which lives in the memory of one process: `make bench ARGS=gradio`.

Gradio gets an environment of its own, once. Without it, and without a network, this says so and measures nothing.
"""

import asyncio
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from queueing import ending
from queueing.models import Entry
from tests.benchmarks import gradio_side, gradio_waiting, sockets
from tests.benchmarks.crowd import Kind, about
from tests.benchmarks.gradio_browsers import OnGradio, OnOurs
from tests.benchmarks.gradio_side import Gradio
from tests.benchmarks.gradio_waiting import BOUND, CLIENTS, RELOADS, REST, SILENT, Measured
from tests.benchmarks.measure import DEPLOYED
from tests.benchmarks.outcome import Outcome
from tests.benchmarks.report import Row
from tests.benchmarks.sides import Ours
from tests.benchmarks.ws_crowd import raise_limit
from tests.support.processes import Processes

SEEDS = (1, 2)
# All of them come within seconds, and wait for longer than the pings take that tell a dead connection.
BURST = Kind(size=72, service=1.5, patience=20, load=12)
SILENT_ONES = range(1, BURST.size, 2)  # of those who leave, the ones who do not close the page


def rows() -> Iterator[Row]:
    if not gradio_side.install():
        sys.stdout.write("Gradio cannot be installed (is there a network?): its rows are left out.\n")
        return
    raise_limit(2 * CLIENTS)
    with tempfile.TemporaryDirectory() as folder:
        processes, rival = Processes(Path(folder)), Gradio(Path(folder))
        try:
            processes.environment |= DEPLOYED | sockets.LIMITS | {"PROBE_WRITABLE": folder}
            assert processes.manage("collectstatic", "--noinput", "--verbosity", "0").wait() == 0, processes.logs()
            site = Ours(processes)
            rival.wait()
            crowds = _play(site, rival)
            for entry in Entry.objects.waiting():
                ending.leave(entry)
            browsers = OnOurs(site, processes)
            measured = asyncio.run(gradio_waiting.measure(browsers, OnGradio(rival)))
            browsers.stop()
        finally:
            processes.stop()
            rival.stop()
    yield from _waste(*zip(*crowds, strict=True))
    yield from _waiting(*measured)


def _play(site: Ours, rival: Gradio) -> list[tuple[Outcome, Outcome]]:
    """Each crowd on both sides at the same time: the tasks sleep."""
    outcomes = []
    with ThreadPoolExecutor(1) as beside:
        for crowd in map(BURST.crowd, SEEDS):
            theirs = beside.submit(rival.play, crowd, SILENT_ONES)
            ours, _ = site.play(crowd, SILENT_ONES)
            outcomes.append((ours, theirs.result()))
    return outcomes


def _waste(ours: Sequence[Outcome], rival: Sequence[Outcome]) -> Iterator[Row]:
    yield Row(
        "worker-seconds for visitors gone before the start, beside Gradio", "%",
        [one.wasted for one in ours], database="either", rival=[one.wasted for one in rival],
        meaning=f"{about(BURST, SEEDS)} Every second one who leaves closes the page; the others neither read nor "
        "answer any more, while their TCP connections stay up, as a telephone that sleeps. Both sides as they come, "
        "two tasks at a time (Gradio's `concurrency_limit=2`).",
    )  # fmt: skip
    yield Row(
        "visitors served, beside Gradio", "%",
        [one.served for one in ours], database="either", rival=[one.served for one in rival],
        meaning="Visitors of these crowds who were still there at the start.",
    )  # fmt: skip


def _waiting(ours: Measured, rival: Measured) -> Iterator[Row]:
    yield Row(
        f"CPU of {CLIENTS:,} who wait, beside Gradio", "%", ours.rest, rival=rival.rest,
        meaning=f"Of one core, all processes of a side, while nobody comes or goes, by windows of {REST:.0f} s. Ours "
        "are the web process, the keeper, Valkey, and two workers with a task each; Gradio is one process with two "
        "tasks. Each page of ours is pinged and told something within 10 s; each of Gradio's gets a heartbeat in 15 s.",
    )  # fmt: skip
    yield Row(
        "memory of one who waits, beside Gradio", "KB", ours.memory, rival=rival.memory,
        meaning=f"Growth of the PSS of the same processes while {CLIENTS:,} come, by steps of "
        f"{CLIENTS // gradio_waiting.STEPS}, each with an open page. Ours have rows on the disk besides.",
    )  # fmt: skip
    yield Row(
        "a closed page to its visitor out of the line, beside Gradio", "ms",
        [1000 * one for one in ours.closed], rival=[1000 * one for one in rival.closed],
        meaning="One of them closes the page, with a goodbye; until the length of the line is one less. Our place is "
        "held for 10 s, Gradio's is gone.",
    )  # fmt: skip
    yield Row(
        "a silent page to its visitor out of the line, beside Gradio", "s", ours.silent, rival=rival.silent,
        meaning=f"{SILENT} of them neither read nor answer any more while TCP stays up. {BOUND:.0f} s means: not "
        f"within {BOUND:.0f} s, for which it was watched. Gradio only writes to its streams, and expects no answer.",
    )  # fmt: skip
    yield Row(
        f"places kept in {RELOADS} reloads, beside Gradio", "", [float(ours.kept)], rival=[float(rival.kept)],
        meaning="Pages that are closed and opened again, with the same number ahead as before. A page of Gradio's has "
        "a new session after a reload, and the entry of the old one is dropped.",
    )  # fmt: skip
