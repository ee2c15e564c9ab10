"""The commands of the workers' page: quiet, resume, stop."""

from collections.abc import Callable
from typing import Any

from queueing.admin import workers as page
from queueing.admin.base import Row
from queueing.line import commands
from queueing.line.desks import Desk, desks
from queueing.line.workers import is_served
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import stay
from tests.support import probe
from tests.support.entries import status_of
from tests.support.probe import entered, hold
from tests.support.processes import Processes
from tests.support.waiting import wait_for

Join = Callable[..., Entry]


def the_desk() -> Desk:
    (desk,) = desks()
    return desk


def the_row() -> Row:
    (row,) = page.rows(may_look=True)
    return row


def cells(row: Row) -> dict[str, str]:
    return {cell.name: cell.text for cell in row.cells}


def test_a_quiet_worker_takes_no_more_until_it_is_told_to_go_on(processes: Processes, join: Join) -> None:
    first, second = join("first"), join("second")
    stay(first, second)
    gate = hold("first")
    processes.worker()
    wait_for(lambda: entered("first"))
    commands.send(the_desk().name, commands.QUIET)
    wait_for(lambda: the_desk().is_quiet)
    gate.unlink()
    wait_for(lambda: status_of(first) == Status.SUCCEEDED)
    wait_for(lambda: the_desk().state == "idle")
    other = processes.worker()  # a call for the quiet one is heard by another one
    wait_for(lambda: status_of(second) == Status.SUCCEEDED)
    other.terminate()
    other.wait(15)
    third = join("third")
    stay(third)
    wait_for(lambda: len(desks()) == 1)
    assert cells(page.rows(may_look=True)[0])["next"] == "Nothing: it is quiet"
    assert status_of(third) == Status.WAITING
    commands.send(the_desk().name, commands.RESUME)
    wait_for(lambda: status_of(third) == Status.SUCCEEDED)
    assert probe.calls() == ["first", "second", "third"]
    wait_for(lambda: the_desk().ends == {"succeeded": 2})  # counted after the row has the result


def test_a_worker_that_is_told_to_stop_finishes_its_task_and_ends(processes: Processes, join: Join) -> None:
    first, second = join("first"), join("second")
    stay(first, second)
    gate = hold("first")
    worker = processes.worker()
    wait_for(lambda: entered("first"))
    wait_for(lambda: cells(the_row())["runs"].startswith("1 started"))  # the worker tells of it beside the task
    row = the_row()
    told = cells(row)
    assert (told["state"], told["next"]) == ("Busy", "probe: second.csv")
    assert f"/{first.pk}/change/" in told["entry"]
    commands.send(row.key, commands.STOP)
    wait_for(lambda: the_desk().is_stopping)
    gate.unlink()
    assert worker.wait(20) == 0
    assert status_of(first) == Status.SUCCEEDED
    assert status_of(second) == Status.WAITING
    wait_for(lambda: not desks())


def test_what_a_worker_tells_comes_back_after_a_flush(processes: Processes, valkey: Any) -> None:
    processes.worker()
    commands.send(the_desk().name, commands.QUIET)
    wait_for(lambda: the_desk().is_quiet)
    before = the_desk()
    assert before.host
    assert before.pid
    valkey.flushall()
    wait_for(lambda: [desk.is_quiet for desk in desks()] == [True])
    assert the_desk()._replace(seconds=0) == before._replace(seconds=0)


def test_a_busy_worker_that_is_about_to_end_is_both_after_a_flush(
    processes: Processes, join: Join, valkey: Any
) -> None:
    """Until then it would count as idle, and be promised to the next visitor."""
    entry = join("first")
    stay(entry)
    gate = hold("first")
    worker = processes.worker()
    wait_for(lambda: entered("first"))
    wait_for(lambda: the_desk().state == "busy")  # the worker tells of it beside the task
    commands.send(the_desk().name, commands.STOP)
    wait_for(lambda: the_desk().is_stopping)
    before = the_desk()
    valkey.flushall()
    wait_for(lambda: desks() != [])
    assert the_desk()._replace(seconds=0) == before._replace(seconds=0)
    assert before.state == "busy"
    assert not is_served("probe")
    gate.unlink()
    assert worker.wait(20) == 0
