"""The faults of a soak: what there is, a plan that follows from the seed, and its course."""

import itertools
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from signal import SIGKILL, SIGSTOP, SIGTERM, Signals
from typing import Any

from tests.soak import deeds
from tests.soak.deeds import LONGEST, STEP, Deed, NothingThere
from tests.soak.ledger import Ledger, Window
from tests.soak.machines import Machines
from tests.soak.site import SETTINGS, Site
from tests.soak.valkey import rewrite_books, takes_writes
from tests.support.clocks import can_set_clocks

LEASE = SETTINGS["LEASE"]
PAST_LEASE = LEASE + 2.0
CALM = 8.0  # seconds
BESIDE = 0.25  # of the faults have another one beside them

Do = Callable[[Site, float], Deed]  # the number from 0 to 1 says which of several processes


@dataclass(frozen=True)
class Fault:
    """A fault: the part of the site, how often it comes, the seconds that it lasts, and those until all is well."""

    part: str
    weight: int
    shortest: float
    longest: float
    aftermath: float
    do: Do
    needs: str = ""  # of the machines


def _dies(role: str, number: Signals) -> Do:
    return lambda site, target: deeds.die(site, _chosen(site, role, target), number)


def _stops(role: str, *, with_horse: bool = False) -> Do:
    return lambda site, target: deeds.stop(site, _chosen(site, role, target), with_horse=with_horse)


def _horse(number: Signals) -> Do:
    return lambda site, target: deeds.signal_horse(site, _chosen(site, "worker", target), number)


def _chosen(site: Site, role: str, target: float) -> str:
    names = site.names(role)
    return names[int(target * len(names))]


def _skews(role: str, seconds: int) -> Do:
    return lambda site, target: deeds.skew(site, _chosen(site, role, target), seconds)


def _valkey(**options: Any) -> Do:
    return lambda site, _: deeds.take_valkey(site, **options)


def _fails_over(kind: str) -> Do:
    return lambda site, _: deeds.fail_over(site, kind)


def _visitors(deed: Callable[..., Deed]) -> Do:
    return lambda site, target: deed(site.visitors[int(target * len(site.visitors))])


def _redis(deed: Callable[..., Deed], role: str) -> Do:
    return lambda site, _: deed(site.valkey.links[role])


def _fill_valkey(site: Site, _: float) -> Deed:
    client = site.valkey.client()
    return deeds.fill(
        site.valkey.disk, afterwards=lambda: rewrite_books(client), is_felt=lambda: not takes_writes(client)
    )


def _fill_database(site: Site, _: float) -> Deed:
    return deeds.fill(site.database.disk, afterwards=site.database.recover, is_felt=site.database.has_no_room)


# After the death of a worker its claim or entry is away for a lease; after a flush newcomers wait for those before
# them; after a fault between visitors and Redis a presence has to be renewed.
AGAIN = LEASE + 3
FAULTS = {
    "kill a worker": Fault("worker", 5, 0, 2, AGAIN, _dies("worker", SIGKILL)),
    "end a worker": Fault("worker", 2, 0, 2, AGAIN, _dies("worker", SIGTERM)),
    "stop a worker": Fault("worker", 3, PAST_LEASE, PAST_LEASE + 1, AGAIN, _stops("worker")),
    "stop a worker and its horse": Fault(
        "worker", 6, PAST_LEASE, PAST_LEASE + 1, AGAIN, _stops("worker", with_horse=True)
    ),
    "kill a horse": Fault("worker", 3, 0, 0, AGAIN, _horse(SIGKILL)),
    "end a horse": Fault("worker", 1, 0, 0, AGAIN, _horse(SIGTERM)),
    "stop a horse": Fault("worker", 2, PAST_LEASE, PAST_LEASE + 1, AGAIN, _horse(SIGSTOP)),
    "kill the keeper": Fault("keeper", 2, 0, 2, 0, _dies("keeper", SIGKILL)),
    "end the keeper": Fault("keeper", 1, 0, 2, 0, _dies("keeper", SIGTERM)),
    "stop the keeper": Fault("keeper", 1, PAST_LEASE, PAST_LEASE + 1, 0, _stops("keeper")),
    "kill a web process": Fault("web", 3, 0, 2, 5, _dies("web", SIGKILL)),
    "end a web process": Fault("web", 2, 0, 2, 5, _dies("web", SIGTERM)),
    "stop a web process": Fault("web", 3, PAST_LEASE, PAST_LEASE + 1, 5, _stops("web")),
    "Valkey is back empty": Fault("redis", 3, 0, 2, 15, _valkey(empty=True)),
    "Valkey is back as it was": Fault("redis", 2, 0, 2, 10, _valkey(empty=False)),
    "Valkey is back as it was before": Fault("redis", 2, 1, 3, 15, _valkey(empty=False, copied=True)),
    "end Valkey": Fault("redis", 1, 0, 2, 10, _valkey(empty=False, number=SIGTERM)),
    "Valkey hangs": Fault("redis", 2, 1, PAST_LEASE, 10, lambda site, _: deeds.hang_valkey(site)),
    "Valkey fails over: the primary is killed": Fault("redis", 2, 1, 4, 20, _fails_over("killed"), "killed"),
    "Valkey fails over: the primary is stopped": Fault("redis", 2, 1, 4, 20, _fails_over("stopped"), "stopped"),
    "Valkey fails over: the primary is cut off": Fault("redis", 2, 1, 4, 20, _fails_over("cut off"), "cut off"),
    "Valkey fails over: the primary is isolated": Fault("redis", 2, 1, 4, 20, _fails_over("isolated"), "isolated"),
    "the disk of Valkey is full": Fault("redis", 2, 1, 5, 20, _fill_valkey, "disks"),
    "the database is away": Fault("database", 3, 1, 5, AGAIN, lambda site, _: deeds.lose_database(site)),
    "the database is away for 20 s": Fault("database", 1, 20, 20, 35, lambda site, _: deeds.lose_database(site)),
    "the database crashes": Fault("database", 2, 0, 2, AGAIN, lambda site, _: deeds.crash_database(site), "PostgreSQL"),
    "the database hangs": Fault(
        "database", 2, 1, PAST_LEASE + 1, AGAIN, lambda site, _: deeds.hang_database(site), "PostgreSQL"
    ),
    "the disk of the database is full": Fault("database", 2, 1, 5, AGAIN, _fill_database, "disks"),
    "the disk of files is full": Fault(
        "disk", 3, 1, 5, AGAIN, lambda site, _: deeds.fill(site.machines.files), "disks"
    ),
    "visitors are cut off": Fault("link", 2, 1, 3, 5, _visitors(deeds.cut)),
    "visitors are slow": Fault("link", 1, 2, 4, 5, _visitors(deeds.slow_down)),
    "web processes are cut off from Redis": Fault("redis", 3, 2, 10, 10, _redis(deeds.cut, "web")),
    "workers are cut off from Redis": Fault("redis", 2, 1, 4, 10, _redis(deeds.cut, "worker")),
    "the keeper is cut off from Redis": Fault("redis", 1, 1, 4, 10, _redis(deeds.cut, "keeper")),
    "workers have a slow Redis": Fault("redis", 1, 2, 4, 10, _redis(deeds.slow_down, "worker")),
    "a web host's clock is set forward": Fault("clock", 2, 1, 5, 0, _skews("web", STEP), "clocks"),
    "a web host's clock is set back": Fault("clock", 2, 1, 5, 0, _skews("web", -STEP), "clocks"),
    "a worker host's clock is set forward": Fault("clock", 2, 1, 5, 0, _skews("worker", STEP), "clocks, PostgreSQL"),
    "a worker host's clock is set back": Fault("clock", 2, 1, 5, 0, _skews("worker", -STEP), "clocks, PostgreSQL"),
}


def possible(wanted: list[str], machines: Machines) -> tuple[list[str], dict[str, list[str]]]:
    """The faults with any of these parts in their names that can happen; and those that cannot, by what is missing."""
    there = {"PostgreSQL": machines.database.kind == "PostgreSQL", "disks": machines.has_disks}
    there |= {"clocks": can_set_clocks(), **dict.fromkeys(machines.valkey.failovers, True)}
    names, left_out = list[str](), dict[str, list[str]]()
    for name, fault in FAULTS.items():
        if not any(part in name for part in wanted):
            continue
        missing = [need for need in filter(None, fault.needs.split(", ")) if not there.get(need)]
        if missing:
            left_out.setdefault(missing[0], []).append(name)
        else:
            names.append(name)
    return names, left_out


@dataclass(frozen=True)
class Step:
    """A fault at its time: seconds after the step before, and for how long; and perhaps another one beside it."""

    pause: float
    name: str
    seconds: float
    target: float  # from 0 to 1: which of several processes
    beside: "Step | None" = None


def plan(seed: int, seconds: float, names: list[str]) -> Iterator[Step]:
    """The steps of a soak of this length, and further ones. 0 seconds: each fault once, and alone.

    The first fifth is calm (CALM, if each comes once): there, the order of all starts counts. Each fault comes once
    before any comes twice.
    """
    rng = random.Random(f"faults {seed}")  # noqa: S311  # so that a seed is the same soak again
    first = rng.sample(names, len(names))
    for number in itertools.count():
        if number >= len(first) and not seconds:
            return
        name = first[number] if number < len(first) else _drawn(rng, names)
        pause = rng.choice([0.3, 2.0, 6.0]) if number else seconds / 5
        others = [each for each in names if FAULTS[each].part != FAULTS[name].part]
        beside = _step(rng, 0.5, _drawn(rng, others)) if others and rng.random() < BESIDE else None
        yield _step(rng, pause, name, beside) if seconds else _step(rng, 1.0 if number else CALM, name)


def _drawn(rng: random.Random, names: list[str]) -> str:
    return rng.choices(names, [FAULTS[each].weight for each in names])[0]


def _step(rng: random.Random, pause: float, name: str, beside: Step | None = None) -> Step:
    fault = FAULTS[name]
    return Step(pause, name, rng.uniform(fault.shortest, fault.longest), rng.random(), beside)


class Faults:
    """The course of the faults. Each must be seen while it lasts, and not be seen before it begins."""

    def __init__(self, site: Site, ledger: Ledger, named: dict[str, Fault] = FAULTS) -> None:
        self.site, self.ledger, self.named = site, ledger, named

    def run(self, steps: Iterator[Step], ended: threading.Event) -> None:
        """Carry out the steps, one after another, until it is time to end. All is whole afterwards."""
        for step in steps:
            if ended.wait(step.pause):
                return
            self._carry_out(step, ended)

    def _carry_out(self, step: Step, ended: threading.Event, *, is_alone: bool = True) -> None:
        fault, began = self.named[step.name], time.time()
        self.ledger.note(f"FAULT: {step.name}, {step.seconds:.1f} s")
        try:
            deed = fault.do(self.site, step.target)
            self.ledger.note(f"  {deed.about}".rstrip())
            if is_alone and not _comes(lambda: not deed.is_seen()):
                self._blame(step.name, "was seen before it began")
            deed.begin()
        except NothingThere as nothing:
            self.ledger.note(f"  left out: {nothing}")
            self.ledger.left_out[step.name] += 1
            return
        is_done = _comes(deed.is_seen)
        if not is_done:
            self._blame(step.name, "did nothing")
        if step.beside is not None and not ended.wait(step.beside.pause):
            self._carry_out(step.beside, ended, is_alone=False)
        ended.wait(step.seconds)
        deed.end()
        if not _comes(deed.is_left):
            self._blame(step.name, "has not left what it should")
        self.ledger.note(f"FAULT over: {step.name}")
        if is_done:
            self.ledger.faults[step.name] += 1
        over = time.time()
        self.ledger.windows.append(Window(fault.part, began, over, over + fault.aftermath))

    def _blame(self, name: str, what: str) -> None:
        self.ledger.broken_faults.append((time.time(), f"{name!r} {what}"))


def _comes(check: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + LONGEST
    while not check():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
