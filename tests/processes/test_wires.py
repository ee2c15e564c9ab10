"""Clients that misuse their socket, against a real daphne: each is cut off, and the others notice nothing."""

import base64
import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import psutil
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection

from queueing import events
from queueing.models import Entry
from tests.support.clocks import QUICK
from tests.support.processes import Processes
from tests.support.slow import slow
from tests.support.visitors import Visitor
from tests.support.waiting import wait_for
from tests.support.web import Web

pytestmark = pytest.mark.django_db(transaction=True)

PER_VISITOR, PER_ADDRESS = 4, 6
CLOCKS = QUICK | {"PRESENCE_TTL": 3, "CLOSE_GRACE": 10, "LOST_GRACE": 20}
LIMITS = {"MAX_PAGES_PER_VISITOR": PER_VISITOR, "MAX_PAGES_PER_ADDRESS": PER_ADDRESS}
MASK = bytes(4)


@pytest.fixture(scope="module", params=["daphne", *slow("uvicorn")])
def web(request: Any, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    processes = Processes(tmp_path_factory.mktemp("web"))
    processes.use(CLOCKS)
    yield Web(processes, request.param).wait()
    processes.stop()


def frame(opcode: int, payload: bytes = b"") -> bytes:
    """A frame of a client, masked with zeros."""
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + MASK + payload


def handshake(web: Web, entry: Entry, visitor: Visitor, **options: int) -> socket.socket:
    """A socket of a visitor without a WebSocket library, which reads nothing but the answer to the handshake."""
    raw = socket.socket()
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, options.get("buffer", 100_000))
    if "segment" in options:
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, options["segment"])
    raw.settimeout(10)
    raw.connect(("127.0.0.1", web.port))
    key = base64.b64encode(os.urandom(16)).decode()
    raw.sendall(
        f"GET /ws/entry/{entry.code}/?have=waiting HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n"
        f"Origin: http://127.0.0.1:{web.port}\r\nCookie: {visitor.cookie}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    assert raw.recv(12) == b"HTTP/1.1 101"
    return raw


def is_connected(web: Web, raw: socket.socket) -> bool:
    """True if daphne still has this connection."""
    port = raw.getsockname()[1]
    found = psutil.Process(web.process.pid).net_connections("tcp")
    return any(one.raddr and one.raddr.port == port for one in found)


def say_and_listen(ws: ClientConnection, times: int) -> None:
    """Send so many frames, and read until the end."""
    for _ in range(times):
        ws.send("x")
    while True:
        ws.recv(timeout=10)


def test_a_client_that_floods_frames_is_sent_off(web: Web) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as other, web.open(entry, visitor) as ws:
        json.loads(other.recv(timeout=10))
        with pytest.raises(ConnectionClosed) as closed:
            say_and_listen(ws, 2_000)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 4008
        events.publish(entry.code)
        while json.loads(other.recv(timeout=10))["type"] != "status":  # a tick may have come before
            pass


@pytest.mark.parametrize(
    "flood",
    [frame(0x9, b"ping"), frame(0xA), bytes([0x01, 0x80]) + MASK, frame(0x1, b"text")],
    ids=["pings", "pongs", "fragments", "texts"],
)
def test_a_client_that_floods_bytes_is_cut_off(web: Web, flood: bytes) -> None:
    """Control frames and parts of messages never come to the consumer."""
    visitor = Visitor()
    entry = visitor.join()
    raw = handshake(web, entry, visitor)
    if flood[0] == 0x01:  # one message in endless empty parts
        raw.sendall(flood)
        flood = bytes([0x00, 0x80]) + MASK
    raw.setblocking(False)
    sent = 0

    def is_cut() -> bool:
        nonlocal sent
        try:
            for _ in range(20):
                sent += raw.send(flood * 500)
                with_answers(raw)
        except BlockingIOError:
            pass
        except OSError:
            return True
        return not is_connected(web, raw)

    wait_for(is_cut, 20)
    assert sent < 10_000_000
    raw.close()


def with_answers(raw: socket.socket) -> None:
    """Read what has come, so that this client is no client that does not read."""
    try:
        while raw.recv(100_000):
            pass
    except BlockingIOError:
        pass


@pytest.mark.slow
def test_a_ping_travels_with_the_tick_of_a_page_that_heard_nothing(web: Web) -> None:
    """One write of the server, so one piece: the kernel is asked once for both."""
    if web.server != "daphne":
        pytest.skip("other servers have pings of their own")
    visitor = Visitor()
    tick = b'\x81\x10{"type": "tick"}'
    with handshake(web, visitor.join(), visitor) as raw:
        raw.settimeout(30)  # the tick comes after 9 s
        while not (heard := raw.recv(100_000)).startswith(tick):
            assert heard
        assert heard[len(tick)] == 0x80 | 0x9  # the first byte of a ping


def test_a_client_that_does_not_read_is_cut_off(web: Web) -> None:
    """It says something now and then, so daphne never pings it; and its page is told more and more."""
    visitor = Visitor()
    entry = visitor.join()
    raw = handshake(web, entry, visitor, buffer=2_048, segment=536)
    said_at = time.monotonic()

    def is_cut() -> bool:
        nonlocal said_at
        for _ in range(100):
            events.publish(entry.code)
        if time.monotonic() > said_at + 2 and is_connected(web, raw):
            with suppress(OSError):
                raw.send(frame(0x1, b"here"))
            said_at = time.monotonic()
        return not is_connected(web, raw)

    wait_for(is_cut, 90)
    raw.close()
    with web.open(entry, visitor) as ws:
        assert json.loads(ws.recv(timeout=10))["status"] == "waiting"


# The turnstile


@pytest.fixture(scope="module")
def narrow(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A web process that lets few sockets in."""
    processes = Processes(tmp_path_factory.mktemp("narrow"))
    processes.use(CLOCKS | LIMITS)
    yield Web(processes).wait()
    processes.stop()


def from_address(narrow: Web, address: str) -> dict[str, Any]:
    """Options of `open` for a socket that comes from this address of the loopback network."""
    raw = socket.socket()
    raw.bind((address, 0))
    raw.connect(("127.0.0.1", narrow.port))
    return {"sock": raw}


def test_sockets_are_bounded_by_visitor_and_by_address(narrow: Web) -> None:
    visitors = [Visitor() for _ in range(3)]
    entries = [visitor.join() for visitor in visitors]
    with ExitStack() as pages:
        for _ in range(PER_VISITOR):
            one = narrow.open(entries[0], visitors[0], **from_address(narrow, "127.0.0.9"))
            assert pages.enter_context(one).recv(timeout=10)
        # The visitor has another place, and comes from another address.
        status, _ = narrow.refusal(visitors[0].join(), visitors[0], **from_address(narrow, "127.0.0.10"))
        assert status == 403
        for _ in range(PER_ADDRESS - PER_VISITOR):
            one = narrow.open(entries[1], visitors[1], **from_address(narrow, "127.0.0.9"))
            assert pages.enter_context(one).recv(timeout=10)
        status, _ = narrow.refusal(entries[2], visitors[2], **from_address(narrow, "127.0.0.9"))
        assert status == 403
        one = narrow.open(entries[2], visitors[2], **from_address(narrow, "127.0.0.11"))
        assert pages.enter_context(one).recv(timeout=10)
    wait_for(lambda: opens(narrow, entries[2], visitors[2], "127.0.0.9"))


def opens(web: Web, entry: Entry, visitor: Visitor, address: str) -> bool:
    try:
        with web.open(entry, visitor, **from_address(web, address)) as ws:
            return bool(ws.recv(timeout=10))
    except InvalidStatus:
        return False


def test_a_handshake_without_a_session_is_refused_though_the_database_is_gone(narrow: Web) -> None:
    entry = Visitor().join()
    status, _ = narrow.refusal(entry, None, **from_address(narrow, "127.0.0.12"))
    assert status == 403
