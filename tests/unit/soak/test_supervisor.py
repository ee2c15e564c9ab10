"""The supervisor of a soak: what ends on its own is started again, and what a fault ends is left to the fault."""

import signal
import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.soak import deeds, supervisor
from tests.soak.ledger import Ledger
from tests.soak.supervisor import Supervisor
from tests.support.waiting import wait_for


class Site:
    """A site of shells. Each does the next of these commands, and the last one again and again."""

    def __init__(self, **commands: list[str]) -> None:
        self.ledger = Ledger()
        self.commands, self.started = commands, dict[str, float]()
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        for name in commands:
            self.start(name)
        self.supervisor = Supervisor(self)  # type: ignore[arg-type]

    def start(self, name: str) -> None:
        todo = self.commands[name]
        self.started[name] = time.time()
        self.running[name] = subprocess.Popen(["sh", "-c", todo.pop(0) if todo[1:] else todo[0]])

    def last_words(self, name: str) -> str:
        return f"the words of {name}"


@pytest.fixture
def sites(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(supervisor, "PAUSE", 0.2)
    made = list[Site]()

    def make(**commands: list[str]) -> Site:
        made.append(Site(**commands))
        return made[-1]

    yield make
    for site in made:
        site.supervisor.stop()
        for process in site.running.values():
            process.kill()
            process.wait(10)


def test_a_process_that_ends_on_its_own_is_started_again_after_a_pause(sites: Any) -> None:
    site = sites(worker=["exit 3", "exec sleep 60"], web=["exec sleep 60"])
    first, web = site.running["worker"], site.running["web"]
    wait_for(lambda: site.running["worker"] is not first)
    assert site.running["web"] is web
    assert site.running["worker"].poll() is None
    (end,) = site.ledger.ends
    assert (end.name, end.code, end.words) == ("worker", 3, "the words of worker")
    assert site.started["worker"] - end.ended > 0.19
    assert any("worker ended with 3" in text for _, text in site.ledger.events)


def test_a_process_that_a_fault_ends_is_started_by_the_fault_alone(sites: Any) -> None:
    site = sites(worker=["exec sleep 60"], web=["sleep 0.3; exit 3", "exec sleep 60"])
    first, web = site.running["worker"], site.running["web"]
    deed = deeds.die(site, "worker", signal.SIGKILL)
    deed.begin()
    wait_for(deed.is_seen)
    wait_for(lambda: site.running["web"] is not web)  # the supervisor has looked at both
    assert site.running["worker"] is first
    deed.end()
    second = site.running["worker"]
    assert deed.is_left()
    assert second is not first
    assert [end.name for end in site.ledger.ends] == ["web"]


def test_a_process_that_has_ended_after_a_fault_is_started_again(sites: Any) -> None:
    site = sites(worker=["exec sleep 60", "exit 3", "exec sleep 60"])
    deed = deeds.die(site, "worker", signal.SIGKILL)
    deed.begin()
    deed.end()
    wait_for(lambda: site.ledger.ends)
    wait_for(lambda: site.running["worker"].poll() is None)


def test_a_fault_waits_for_a_process_that_is_about_to_come(sites: Any) -> None:
    site = sites(worker=["exit 3", "exec sleep 60"])
    site.running["worker"].wait(10)
    assert deeds.stop(site, "worker").is_seen() is False
    assert site.running["worker"].poll() is None


def test_a_site_is_settled_when_no_process_is_young(sites: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "YOUNG", 0.5)
    site = sites(worker=["exec sleep 60"], web=["exit 3", "exec sleep 60"])
    site.supervisor.settle(30)
    assert site.running["web"].poll() is None
    assert all(time.time() - at >= 0.5 for at in site.started.values())
