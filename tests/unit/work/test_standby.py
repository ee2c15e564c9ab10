"""The standby as its worker sees it, with real forks."""

import os
import shutil
import socket
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from rq.exceptions import StopRequested

from queueing.line import clients
from queueing.work import standby
from queueing.work.birth import Birth
from queueing.work.standby import READY, Order, Standby
from queueing.work.worker import PresenceWorker
from tests.support import probe
from tests.support.waiting import wait_for

ORDER = Order("job", "probe")


def says_what_it_reads(channel: socket.socket, _: Birth) -> None:
    channel.send(READY)
    with channel.makefile("rb") as orders:
        os._exit(0 if b"probe" in orders.readline() else 1)


def ends(_: socket.socket, __: Birth) -> None:
    os._exit(0)


def hangs(_: socket.socket, __: Birth) -> None:
    time.sleep(600)


@contextmanager
def forked(live: object) -> Iterator[Standby]:
    made = Standby.fork(["probe"], live, Birth.now())  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.end()
        made.birth.scratch.delete()


def test_an_order_arrives_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(standby, "READY_WAIT", 30)  # a fork may take its time
    with forked(says_what_it_reads) as made:
        assert made.hand_over(ORDER).is_open
        assert os.waitstatus_to_exitcode(os.waitpid(made.pid, 0)[1]) == 0


def test_one_whose_worker_ends_before_it_has_read_its_word_ends_in_peace() -> None:
    with forked(lambda channel, _: standby.await_order(channel)) as made:
        assert made._channel.recv(1, socket.MSG_PEEK) == READY
        made.forget()
        assert os.waitstatus_to_exitcode(os.waitpid(made.pid, 0)[1]) == os.EX_OK


@pytest.mark.parametrize("live", [ends, hangs])
def test_one_that_is_not_ready_gets_no_order_and_is_ended(live: object) -> None:
    with forked(live) as made:
        assert not made.hand_over(ORDER).is_open
        with pytest.raises(ChildProcessError):
            os.waitpid(made.pid, os.WNOHANG)


def test_one_that_has_ended_is_not_fit() -> None:
    with forked(ends) as made:
        wait_for(lambda: not made.is_fit(["probe"]))


def test_an_old_one_is_not_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    with forked(hangs) as made:
        assert made.is_fit(["probe"])
        monkeypatch.setattr(standby, "LIFE", 0.0)
        assert not made.is_fit(["probe"])


def test_one_of_older_code_is_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = Path(shutil.copy2(probe.__file__, tmp_path))  # workers of other tests look at the file itself
    monkeypatch.setattr(probe, "__file__", str(copy))
    changed = copy.stat()
    with forked(hangs) as made:
        assert made.is_fit(["probe"])
        os.utime(copy, (changed.st_atime, changed.st_mtime + 1))
        assert not made.is_fit(["probe"])
        os.utime(copy, ns=(changed.st_atime_ns, changed.st_mtime_ns))
        assert made.is_fit(["probe"])


@pytest.mark.parametrize("error", [StopRequested, BlockingIOError])
def test_a_fork_that_fails_or_is_stopped_leaves_no_folder(
    error: type[Exception], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = PresenceWorker(["probe"], connection=clients.connection())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def fails() -> None:
        assert list(tmp_path.iterdir())
        raise error

    monkeypatch.setattr(os, "fork", fails)
    with pytest.raises(error):
        worker._fork_standby()
    assert not list(tmp_path.iterdir())
