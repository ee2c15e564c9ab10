"""Connections to a real web process that say little, read little, or talk nonsense: each ends soon."""

import contextlib
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.core.files.base import ContentFile

from queueing.models import Entry, EntryFile
from queueing.web.guards import guards
from tests.support.clocks import QUICK
from tests.support.processes import Processes
from tests.support.raw import CSRF, Raw, form
from tests.support.visitors import Visitor, url
from tests.support.waiting import wait_for
from tests.support.web import Web

pytestmark = pytest.mark.django_db(transaction=True)

MB = 1024**2
CONNECTIONS = 400
LIMITS = QUICK | {
    "STALL_SECONDS": 1.5, "MIN_RATE": 50_000, "HEADER_SECONDS": 2, "KEEP_ALIVE_SECONDS": 3, "TRANSFER_SECONDS": 20,
    "MAX_CONNECTIONS_PER_ADDRESS": CONNECTIONS,
}  # fmt: skip


@pytest.fixture(scope="module")
def web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    processes = Processes(tmp_path_factory.mktemp("web"))
    processes.use(LIMITS)
    yield Web(processes).wait()
    processes.stop()


@pytest.fixture
def raw(web: Web) -> Iterator[Callable[..., Raw]]:
    opened: list[Raw] = []

    def connect(source: str = "127.0.0.1") -> Raw:
        opened.append(Raw(web.port, source))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.socket.close()


# Requests


def test_an_answer_that_breaks_off_ends_its_connection_and_no_other(raw: Callable[..., Raw]) -> None:
    """A file that is gone, or cannot be read, when its headers are sent. daphne looks after each in turn."""
    visitor = Visitor()
    entry = visitor.join()
    path = Path(entry.input.path)
    path.unlink()
    path.mkdir()  # it has a size, and cannot be read
    for _ in range(2):
        client = raw().ask("GET", url(entry, "input/"), Cookie=visitor.cookie)
        answer = client.read(10)  # until the server ends it
        assert not answer.partition(b"\r\n\r\n")[2]
    path.rmdir()


def test_headers_that_drip_are_ended(raw: Callable[..., Raw]) -> None:
    client = raw()
    client.send(b"GET / HTTP/1.1\r\nX-Slow: ")
    assert client.drip(b"x", 0.2, 15) < 6
    assert client.answer().status == 408


def test_a_connection_that_says_nothing_is_closed_without_a_word(raw: Callable[..., Raw]) -> None:
    assert raw().read(6) == b""


def test_an_idle_connection_is_closed(raw: Callable[..., Raw]) -> None:
    client, began = raw(), time.monotonic()
    client.ask("GET", "/healthz").read(15)
    assert 2 < time.monotonic() - began < 8


def test_an_idle_connection_may_ask_again(raw: Callable[..., Raw]) -> None:
    client = raw()
    for _ in range(3):
        client.ask("GET", "/healthz")
        client.socket.settimeout(5)
        assert client.socket.recv(4096).startswith(b"HTTP/1.1 200")
        time.sleep(0.5)


def test_requests_in_a_row_are_answered_in_their_order(raw: Callable[..., Raw]) -> None:
    client = raw().ask("GET", "/healthz").ask("GET", "/nothing").ask("GET", "/healthz", Connection="close")
    statuses = [part.split(b" ")[1] for part in client.read(8).split(b"HTTP/1.1")[1:] for part in [b"x" + part]]
    assert statuses == [b"200", b"404", b"200"]


NONSENSE = {
    "two lengths": b"Content-Length: 1\r\nContent-Length: 1\r\n",
    "a length and chunks": b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
    "an unknown coding": b"Transfer-Encoding: gzip\r\n",
    "a length that is no number": b"Content-Length: -1\r\n",
    "a length of thousands of digits": b"Content-Length: " + b"9" * 5000 + b"\r\n",
    "a header without a colon": b"nothing\r\n",
    "too many headers": b"a: b\r\n" * 1000,
    "too many lines of one header": b"a: b\r\n" + b" \r\n" * 1000,
    "a long line": b"a: " + b"x" * 20_000 + b"\r\n",
    "too much in all": (b"a: " + b"x" * 5000 + b"\r\n") * 5,
    "a control character": b"a: \x00\r\n",
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense_is_refused_with_all_headers(raw: Callable[..., Raw], kind: str) -> None:
    client = raw()
    with contextlib.suppress(ConnectionError):
        client.send(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n" + NONSENSE[kind] + b"\r\nx")
    answer = client.answer(6)
    assert answer.status == 400
    assert guards().items() <= {name: answer.headers.get(name.lower()) for name in guards()}.items()


@pytest.mark.parametrize("line", [b"GET /\xff HTTP/1.1", b"GET /?\xff HTTP/1.1", b"GET", b"\x16\x03\x01 TLS here"])
def test_a_line_that_is_no_request_is_refused_with_all_headers(raw: Callable[..., Raw], line: bytes) -> None:
    client = raw()
    client.send(line + b"\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
    answer = client.answer(6)
    assert answer.status == 400
    assert guards().items() <= {name: answer.headers.get(name.lower()) for name in guards()}.items()


def test_a_body_in_tiny_chunks_is_ended(raw: Callable[..., Raw]) -> None:
    client = raw().ask("POST", "/join/probe/", Cookie=CSRF, Transfer_Encoding="chunked")
    with contextlib.suppress(ConnectionError):
        client.send(b"1\r\nx\r\n" * 20_000)
    assert client.answer(6).status == 408


def test_an_answer_reaches_a_client_that_is_still_sending(raw: Callable[..., Raw]) -> None:
    client = raw().ask("POST", "/healthz", Content_Length=str(100 * MB))
    client.socket.settimeout(10)
    with contextlib.suppress(ConnectionError, TimeoutError):
        for _ in range(100):
            client.send(bytes(MB))
    assert client.answer(6).status == 405


def test_a_refused_socket_has_all_headers(web: Web, raw: Callable[..., Raw]) -> None:
    client = raw().ask(
        "GET", f"/ws/entry/{Entry().code}/", Upgrade="websocket", Connection="Upgrade", Sec_WebSocket_Version="13",
        Sec_WebSocket_Key="dGhlIHNhbXBsZSBub25jZQ==", Origin="https://evil.example",
    )  # fmt: skip
    answer = client.answer(6)
    assert answer.status == 403
    assert guards().items() <= {name: answer.headers.get(name.lower()) for name in guards()}.items()


# Connections


def test_an_address_has_so_many_connections_and_others_have_theirs(raw: Callable[..., Raw]) -> None:
    with contextlib.ExitStack() as stack:

        def is_full() -> bool:
            """On a busy machine the first of these is closed, since it says nothing, before the last one began."""
            stack.close()
            for _ in range(CONNECTIONS):
                stack.enter_context(raw("127.0.0.2"))
            return not told(raw("127.0.0.2"))

        wait_for(is_full)
        assert raw("127.0.0.3").ask("GET", "/healthz", Connection="close").answer().status == 200
    wait_for(lambda: told(raw("127.0.0.2")))


def told(client: Raw) -> bytes:
    """The answer to this connection; nothing if it is closed before."""
    with contextlib.suppress(ConnectionError):
        return client.ask("GET", "/healthz", Connection="close").read()
    return b""


def test_an_open_socket_is_no_connection_of_that_count(web: Web) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        assert ws.recv(timeout=10)
        time.sleep(4)  # longer than any limit of a request
        assert ws.ping().wait(5)


def test_a_proxy_may_come_by_a_unix_socket(processes: Processes, tmp_path: Path) -> None:
    address = tmp_path / "web.sock"
    processes.start("-m", "config.serve", "-v", "0", "--unix-socket", str(address))
    wait_for(lambda: listens(address))
    for method, length, status in ((b"GET", 0, 200), (b"POST", 9, 405)):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(address))
            client.sendall(b"%s /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n" % (method, length))
            client.settimeout(10)
            assert client.recv(4096).startswith(b"HTTP/1.1 %d" % status)


def listens(address: Path) -> bool:
    """The file is there a moment before."""
    with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
        client.connect(str(address))
        return True
    return False


# Answers


def stored(size: int) -> tuple[Visitor, Entry]:
    visitor = Visitor()
    entry = visitor.join()
    entry.start("w")
    file = EntryFile(entry=entry, attempt=1, name="big.bin", content_type="text/plain", size=size)
    file.file.save("big.bin", ContentFile(bytes(size)), save=False)
    assert entry.succeed({"x": 1}, [file])
    return visitor, entry


def test_a_download_that_is_not_read_is_ended_and_not_held_in_memory(web: Web, raw: Callable[..., Raw]) -> None:
    visitor, entry = stored(80 * MB)
    process = psutil.Process(web.process.pid)
    before, client = process.memory_info().rss, raw()
    client.ask("GET", url(entry, "files/big.bin"), Cookie=visitor.cookie)
    connection = client.socket.getsockname()
    wait_for(lambda: _is_connected(process, connection))
    began, peak = time.monotonic(), before
    while _is_connected(process, connection):
        peak = max(peak, process.memory_info().rss)
        assert time.monotonic() - began < 15
        time.sleep(0.05)
    assert peak - before < 30 * MB


def _is_connected(process: psutil.Process, client: Any) -> bool:
    return any(connection.raddr == client for connection in process.net_connections("tcp"))


def test_a_download_that_is_read_slowly_arrives_whole(raw: Callable[..., Raw]) -> None:
    visitor, entry = stored(20 * MB)
    client = raw().ask("GET", url(entry, "files/big.bin"), Cookie=visitor.cookie, Connection="close")
    size, began = 0, time.monotonic()
    while part := client.socket.recv(64 * 1024):
        size += len(part)
        time.sleep(0.02 if size < 8 * MB else 0)
    assert size > 20 * MB
    assert time.monotonic() - began > LIMITS["STALL_SECONDS"]


# All of it together

MEASURE = """
import sys, time, urllib.request
worst, until = 0.0, time.monotonic() + float(sys.argv[2])
while time.monotonic() < until:
    began = time.monotonic()
    urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/healthz", timeout=20).read()
    worst = max(worst, time.monotonic() - began)
    time.sleep(0.02)
print(worst)
"""


@pytest.mark.slow
def test_nothing_of_it_keeps_the_site_from_answering(web: Web, raw: Callable[..., Raw]) -> None:
    best = slowest_answer(web, raw)
    if best >= 1.0:  # once more, if the machine was busy with something else
        best = slowest_answer(web, raw)
    assert best < 1.0
    assert Path(f"/proc/{web.process.pid}").exists()


def slowest_answer(web: Web, raw: Callable[..., Raw]) -> float:
    """Seconds of the slowest answer while all kinds of slow clients are there."""
    seconds, (head, _, content_type) = 8, form()
    measuring = subprocess.Popen([sys.executable, "-c", MEASURE, str(web.port), str(seconds)], stdout=subprocess.PIPE)
    until = time.monotonic() + seconds
    for _ in range(300):
        raw("127.0.0.4").send(b"GET / HTTP/1.1\r\nHost: x")
    slow = [raw("127.0.0.5").ask("POST", "/join/probe/", Cookie=CSRF, Content_Length=str(MB)) for _ in range(20)]
    while time.monotonic() < until:
        for _ in range(4):
            client = raw("127.0.0.6").ask("POST", "/healthz", Content_Type=content_type, Content_Length=str(100 * MB))
            with contextlib.suppress(OSError):
                client.send(head)
                for _ in range(100):
                    client.send(b"x" * MB)
            client.socket.close()
        for client in slow:
            with contextlib.suppress(OSError):
                client.send(b"x")
    out, _ = measuring.communicate(timeout=30)
    return float(out)
