"""A web process that is told to end: what was begun is finished, and its pages go to another one without an absence."""

import json
import signal
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from queueing.line.places import Line
from tests.support.clocks import QUICK
from tests.support.processes import Processes
from tests.support.proxies import Proxy, program
from tests.support.raw import CSRF, Answer, Raw
from tests.support.slow import slow
from tests.support.visitors import Visitor, presence_of
from tests.support.waiting import wait_for
from tests.support.web import Web, is_listening

pytestmark = pytest.mark.django_db(transaction=True)

FORM = "/join/probe/"
CLOCKS = QUICK | {"PRESENCE_TTL": 30, "POLL_TTL": 60, "CLOSE_GRACE": 60, "LOST_GRACE": 90, "SHUTDOWN_SECONDS": 20}


@pytest.fixture
def quick(settings: Any) -> dict[str, float]:
    settings.QUEUEING = CLOCKS
    return CLOCKS


@pytest.fixture
def web(processes: Processes) -> Web:
    return started(processes)


def started(processes: Processes) -> Web:
    """A web process that hears signals: it takes connections a moment before."""
    web = Web(processes).wait()
    assert ask(web, "/healthz") == 200
    return web


def ask(web: Web, path: str) -> int:
    with Raw(web.port) as client:
        return client.ask("GET", path).status()


def read_all(ws: ClientConnection) -> None:
    while True:
        ws.recv(timeout=10)


@pytest.mark.parametrize("number", [signal.SIGTERM, *slow(signal.SIGINT)])
def test_a_request_under_way_gets_its_answer(web: Web, number: signal.Signals) -> None:
    """And so does the next one on a connection that stood open; then it is closed."""
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip("this run ignores Ctrl-C, as what a shell starts with & does")
    with Raw(web.port) as upload, Raw(web.port) as idle:
        assert idle.ask("GET", "/healthz").status() == 200
        upload.ask("POST", FORM, Cookie=CSRF, Content_Length="1000").send(bytes(500))
        web.process.send_signal(number)
        wait_for(lambda: not is_listening(web.port))
        with suppress(OSError):  # a busy machine may close it before
            if said := idle.ask("GET", "/").read():
                answer = Answer.parse(said)
                assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert web.process.poll() is None
        upload.send(bytes(500))
        answer = upload.answer()
        assert answer.status == 403  # without a token
        assert answer.headers["connection"] == "close"
    assert web.process.wait(20) == 0


def test_haproxy_passes_the_answer_of_a_process_that_it_takes_for_dead(web: Web, tmp_path: Path) -> None:
    """It asks /healthz, or is refused, while the process answers what it has."""
    if program("haproxy") is None:
        pytest.skip("haproxy is not installed")
    proxy = Proxy("haproxy", tmp_path, web.port).wait()
    try:
        with Raw(proxy.port) as upload:
            upload.ask("POST", FORM, Cookie=CSRF, Content_Length="1000", Expect="100-continue")
            assert upload.status() == 100  # the web process has it
            web.process.terminate()
            wait_for(lambda: "Server web/web1 is DOWN" in proxy.said())
            upload.send(bytes(1000))
            assert upload.status() == 403  # without a token
    finally:
        proxy.stop()
    assert web.process.wait(20) == 0


def test_a_request_that_does_not_end_is_cut_off(processes: Processes) -> None:
    processes.use({"SHUTDOWN_SECONDS": 1})
    web = started(processes)
    with Raw(web.port) as upload:
        upload.ask("POST", FORM, Cookie=CSRF, Content_Length="1000").send(bytes(500))
        web.process.terminate()
        assert web.process.wait(20) == 0


def test_its_end_is_announced(processes: Processes) -> None:
    """To a proxy that asks /healthz, while everything else is answered."""
    processes.use({"SHUTDOWN_NOTICE": 3600})  # the fixture ends the process
    web = started(processes)
    web.process.terminate()
    wait_for(lambda: ask(web, "/healthz") == 503)
    assert ask(web, FORM) == 200


@pytest.mark.parametrize("server", ["daphne", *slow("uvicorn")])
def test_pages_are_sent_to_another_process_and_nobody_is_held(processes: Processes, line: Line, server: str) -> None:
    visitor = Visitor()
    entry = visitor.join()
    web = Web(processes, server).wait()
    with web.open(entry, visitor) as ws:
        json.loads(ws.recv(timeout=10))
        web.process.terminate()
        with pytest.raises(ConnectionClosed) as closed:
            read_all(ws)
    assert closed.value.rcvd
    assert closed.value.rcvd.code == {"daphne": 4013, "uvicorn": 1012}[server]
    web.process.wait(20)
    assert line.ids() == [entry.job_id]
    assert presence_of(entry) > 0


def test_a_page_that_is_closed_meanwhile_says_goodbye(processes: Processes, line: Line) -> None:
    processes.use({"SHUTDOWN_NOTICE": 3600})
    visitor = Visitor()
    entry = visitor.join()
    web = Web(processes).wait()
    with web.open(entry, visitor) as ws:
        json.loads(ws.recv(timeout=10))
        web.process.terminate()
        wait_for(lambda: ask(web, "/healthz") == 503)
        ws.close(4001)
    wait_for(lambda: line.held_ids() == [entry.job_id])
