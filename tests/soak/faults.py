"""The faults of a soak: a plan that follows from the seed, and the deeds that carry it out."""

import contextlib
import os
import random
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.soak.ledger import Ledger, Window
from tests.soak.site import SETTINGS, Site, begin_database_fault
from tests.support.browser.proxy import Proxy

End = Callable[[], None]
LEASE = SETTINGS["LEASE"]
PAST_LEASE = LEASE + 2.0


@dataclass(frozen=True)
class Fault:
    """A fault: the part of the site, how often it comes, the seconds that it lasts, and those until all is well."""

    part: str
    weight: int
    shortest: float
    longest: float
    aftermath: float


# After the death of a worker its claim or entry is away for a lease; after a flush newcomers wait for those before
# them; after a fault between visitors and Redis a presence has to be renewed.
FAULTS = {
    "kill a worker": Fault("worker", 5, 0, 2, LEASE + 3),
    "end a worker": Fault("worker", 2, 0, 2, LEASE + 3),
    "stop a worker": Fault("worker", 3, PAST_LEASE, PAST_LEASE + 1, LEASE + 3),
    "stop a worker and its horse": Fault("worker", 6, PAST_LEASE, PAST_LEASE + 1, LEASE + 3),
    "kill a horse": Fault("worker", 3, 0, 0, LEASE + 3),
    "stop a horse": Fault("worker", 2, 2, PAST_LEASE, LEASE + 3),
    "kill the keeper": Fault("keeper", 2, 0, 2, 0),
    "end the keeper": Fault("keeper", 1, 0, 2, 0),
    "stop the keeper": Fault("keeper", 1, 2, PAST_LEASE, 0),
    "kill a web process": Fault("web", 3, 0, 2, 5),
    "end a web process": Fault("web", 2, 0, 2, 5),
    "stop a web process": Fault("web", 3, 2, 4, 5),
    "Valkey is back empty": Fault("redis", 3, 0, 2, 15),
    "Valkey is back as it was": Fault("redis", 2, 0, 2, 10),
    "Valkey is back as it was before": Fault("redis", 2, 1, 3, 15),
    "Valkey hangs": Fault("redis", 2, 1, 4, 10),
    "the database takes no writes": Fault("database", 3, 1, 5, LEASE + 3),
    "visitors are cut off": Fault("link", 2, 1, 3, 5),
    "visitors are slow": Fault("link", 1, 2, 4, 5),
    "web processes are cut off from Redis": Fault("redis", 3, 2, 10, 10),
    "workers are cut off from Redis": Fault("redis", 2, 1, 4, 10),
    "workers have a slow Redis": Fault("redis", 1, 2, 4, 10),
}


@dataclass(frozen=True)
class Step:
    """A fault at its time: seconds after the step before, and for how long."""

    pause: float
    name: str
    seconds: float
    target: float  # from 0 to 1: which of several processes


def plan(seed: int, seconds: float, names: list[str]) -> list[Step]:
    """The steps of a soak of this length. The first fifth is calm: there, the order of all starts counts."""
    rng = random.Random(f"faults {seed}")  # noqa: S311  # so that a seed is the same soak again
    steps, passed = list[Step](), 0.0
    while passed < seconds:
        name = rng.choices(names, [FAULTS[each].weight for each in names])[0]
        fault = FAULTS[name]
        pause = rng.choice([0.3, 2.0, 6.0]) if steps else seconds / 5
        step = Step(pause, name, rng.uniform(fault.shortest, fault.longest), rng.random())
        steps.append(step)
        passed += step.pause + step.seconds
    return steps


class Faults:
    """The deeds. Each begins a fault of a step, and returns the function that ends it."""

    def __init__(self, site: Site, ledger: Ledger) -> None:
        self.site, self.ledger = site, ledger

    def run(self, steps: list[Step], ended: threading.Event) -> None:
        """Carry out the steps, one after another, until it is time to end. All is whole afterwards."""
        for step in steps:
            if ended.wait(step.pause):
                return
            fault, began = FAULTS[step.name], time.time()
            end = self._begin(step)
            ended.wait(step.seconds)
            end()
            self.ledger.note(f"FAULT over: {step.name}")
            over = time.time()
            self.ledger.windows.append(Window(fault.part, began, over, over + fault.aftermath))

    def _begin(self, step: Step) -> End:
        self.ledger.note(f"FAULT: {step.name}, {step.seconds:.1f} s")
        verb, _, role = step.name.partition(" ")
        if verb in {"kill", "end"} and role != "a horse":
            return self._die(self._chosen(role, step), signal.SIGKILL if verb == "kill" else signal.SIGTERM)
        if verb == "stop" and role != "a horse":
            return self._stop(self._chosen(role, step), with_horse="its horse" in role)
        return self._others()[step.name](step)

    def _others(self) -> dict[str, Callable[[Step], End]]:
        site = self.site
        return {
            "kill a horse": lambda step: self._signal_horse(step, signal.SIGKILL),
            "stop a horse": lambda step: self._signal_horse(step, signal.SIGSTOP),
            "Valkey is back empty": lambda _: self._take_valkey(copy=False, as_it_was=False),
            "Valkey is back as it was": lambda _: self._take_valkey(copy=False, as_it_was=True),
            "Valkey is back as it was before": lambda _: self._take_valkey(copy=True, as_it_was=False),
            "Valkey hangs": lambda _: self._hang_valkey(),
            "the database takes no writes": lambda _: begin_database_fault(),
            "visitors are cut off": lambda step: _cut(site.visitors[int(step.target * len(site.visitors))]),
            "visitors are slow": lambda step: _slow(site.visitors[int(step.target * len(site.visitors))]),
            "web processes are cut off from Redis": lambda _: _cut(site.redis["web"]),
            "workers are cut off from Redis": lambda _: _cut(site.redis["worker"]),
            "workers have a slow Redis": lambda _: _slow(site.redis["worker"]),
        }

    def _chosen(self, role: str, step: Step) -> str:
        """The name of the process that the step is about."""
        names = self.site.names(role.split()[1])
        name = names[int(step.target * len(names))]
        self.ledger.note(f"  that is {name}")
        return name

    def _die(self, name: str, number: signal.Signals) -> End:
        """Killed, or asked to end; the next process of that name comes when it has ended."""
        process = self.site.running[name]
        process.send_signal(number)

        def end() -> None:
            process.wait(60)
            self.site.start(name)

        return end

    def _stop(self, name: str, *, with_horse: bool = False) -> End:
        process = self.site.running[name]
        stopped = [horse.pid for horse in self.site.horses(name)] if with_horse else []
        process.send_signal(signal.SIGSTOP)
        for pid in stopped:
            _send(pid, signal.SIGSTOP)

        def end() -> None:
            for pid in stopped:  # first: the horse would write before its worker can end it
                _send(pid, signal.SIGCONT)
            if stopped:
                time.sleep(0.5)
            process.send_signal(signal.SIGCONT)

        return end

    def _signal_horse(self, step: Step, number: signal.Signals) -> End:
        name = self._chosen("a worker", step)
        pids = [horse.pid for horse in self.site.horses(name)]
        for pid in pids:
            _send(pid, number)

        def end() -> None:
            for pid in pids:
                _send(pid, signal.SIGCONT)

        return end

    def _take_valkey(self, *, copy: bool, as_it_was: bool) -> End:
        """Kill Valkey. With `copy` it is killed at the end, and comes back as it is now."""
        valkey = self.site.valkey
        if not copy:
            valkey.kill()
            return valkey.start if as_it_was else lambda: valkey.come_back(None)
        kept = Path(tempfile.mkdtemp(dir=valkey.folder)) / "copy"
        shutil.copytree(valkey.written, kept)

        def end() -> None:
            valkey.kill()
            valkey.come_back(kept)

        return end

    def _hang_valkey(self) -> End:
        process = self.site.valkey.process
        process.send_signal(signal.SIGSTOP)
        return lambda: process.send_signal(signal.SIGCONT)


def _cut(link: Proxy) -> End:
    link.cut()
    return link.mend


def _slow(link: Proxy) -> End:
    link.delay = 0.2
    return lambda: setattr(link, "delay", 0.0)


def _send(pid: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
