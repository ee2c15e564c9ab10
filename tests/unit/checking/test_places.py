"""Places at the checkers: a crowd from one address neither takes all of them nor keeps others from waiting."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from queueing.checking import places
from queueing.checking.places import Places
from queueing.exceptions import Busy
from tests.support.waiting import wait_for

CROWD, VISITOR = "c" * 16, "a" * 16


class Site:
    """Checks that last until they are told to end."""

    def __init__(self, threads: ThreadPoolExecutor) -> None:
        self.places, self.order, self.gates = Places(), list[str](), list[tuple[str, Event]]()
        self.left: list[str] = []
        self.checks: list[Future[None]] = []
        self._threads = threads

    def check(self, address: str, *, is_preview: bool = False) -> "Future[None]":
        self.checks.append(self._threads.submit(self._check, address, is_preview))
        wait_for(lambda: self._arrived() == len(self.checks))
        return self.checks[-1]

    def _arrived(self) -> int:
        with self.places._changed:
            waiting, inside = len(self.places._waiting), len(self.order) - len(self.left)
            return sum(check.done() for check in self.checks) + waiting + inside

    def end_one(self) -> None:
        """End the check that was begun first, and wait until the next one has its place."""
        begun, is_next = len(self.order), bool(self.places._waiting)
        self.gates.pop(0)[1].set()
        wait_for(lambda: len(self.order) > begun or not is_next)

    def end_all(self) -> bool:
        """Lets all checks that were begun end. True when none is left."""
        for _, gate in self.gates:
            gate.set()
        return all(check.done() for check in self.checks)

    def _check(self, address: str, is_preview: bool) -> None:
        with self.places.taken(address, is_preview=is_preview):
            gate = Event()
            self.gates.append((address, gate))
            self.order.append(address)
            gate.wait(30)
            self.left.append(address)


@pytest.fixture
def site(settings: Any) -> Iterator[Site]:
    settings.QUEUEING = {"CHECKERS": 2, "CHECK_SECONDS": 30}
    with ThreadPoolExecutor(60) as threads:
        made = Site(threads)
        yield made
        wait_for(made.end_all)


def test_a_visitor_is_next_whoever_has_waited_before(site: Site) -> None:
    for _ in range(6):
        site.check(CROWD)
    site.check(VISITOR)
    site.check(VISITOR)
    site.end_one()
    assert site.order == [CROWD, CROWD, VISITOR]
    site.end_one()
    assert site.order[3:] == [CROWD]  # each has one


def test_with_one_checker_addresses_take_turns(site: Site, settings: Any) -> None:
    settings.QUEUEING = {"CHECKERS": 1, "CHECK_SECONDS": 30}
    for address in (CROWD, CROWD, CROWD, VISITOR, VISITOR):
        site.check(address)
    for _ in range(4):
        site.end_one()
    assert site.order == [CROWD, VISITOR, CROWD, VISITOR, CROWD]


def test_few_checks_wait_and_the_crowd_pays_for_those_that_are_refused(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(places, "WAITING", 2)
    crowd = [site.check(CROWD) for _ in range(20)]
    wait_for(lambda: sum(future.done() for future in crowd) == 14)  # two have a place, four wait
    assert {type(future.exception(0)) for future in crowd if future.done()} == {Busy}
    visitor = site.check(VISITOR)
    wait_for(lambda: sum(future.done() for future in crowd) == 15)
    assert not visitor.done()


def test_previews_leave_half_of_the_places_to_checks_and_come_after_them(site: Site) -> None:
    for number in range(4):
        site.check(f"{number:016}", is_preview=True)
    assert site.order == ["0" * 16]
    site.check(VISITOR)  # although previews wait
    assert site.order[1:] == [VISITOR]
    for _ in range(2):
        site.check(CROWD)
    site.end_one()  # the preview
    site.end_one()
    assert site.order[2:] == [CROWD, CROWD]


def test_previews_are_the_first_to_be_refused(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "WAITING", 2)
    checks = [site.check(CROWD) for _ in range(5)]
    previews = [site.check(f"{number:016}", is_preview=True) for number in range(3)]
    wait_for(lambda: sum(future.done() for future in previews) == 2)  # two checks have a place, three and one wait
    assert {type(future.exception(0)) for future in previews if future.done()} == {Busy}
    site.check(VISITOR)
    wait_for(lambda: all(future.done() for future in previews))
    assert not any(future.done() for future in checks)


def test_nothing_is_kept_of_addresses_that_are_gone(site: Site) -> None:
    site.check(CROWD)
    site.check(VISITOR)
    site.end_one()
    site.end_one()
    wait_for(lambda: all(check.done() for check in site.checks))
    assert not site.places._busy
    assert not site.places._last_turn
