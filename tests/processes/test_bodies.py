"""The bodies of requests before a real web process: what is refused at the headers, what while it comes, and how soon.

The rules hold under daphne as `config.serve` starts it, and under uvicorn.
"""

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from django.urls import reverse

from queueing.models import Entry
from queueing.web.bodies import SMALL
from queueing.web.guards import guards
from queueing.web.request import PAGES
from queueing.web.uploads import SLACK
from tests.support.clocks import QUICK
from tests.support.processes import Processes
from tests.support.raw import CSRF, Answer, Raw, form
from tests.support.waiting import wait_for
from tests.support.web import SERVERS, Web

pytestmark = pytest.mark.django_db(transaction=True)

MB = 1024**2
STALL, RATE = 1.5, 2000  # seconds, bytes a second
LIMITS = QUICK | {
    "STALL_SECONDS": STALL, "MIN_RATE": RATE, "HEADER_SECONDS": 2, "KEEP_ALIVE_SECONDS": 3, "TRANSFER_SECONDS": 30,
    "MAX_UPLOAD_BYTES": 300 * MB, "TABLE_MAX_UPLOAD_BYTES": 300 * MB, "UPLOADS_BYTES": 800 * MB,
}  # fmt: skip
FORM = "/join/probe/"
LEAVE = "/entry/00000000-0000-4000-8000-000000000000/leave/"
HUGE = str(2_000_000_000)


@pytest.fixture(scope="module", params=SERVERS)
def web(request: Any, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One web process of each kind for the whole module."""
    processes = Processes(tmp_path_factory.mktemp(request.param))
    processes.use(LIMITS)
    yield Web(processes, request.param).wait()
    processes.stop()


@pytest.fixture
def raw(web: Web) -> Iterator[Callable[[], Raw]]:
    """Connections to it."""
    opened: list[Raw] = []

    def connect() -> Raw:
        opened.append(Raw(web.port))
        return opened[-1]

    yield connect
    for connection in opened:
        connection.socket.close()


def spooled(web: Web) -> int:
    """Bytes of the files without a name that the web process has open: bodies, and copies of them."""
    total = 0
    for link in Path(f"/proc/{web.process.pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if str(link.readlink()).endswith("(deleted)"):
                total += link.stat().st_size
    return total


def memory(web: Web) -> float:
    """MB."""
    return float(psutil.Process(web.process.pid).memory_info().rss) / MB


# At the headers

REFUSALS: list[tuple[int, str, str, dict[str, str]]] = [
    (400, "POST", FORM, {"Host": "evil.example"}),
    (403, "POST", FORM, {"Origin": "https://evil.example"}),
    (403, "POST", FORM, {"Origin": "null"}),
    (403, "POST", FORM, {"Cookie": "sessionid=x"}),
    (404, "POST", "/nothing/here/", {}),
    (404, "POST", "/join/nothing/", {}),
    (404, "POST", "/static/queueing/style.css", {}),
    (404, "POST", "/ws/entry/x/", {}),
    (405, "POST", "/healthz", {}),
    (405, "PUT", FORM, {}),
    (405, "POST", "/", {}),
    (405, "GET", LEAVE, {}),
    (413, "GET", "/", {}),
    (413, "HEAD", "/healthz", {}),
    (413, "POST", FORM, {}),
    (413, "POST", LEAVE, {"Content-Length": str(SMALL + 1)}),
    (413, "POST", FORM, {"Content-Length": str(300 * MB + SLACK + 1)}),
    (413, "POST", "/admin/login/", {}),
]


@pytest.mark.parametrize(("status", "method", "path", "headers"), REFUSALS)
def test_a_body_is_refused_before_its_first_byte(
    raw: Callable[[], Raw], status: int, method: str, path: str, headers: dict[str, str]
) -> None:
    client = raw().ask(method, path, **{"Cookie": CSRF, "Content_Length": HUGE} | _underscored(headers))
    answer = client.answer()
    assert answer.status == status
    assert guards().items() <= {name: answer.headers.get(name.lower()) for name in guards()}.items()
    assert answer.headers["connection"] == "close"


def _underscored(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in headers.items()}


def test_a_browser_is_told_the_limit(raw: Callable[[], Raw]) -> None:
    answer = raw().ask("POST", FORM, Cookie=CSRF, Content_Length=HUGE).answer()
    assert re.search(r"This file is too large; the limit is 300.MB", answer.body.decode())


@pytest.mark.parametrize("root", ["/elsewhere", "/jo", "/join"])
def test_a_client_cannot_say_where_the_site_is(raw: Callable[[], Raw], root: str) -> None:
    """daphne believes this header: addresses in pages would lead there, and the rules for paths would not hold."""
    answer = raw().ask("GET", FORM, Daphne_Root_Path=root, Connection="close").answer()
    assert answer.status == 200
    assert f'action="{FORM}"' in answer.body.decode()


@pytest.mark.parametrize("line", ["GET /\xff HTTP/1.1", "GET / HTTP/1.1\r\nX-Odd: \x01\xff"])
def test_what_daphne_does_not_take_is_answered(raw: Callable[[], Raw], line: str) -> None:
    """By a page that every site has which takes the queue in."""
    client = raw()
    client.send(f"{line}\r\nHost: 127.0.0.1:{client.port}\r\nConnection: close\r\n\r\n".encode("latin-1"))
    assert client.answer().status in {200, 400, 404}
    assert {page.template.partition("/")[0] for page in PAGES.values()} == {"queueing"}


PLAIN_400 = [
    b"get / HTTP/1.1",
    b"POST http://x/ HTTP/1.1\r\nContent-Length: 2147483648",
    b"GET http://x/ HTTP/1.1",
    b"OPTIONS * HTTP/1.1",
    b"CONNECT a:1 HTTP/1.1",
    b"GET join/tables/ HTTP/1.1",
    b"GET /\x85 HTTP/1.1",
    b"GET / HTTP/1.1\r\nX-Odd: \x85",
    b"GET / HTTP/1.1\r\nSec-WebSocket-Protocol: \xff",  # daphne would log a traceback
]


@pytest.mark.parametrize("request_line", PLAIN_400)
def test_many_requests_that_no_browser_sends_get_one_answer(
    web: Web, raw: Callable[[], Raw], request_line: bytes
) -> None:
    """Sent behind each other, thousands of them would be answered in one turn of the event loop."""
    if web.server != "daphne":
        pytest.skip("other servers have rules of their own")
    client = raw()
    one = request_line + f"\r\nHost: 127.0.0.1:{client.port}\r\n\r\n".encode()
    with contextlib.suppress(ConnectionError):
        client.send(one * (60_000 // len(one)))
    answers = client.read(10)
    assert answers.startswith(b"HTTP/1.1 400")
    assert answers.count(b"HTTP/1.1 ") == 1


def test_a_cookie_that_another_site_of_the_domain_has_set_locks_nobody_out(web: Web, raw: Callable[[], Raw]) -> None:
    if web.server != "daphne":
        pytest.skip("other servers have rules of their own")
    client = raw()
    client.send(
        f"GET {FORM} HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nCookie: csrftoken={'b' * 32}; name=".encode()
        + "х".encode()  # noqa: RUF001  # Cyrillic: its second byte is none that daphne takes
        + b"; other=1\r\nConnection: close\r\n\r\n"
    )
    assert client.answer().status == 200


@pytest.mark.slow
def test_a_body_that_does_not_begin_gives_its_room_back(processes: Processes) -> None:
    """Long before a body that stands still: it has its room from the headers on."""
    processes.use({"STALL_SECONDS": 300})
    web = Web(processes).wait()
    with Raw(web.port) as client:
        client.ask("POST", FORM, Cookie=CSRF, Content_Length=str(10 * MB))
        assert client.answer(60).status == 408


def test_an_answer_to_head_has_no_body(raw: Callable[[], Raw]) -> None:
    assert raw().ask("HEAD", "/healthz", Content_Length=HUGE).answer().body == b""


def test_a_client_that_asks_first_is_told_to_go_on_only_if_its_body_is_taken(raw: Callable[[], Raw]) -> None:
    refused = raw().ask("POST", "/healthz", Content_Length="100", Expect="100-continue")
    assert refused.read().startswith(b"HTTP/1.1 405")
    taken = raw().ask("POST", LEAVE, Cookie=CSRF, Content_Length="4", Expect="100-continue", Connection="close")
    assert taken.socket.recv(100).startswith(b"HTTP/1.1 100")
    taken.send(b"a=b&")
    assert taken.answer().status == 403  # its token is missing


def test_a_small_form_reaches_its_view(raw: Callable[[], Raw]) -> None:
    body = b"csrfmiddlewaretoken=" + CSRF.partition("=")[2].encode()
    client = raw().ask(
        "POST", LEAVE, Cookie=CSRF, Connection="close", Content_Length=str(len(body)),
        Content_Type="application/x-www-form-urlencoded",
    )  # fmt: skip
    client.send(body)
    assert client.answer().status == 404  # an unknown entry


# While it comes


def test_chunks_beyond_the_limit_are_refused(web: Web, raw: Callable[[], Raw]) -> None:
    client = raw().ask("POST", LEAVE, Cookie=CSRF, Transfer_Encoding="chunked")
    client.send(b"%x\r\n%s\r\n" % (SMALL, bytes(SMALL)))
    client.send(b"1\r\nx\r\n")
    assert client.answer().status == 413
    wait_for(lambda: spooled(web) == 0)


def test_a_body_that_drips_is_ended(web: Web, raw: Callable[[], Raw]) -> None:
    client = raw().ask("POST", FORM, Cookie=CSRF, Content_Length=str(10 * MB))
    client.send(bytes(2 * MB))  # no credit for what follows
    assert client.drip(b"x", 0.3, 20) < 3 * STALL + 5
    assert client.answer().status == 408
    wait_for(lambda: spooled(web) == 0)


def test_a_slow_body_that_moves_on_is_taken(raw: Callable[[], Raw]) -> None:
    content, (head, tail, content_type) = b"a,b\n" + b"1,2\n" * 5000, form()
    body = head + content + tail
    client = raw().ask(
        "POST", FORM, Cookie=CSRF, Content_Type=content_type, Content_Length=str(len(body)), Connection="close"
    )
    for start in range(0, len(body), 2500):  # 20 KB in 4 s, longer than two windows
        client.send(body[start : start + 2500])
        time.sleep(0.5)
    answer = client.answer()
    assert answer.status == 303, answer.body.decode()
    assert Entry.objects.get().input_size == len(content)


def test_a_large_upload_is_not_held_in_memory(web: Web, raw: Callable[[], Raw]) -> None:
    size, (head, tail, content_type) = 150 * MB, form()
    before = memory(web)
    client = raw().ask(
        "POST", FORM, Cookie=CSRF, Content_Type=content_type, Connection="close",
        Content_Length=str(len(head) + size + len(tail)),
    )  # fmt: skip
    client.send(head)
    peak = before
    for _ in range(size // MB):
        client.send((b"1234567," * 7 + b"1234567\n") * (MB // 64))
        peak = max(peak, memory(web))
    client.send(tail)
    client.socket.settimeout(0.02)
    while True:
        peak = max(peak, memory(web))
        try:
            assert client.socket.recv(100).startswith(b"HTTP/1.1 303")
        except TimeoutError:
            continue
        break
    assert peak - before < 60
    wait_for(lambda: spooled(web) == 0)


def test_uploads_hold_no_more_than_their_room(web: Web, raw: Callable[[], Raw]) -> None:
    """An address has a quarter of it, 200 MB. That is room for two files of 45 MB, and a copy of each."""
    headers = {"Cookie": CSRF, "Content_Length": str(45 * MB)}
    under_way: list[Raw] = []

    def third() -> Answer | None:
        """Its answer, if the two before it were taken: an upload of another test may still hold the room."""
        while under_way:
            under_way.pop().socket.close()
        under_way.extend(raw().ask("POST", FORM, **headers) for _ in range(2))
        for client in under_way:
            client.send(bytes(100_000))
        answer = raw().ask("POST", FORM, **headers).answer()
        are_taken = web.server == "uvicorn" or spooled(web) >= 200_000
        return answer if answer.status == 503 and are_taken else None

    refused = wait_for(third)
    assert int(refused.headers["retry-after"]) > 0
    small = raw().ask("POST", LEAVE, Cookie=CSRF, Content_Length="4", Connection="close")
    small.send(b"a=b&")
    assert small.answer().status == 403
    for client in under_way:
        client.socket.close()
    wait_for(lambda: spooled(web) == 0)
    next_one = raw().ask("POST", FORM, Expect="100-continue", **headers)
    assert next_one.socket.recv(100).startswith(b"HTTP/1.1 100") or web.server == "uvicorn"


# The log


def test_a_flood_of_refusals_does_not_fill_the_log(web: Web, raw: Callable[[], Raw]) -> None:
    def told() -> list[str]:
        raw().ask("POST", f"{reverse('queueing:healthz')}?x=1", Content_Length=HUGE).read()
        return [line for line in web.logs().splitlines() if "Refused with" in line]

    before = len(told())
    wait_for(lambda: len(told()) > before)  # the tests before this one have used up the lines of this moment
    for _ in range(60):
        lines = told()
    assert len(lines) - before <= 40
    assert any(f"POST '/healthz', {HUGE} bytes, from 127.0.0.1" in line for line in lines)
