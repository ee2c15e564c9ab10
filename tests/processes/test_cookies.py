"""Cookies of a site as it is deployed, behind a proxy that ends TLS."""

import http.client
import json
import re
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from tests.support.processes import Processes
from tests.support.web import Web

pytestmark = pytest.mark.django_db(transaction=True)

DEPLOYED = {"DEBUG": "0", "ALLOWED_HOSTS": "queue.example", "SECURE_HSTS_SECONDS": "0"}
HEADERS = {"Host": "queue.example", "X-Forwarded-Proto": "https", "Referer": "https://queue.example/"}
SESSION, CSRF = "__Host-sessionid", "__Host-csrftoken"


@pytest.fixture(scope="module")
def web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    processes = Processes(tmp_path_factory.mktemp("deployed"))
    collecting = processes.manage("collectstatic", "--noinput", "--verbosity", "0", **DEPLOYED)
    assert collecting.wait(60) == 0, processes.logs()
    yield Web(processes, **DEPLOYED).wait()
    processes.stop()


def ask(web: Web, method: str, path: str, cookies: dict[str, str], body: str = "") -> tuple[int, Any, str]:
    """Status, headers and text of an answer."""
    headers = HEADERS | {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    if body:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    line = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    line.request(method, path, body or None, headers)
    answer = line.getresponse()
    text = answer.read().decode()
    line.close()
    return answer.status, answer.headers, text


def set_cookies(headers: Any) -> dict[str, list[str]]:
    """The attributes of each cookie that is set, its value first."""
    parts = [cookie.split("; ") for cookie in headers.get_all("Set-Cookie") or []]
    return {first.partition("=")[0]: [first.partition("=")[2], *rest] for first, *rest in parts}


def test_cookies_are_of_this_very_host(web: Web) -> None:
    cookies: dict[str, str] = {"sessionid": "planted" * 5, "csrftoken": "planted" * 5}
    status, headers, text = ask(web, "GET", "/join/tables/", cookies)
    given = set_cookies(headers)
    assert (status, list(given)) == (200, [CSRF])
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', text)
    assert token
    cookies[CSRF] = given[CSRF][0]
    body = f"sample=yes&code={uuid.uuid4()}&header=auto&csrfmiddlewaretoken={token[1]}"
    status, headers, text = ask(web, "POST", "/join/tables/", cookies, body)
    assert status == 303, text
    session = set_cookies(headers)[SESSION]
    for attributes in (given[CSRF][1:], session[1:]):
        names = {attribute.partition("=")[0]: attribute.partition("=")[2] for attribute in attributes}
        assert names["Path"] == "/"
        assert "Secure" in names
        assert "Domain" not in names
        assert names["SameSite"] == "Lax"
    assert "HttpOnly" in session
    page = headers["Location"]
    assert ask(web, "GET", page, {SESSION: session[0]})[0] == 200
    assert ask(web, "GET", page, {"sessionid": session[0]})[0] == 404
    with connect(
        f"ws://queue.example/ws{page}",
        origin=Origin("https://queue.example"),
        additional_headers={"Cookie": f"{SESSION}={session[0]}", "X-Forwarded-Proto": "https"},
        proxy=None,
        sock=socket.create_connection(("127.0.0.1", web.port)),
    ) as ws:
        assert json.loads(ws.recv(timeout=10))["status"] == "waiting"
