"""The deeds behind the faults of a soak: how each begins and ends, and what shows that it is there."""

import contextlib
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from django.db import connection

from tests.soak.database import Postgres
from tests.soak.disk import Disk
from tests.soak.links import Link
from tests.soak.site import Site

STEP = 60  # seconds that a clock is set by
ASIDE = STEP / 2  # seconds; a line of a log is read sooner after it is written
LONGEST = 60.0  # seconds of waiting for what a fault is about, and for what shows it
MARK = "soak:mark:{}"  # a key that is there or not after Valkey is back
Check = Callable[[], bool]


def always() -> bool:
    return True


@dataclass
class Deed:
    """A fault in one place of the site. `is_seen` asks the site: False before it begins, True while it lasts."""

    begin: Callable[[], Any]
    end: Callable[[], Any]
    is_seen: Check
    is_left: Check = always  # after the end: the site has what the fault leaves
    about: str = ""  # the process that it is about


class NothingThere(Exception):
    """The fault is about something that the site does not have at the moment."""


# Processes


def die(site: Site, name: str, number: signal.Signals) -> Deed:
    """The process is killed, or asked to end; the next one of that name comes when it has ended."""
    taken = list[subprocess.Popen[bytes]]()

    def begin() -> None:
        taken.append(site.supervisor.take(name))
        taken[0].send_signal(number)

    def end() -> None:
        taken[0].wait(60)
        site.start(name)
        site.supervisor.give_back(name)

    return Deed(
        begin=begin,
        end=end,
        is_seen=lambda: site.running[name].poll() is not None,
        is_left=lambda: site.running[name] is not taken[0] and site.running[name].poll() is None,
        about=name,
    )


def stop(site: Site, name: str, *, with_horse: bool = False) -> Deed:
    """The process stands still, and goes on."""
    process = _running(site, name)
    horses = _horses(site, name) if with_horse else []

    def begin() -> None:
        for one in (process, *horses):
            _send(one, signal.SIGSTOP)

    def end() -> None:
        for horse in horses:  # first: the horse would write before its worker can end it
            _send(horse, signal.SIGCONT)
        if horses:
            time.sleep(0.5)
        _send(process, signal.SIGCONT)

    return Deed(begin, end, lambda: all(_stands_still(one) for one in (process, *horses)), about=name)


def signal_horse(site: Site, name: str, number: signal.Signals) -> Deed:
    """The process of a running task is killed, told to end, or stands still."""
    found = list[psutil.Process]()  # the task that runs as the fault begins; another one may end before that
    is_hit = _stands_still if number == signal.SIGSTOP else _is_dead

    def begin() -> None:
        found.append(_horses(site, name)[0])
        _send(found[0], number)

    return Deed(
        begin=begin,
        end=lambda: _send(found[0], signal.SIGCONT),
        is_seen=lambda: bool(found) and is_hit(found[0]),
        about=f"the horse of {name}",
    )


def _running(site: Site, name: str) -> psutil.Process:
    """The process of this name. If it has ended on its own, the next one is waited for. Raises NothingThere."""
    deadline = time.monotonic() + LONGEST
    while time.monotonic() < deadline:
        if site.running[name].poll() is None:
            with contextlib.suppress(psutil.NoSuchProcess):  # it has ended just now
                return psutil.Process(site.running[name].pid)
        time.sleep(0.05)
    raise NothingThere(f"{name} does not run")


def _horses(site: Site, name: str) -> list[psutil.Process]:
    """The horse of this worker; waits for one. Raises NothingThere."""
    deadline = time.monotonic() + LONGEST
    while not (found := site.horses(name)):
        if time.monotonic() > deadline:
            raise NothingThere(f"{name} runs no task")
        time.sleep(0.02)
    return found


def _send(process: psutil.Process, number: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def _is_dead(process: psutil.Process) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    return True


def _stands_still(process: psutil.Process) -> bool:
    """True if it is stopped; one that has been killed meanwhile counts, too."""
    return _is_dead(process) or process.status() == psutil.STATUS_STOPPED


# Valkey


def take_valkey(site: Site, *, number: signal.Signals = signal.SIGKILL, copied: bool = False, empty: bool) -> Deed:
    """Valkey dies, and comes back: empty, as it was, or (`copied`) as it was when the fault began.

    What is written between the copy and the death is lost, so a copied one dies at the end.
    """
    valkey, kept = site.valkey, list[Path]()
    before, after = MARK.format("before"), MARK.format("after")

    def begin() -> None:
        valkey.client().delete(after)
        valkey.client().set(before, 1)
        if copied:
            kept.append(valkey.copy())
            valkey.client().set(after, 1)
        else:
            valkey.kill(number)

    def end() -> None:
        if copied:
            valkey.kill(number)
        if copied or empty:
            valkey.come_back(kept[0] if copied else None)
        else:
            valkey.start()

    def is_left() -> bool:
        there = (valkey.client().exists(before), valkey.client().exists(after))
        return there == (int(not empty), 0)

    is_seen = (lambda: bool(kept and valkey.client().exists(after))) if copied else (lambda: not valkey.answers())
    return Deed(begin, end, is_seen, is_left)


def hang_valkey(site: Site) -> Deed:
    return Deed(site.valkey.hang, site.valkey.go_on, lambda: not site.valkey.answers())


def fail_over(site: Site, kind: str) -> Deed:
    """The primary is lost in this way; another one takes over, and the old one comes back."""
    valkey, lost = site.valkey, list[Any]()

    def is_seen() -> bool:
        return bool(lost) and valkey.primary() is not lost[0]

    return Deed(
        begin=lambda: lost.append(valkey.fail_over(kind)),
        end=lambda: valkey.settle(kind, lost[0]),
        is_seen=is_seen,
        is_left=is_seen,
    )


# Disks


def fill(disk: Disk, *, afterwards: Callable[[], Any] = always, is_felt: Check = always) -> Deed:
    """The disk is full; `is_felt` says that its server notices."""

    def end() -> None:
        disk.empty()
        afterwards()

    return Deed(disk.fill, end, lambda: disk.is_full() and is_felt())


# The database


def lose_database(site: Site) -> Deed:
    """SQLite is locked, or PostgreSQL is stopped."""
    connection.close()
    return Deed(*_ends(site.database.go_away), site.database.is_away)


def hang_database(site: Site) -> Deed:
    assert isinstance(site.database, Postgres)
    return Deed(*_ends(site.database.hang), site.database.is_away)


def crash_database(site: Site) -> Deed:
    database, is_gone = site.database, list[Check]()
    assert isinstance(database, Postgres)

    def begin() -> None:
        connection.close()
        is_gone.append(database.crash())

    return Deed(begin, database.recover, lambda: bool(is_gone) and is_gone[0]())


# Links


def cut(link: Link) -> Deed:
    return Deed(*_ends(link.cut), link.is_cut)


def slow_down(link: Link) -> Deed:
    return Deed(*_ends(link.slow_down), link.is_slow)


def _ends(deed: Callable[[], Callable[[], None]]) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """The beginning and the end of a deed that returns its end."""
    ends = list[Callable[[], None]]()

    def end() -> None:
        ends.pop()()

    return lambda: ends.append(deed()), end


# Clocks


def skew(site: Site, name: str, seconds: int) -> Deed:
    """The clock of a host is set, and set right again. Its process dates the lines of its log."""
    clock, log = site.clocks[name], site.logs[name]
    read = {log: log.stat().st_size}

    def is_seen() -> bool:
        log = site.logs[name]  # another one, if the process has ended on its own
        with log.open() as file:
            file.seek(read.get(log, 0))
            return any(abs(at - time.time()) > ASIDE for at in map(_date, file) if at is not None)

    return Deed(lambda: clock.set(seconds), lambda: clock.set(0), is_seen, about=f"{name} by {seconds} s")


def _date(line: str) -> float | None:
    """The time of a line of a log; None: it has none."""
    with contextlib.suppress(ValueError):
        return time.mktime(time.strptime(line[:19], "%Y-%m-%d %H:%M:%S"))
    return None
