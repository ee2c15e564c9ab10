"""The faults of `make soak`: the plan follows from the seed, and a fault that does nothing is told."""

import threading
from itertools import islice
from types import SimpleNamespace
from typing import Any

import pytest

from tests.soak import faults
from tests.soak.deeds import Deed, NothingThere
from tests.soak.faults import FAULTS, Fault, Faults, Step, plan
from tests.soak.ledger import Ledger
from tests.soak.run import MISSING
from tests.soak.valkey import Sentinels

NAMES = list(FAULTS)
SITE: Any = None  # none of these faults looks at it


class Machine:
    """The machine that a fault breaks."""

    def __init__(self) -> None:
        self.is_broken = False

    def fault(self, **changes: Any) -> Fault:
        usual = {"begin": lambda: setattr(self, "is_broken", True), "end": lambda: setattr(self, "is_broken", False)}
        deed = Deed(**usual | {"is_seen": lambda: self.is_broken} | changes)
        return Fault("worker", 1, 0, 0, 0, lambda _, __: deed)


def run(monkeypatch: pytest.MonkeyPatch, **named: Fault) -> Ledger:
    """Carry each of these out, one beside the other."""
    monkeypatch.setattr(faults, "LONGEST", 0.1)
    ledger, step = Ledger(), None
    for name in named:
        step = Step(0, name, 0, 0, step)
    assert step
    Faults(SITE, ledger, named).run(iter([step]), threading.Event())
    return ledger


def test_a_seed_is_the_same_plan_again() -> None:
    plans = [list(islice(plan(seed, 60, NAMES), 100)) for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]


def test_each_fault_comes_once_before_any_comes_twice_and_some_come_two_at_a_time() -> None:
    steps = list(islice(plan(3, 60, NAMES), 200))
    assert sorted(step.name for step in steps[: len(NAMES)]) == sorted(NAMES)
    pairs = [(step.name, step.beside.name) for step in steps if step.beside]
    assert pairs
    assert all(FAULTS[one].part != FAULTS[other].part for one, other in pairs)


def test_a_soak_of_no_length_has_each_fault_once_and_alone() -> None:
    steps = list(plan(3, 0, NAMES))
    assert sorted(step.name for step in steps) == sorted(NAMES)
    assert not any(step.beside for step in steps)


@pytest.mark.parametrize("database", ["SQLite", "PostgreSQL"])
@pytest.mark.parametrize("failovers", [(), Sentinels.failovers])
@pytest.mark.parametrize("has_disks", [True, False])
def test_a_fault_that_cannot_happen_is_named_with_the_reason(
    database: str, failovers: tuple[str, ...], has_disks: bool
) -> None:
    machines: Any = SimpleNamespace(
        database=SimpleNamespace(kind=database), valkey=SimpleNamespace(failovers=failovers), has_disks=has_disks
    )
    names, left_out = faults.possible([""], machines)
    missing = [name for those in left_out.values() for name in those]
    assert sorted([*names, *missing]) == sorted(FAULTS)
    assert ("the disk of files is full" in names) == has_disks
    assert ("the database crashes" in names) == (database == "PostgreSQL")
    assert left_out.keys() <= {*MISSING, *Sentinels.failovers}


def test_faults_that_are_seen_are_counted_and_two_overlap(monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = run(monkeypatch, inner=Machine().fault(), outer=Machine().fault())
    assert ledger.broken_faults == []
    assert ledger.faults == {"inner": 1, "outer": 1}
    inner, outer = ledger.windows
    assert outer.begin <= inner.begin <= inner.over <= outer.over


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"begin": lambda: None}, "did nothing"),
        ({"is_seen": lambda: True}, "was seen before it began"),
        ({"is_left": lambda: False}, "has not left what it should"),
    ],
)
def test_a_fault_that_does_nothing_is_told(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], told: str) -> None:
    ledger = run(monkeypatch, one=Machine().fault(**changes))
    assert ledger.faults["one"] == (told != "did nothing")
    assert [text for _, text in ledger.broken_faults] == [f"'one' {told}"]


def test_a_fault_of_what_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any) -> Deed:
        raise NothingThere("no task runs")

    ledger = run(monkeypatch, one=Fault("worker", 1, 0, 0, 0, nothing))
    assert not ledger.faults
    assert ledger.left_out == {"one": 1}
    assert any("no task runs" in text for _, text in ledger.events)
