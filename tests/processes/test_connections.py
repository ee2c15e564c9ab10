"""Connections to PostgreSQL: a web process has a pool of them, which outlives a database that is away for a while."""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import pytest
from django.conf import settings
from django.db import connection, transaction
from websockets.exceptions import ConnectionClosed

from queueing.models import Entry
from tests.support.processes import Processes
from tests.support.visitors import Visitor, url
from tests.support.waiting import wait_for
from tests.support.web import Web

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite has no server that could run out of connections"
    ),
]

# Seconds that a request may take beside its waits for the database: many times what it needs. These waits are 1 s
# (POOL_PATIENCE) or twice 0.5 s at most. Before, it waited for as long as the database hung, or failed at the first
# blink.
WORK = 3.0


class Answer(NamedTuple):
    code: int
    retry_after: str | None
    text: str
    seconds: float


Get = Callable[[str], Answer]


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


@pytest.fixture
def entry(visitor: Visitor, processes: Processes) -> Entry:
    return visitor.join()


@pytest.fixture
def web(processes: Processes) -> Web:
    return Web(processes).wait()


@pytest.fixture
def get(web: Web, visitor: Visitor, entry: Entry) -> Get:
    """Asks a web process for a page, as the visitor."""

    def ask(path: str) -> Answer:
        request = urllib.request.Request(f"http://127.0.0.1:{web.port}{path}", headers={"Cookie": visitor.cookie})
        began = time.monotonic()
        try:
            answer = urllib.request.urlopen(request, timeout=60)  # noqa: S310
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read().decode()
        return Answer(answer.status, answer.headers["Retry-After"], text, time.monotonic() - began)

    return ask


def backends() -> list[int]:
    """The server's processes for all connections but this one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # inside a transaction it would be as old as that
        cursor.execute(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
        )
        return [pid for (pid,) in cursor.fetchall()]


def are_blocked(number: int) -> bool:
    """True if so many connections wait for somebody's lock."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # as above
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        return bool(cursor.fetchone()[0] >= number)


def end_all() -> None:
    """End all connections but this one, as a restart or a failover does."""
    with connection.cursor() as cursor:
        for pid in backends():
            cursor.execute("SELECT pg_terminate_backend(%s)", [pid])


def fill_pool(get: Get, entry: Entry) -> None:
    """Have the web process open many connections: with as many pages at once as it may have, none waits for one.

    Pages, as fewer polls are worked on at once.
    """
    with ThreadPoolExecutor(settings.DATABASE_POOL) as threads:
        assert {answer.code for answer in threads.map(get, [url(entry)] * 100)} == {200}
    wait_for(lambda: len(backends()) > 1)


@pytest.fixture
def away() -> Iterator[Callable[[bool], None]]:
    """Lets nobody connect to the database, or everybody again."""
    name = connection.settings_dict["NAME"]

    def allow(is_away: bool) -> None:
        with connection._nodb_cursor() as cursor:
            cursor.execute(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {'false' if is_away else 'true'}")

    yield allow
    allow(False)


def test_pages_that_poll_leave_few_connections(get: Get, entry: Entry) -> None:
    """Each request has a thread of its own; ten pages that poll used to take nearly all of the server's 100."""
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(get, [url(entry, "status.json")] * 300))
    codes = [answer.code for answer in answers]
    assert set(codes) <= {200, 503}  # a poll that would wait for its turn for too long is turned away
    assert codes.count(200) > 100
    assert len(backends()) <= settings.DATABASE_POOL < 15


def test_a_crowd_waits_for_a_connection_and_takes_no_more_than_the_pool_has(get: Get, entry: Entry) -> None:
    with ThreadPoolExecutor(60) as threads:
        answers = [threads.submit(get, url(entry, "status.json")) for _ in range(300)]
        most = max(len(backends()) for answer in answers if answer.result())
    assert most <= settings.DATABASE_POOL
    assert {answer.result().code for answer in answers} <= {200, 503}


def test_a_failover_is_not_seen_on_any_page(get: Get, entry: Entry) -> None:
    fill_pool(get, entry)
    end_all()
    for _ in range(5):
        assert get(url(entry)).code == 200
    fill_pool(get, entry)


def test_a_pool_that_is_used_up_is_told_in_time_and_is_free_again_afterwards(get: Get, entry: Entry) -> None:
    """Requests that wait for somebody's lock have all connections: further ones are told to come back."""
    assert get(url(entry)).code == 200
    with ThreadPoolExecutor(20) as threads:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("LOCK TABLE queueing_entry IN ACCESS EXCLUSIVE MODE")
            waiting = []
            for number in range(settings.DATABASE_POOL):  # the pool makes one at a time, and requests wait for 1 s
                waiting.append(threads.submit(get, url(entry)))
                wait_for(partial(are_blocked, number + 1))
            refused = get(url(entry))
            assert (refused.code, refused.retry_after) == (503, "5")
            assert "The site cannot reach its database" in refused.text
            assert refused.seconds < 1 + WORK
        codes = [answer.result().code for answer in waiting]
    assert codes.count(200) >= settings.DATABASE_POOL - 1
    assert get(url(entry)).code == 200


def test_a_database_that_is_away_is_told_in_time_and_its_return_is_noticed(
    get: Get, entry: Entry, away: Callable[[bool], None]
) -> None:
    fill_pool(get, entry)
    away(True)
    end_all()
    for path in ("/", url(entry), url(entry, "status.json")):
        answer = get(path)
        assert (answer.code, answer.retry_after) == (503, "5")
        assert answer.seconds < 1 + WORK
    ready = get("/readyz")
    assert (ready.code, json.loads(ready.text)["database"]) == (503, False)
    assert get("/healthz").code == 200
    away(False)
    wait_for(lambda: get(url(entry)).code == 200, 5)


def test_a_socket_that_finds_no_database_is_sent_away(
    web: Web, visitor: Visitor, entry: Entry, away: Callable[[bool], None]
) -> None:
    """The session is read before the entry. Without a close code a page would take the site for broken."""
    with web.open(entry, visitor) as ws:
        assert json.loads(ws.recv(timeout=10))["type"] == "status"
    away(True)
    end_all()
    with web.open(entry, visitor) as ws, pytest.raises(ConnectionClosed) as closed:
        ws.recv(timeout=10)
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4013
    away(False)
    with web.open(entry, visitor) as ws:
        assert json.loads(ws.recv(timeout=10))["type"] == "status"


def test_connections_that_hang_are_left_for_new_ones(get: Get, entry: Entry) -> None:
    fill_pool(get, entry)
    hanging = backends()
    for pid in hanging:
        os.kill(pid, signal.SIGSTOP)
    try:
        answers = [get(url(entry)) for _ in range(3)]
    finally:
        for pid in hanging:
            os.kill(pid, signal.SIGCONT)
    assert max(answer.seconds for answer in answers) < 1 + WORK
    assert answers[-1].code == 200


def test_other_processes_have_plain_connections() -> None:
    """A worker forks: its horse must not share a pool's sockets and threads."""
    assert "pool" not in connection.settings_dict["OPTIONS"]
