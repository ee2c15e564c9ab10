"""The site behind the proxies whose configuration the project gives: real programs, where they are installed."""

import contextlib
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.support.clocks import QUICK
from tests.support.processes import Processes
from tests.support.proxies import PROXIES, Proxy, caddyfile, example, program
from tests.support.raw import CSRF, Raw
from tests.support.slow import slow
from tests.support.visitors import Visitor
from tests.support.waiting import wait_for
from tests.support.web import Web

pytestmark = pytest.mark.django_db(transaction=True)

MB = 1024**2
LIMITS = QUICK | {"STALL_SECONDS": 1.5, "MIN_RATE": 2000, "POLL_TTL": 30, "CLOSE_GRACE": 20, "LOST_GRACE": 30}
FORM = "/join/probe/"


@pytest.fixture(scope="module", params=["daphne", *slow("uvicorn")])
def web(request: Any, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    processes = Processes(tmp_path_factory.mktemp("web"))
    processes.use(LIMITS)
    yield Web(processes, request.param, TRUSTED_PROXIES="127.0.0.1").wait()
    processes.stop()


@pytest.fixture(scope="module", params=PROXIES)
def proxy(request: Any, web: Web, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    if program(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    started = Proxy(request.param, tmp_path_factory.mktemp(request.param), web.port)
    yield started.wait()
    started.stop()


@pytest.fixture
def raw(proxy: Proxy) -> Iterator[Callable[..., Raw]]:
    opened: list[Raw] = []

    def open_one(source: str = "127.0.0.1") -> Raw:
        opened.append(Raw(proxy.port, source))
        return opened[-1]

    yield open_one
    for connection in opened:
        connection.socket.close()


def test_a_page_comes_through(raw: Callable[..., Raw]) -> None:
    answer = raw().ask("GET", "/", Connection="close").answer()
    assert answer.status == 200
    assert "no-store" in answer.headers["cache-control"]


def test_a_socket_comes_through(proxy: Proxy) -> None:
    visitor = Visitor()
    entry = visitor.join()
    origin = Origin(f"http://127.0.0.1:{proxy.port}")
    address = f"ws://127.0.0.1:{proxy.port}/ws/entry/{entry.code}/"
    with connect(address, origin=origin, additional_headers={"Cookie": visitor.cookie}, proxy=None) as ws:
        assert "waiting" in str(ws.recv(timeout=10))


@pytest.mark.parametrize("path", ["/healthz", FORM, "/nothing/"])
def test_a_huge_body_is_refused_before_it_has_come(raw: Callable[..., Raw], path: str) -> None:
    client = raw().ask("POST", path, Cookie=CSRF, Content_Length=str(2_000_000_000))
    assert client.drip(bytes(10_000), 0.1, 10) < 5  # Caddy passes an answer on with the client's next bytes only
    assert client.status() in {404, 405, 413}


@pytest.mark.parametrize("path", ["/join/tables/", "/join/tables/preview/", FORM])
def test_a_file_reaches_the_web_process_with_its_form_and_with_the_preview(raw: Callable[..., Raw], path: str) -> None:
    """More than the 64 KiB that any other request may have."""
    size = 200_000
    client = raw().ask("POST", path, Cookie=CSRF, Content_Length=str(size), Connection="close")
    with contextlib.suppress(ConnectionError):
        client.send(bytes(size))
    assert client.status() == 403  # by the web process: the form has no token


def test_the_address_is_the_clients_whatever_it_says(web: Web, raw: Callable[..., Raw]) -> None:
    spoofed = {"X_Real_IP": "192.0.2.77", "X_Forwarded_For": "192.0.2.77"}

    def is_told() -> bool:
        """The tests before this one may have used up the lines of this moment."""
        client = raw("127.0.0.9").ask("POST", FORM, Content_Length="100", **spoofed)
        with contextlib.suppress(ConnectionError):
            client.send(bytes(100))
        assert client.status() == 403
        return "100 bytes, from 127.0.0.9" in web.logs()

    wait_for(is_told)
    assert "192.0.2.77" not in web.logs()


def test_a_body_that_drips_is_ended(raw: Callable[..., Raw]) -> None:
    client = raw().ask("POST", FORM, Cookie=CSRF, Content_Length=str(10 * MB))
    assert client.drip(b"x", 0.5, 30) < 15


def test_headers_that_drip_are_ended(raw: Callable[..., Raw]) -> None:
    client = raw()
    client.send(b"GET / HTTP/1.1\r\nX-Slow: ")
    assert client.drip(b"x", 0.3, 30) < 15


def test_an_address_has_so_many_connections(proxy: Proxy, raw: Callable[..., Raw]) -> None:
    if "caddy" in proxy.path.name:
        pytest.skip("it has no such limit without a plugin")

    def is_limited() -> bool:
        """The web process ends slow uploads, perhaps the first of these before the last one began."""
        for _ in range(10):
            with contextlib.suppress(ConnectionError):  # it is one too many already
                raw("127.0.0.7").ask("POST", "/join/tables/", Cookie=CSRF, Content_Length=str(MB)).send(b"x")
        return raw("127.0.0.7").ask("GET", "/healthz", Connection="close").status() == 429

    wait_for(is_limited)
    assert raw("127.0.0.8").ask("GET", "/healthz", Connection="close").status() == 200


@pytest.mark.parametrize("text", [caddyfile(), example("caddy")], ids=["compose", "document"])
def test_a_caddyfile_is_valid_as_it_is(text: str, tmp_path: Path) -> None:
    if program("caddy") is None:
        pytest.skip("caddy is not installed")
    path = tmp_path / "Caddyfile"
    path.write_text(text)
    environment = os.environ | {"SITE": "localhost", "XDG_DATA_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)}
    command = [str(program("caddy")), "validate", "--adapter", "caddyfile", "--config", str(path)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
