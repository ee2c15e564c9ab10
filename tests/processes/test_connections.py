"""Requests leave no connection to PostgreSQL behind."""

import urllib.request
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from tests.support.processes import Processes
from tests.support.servers import free_port
from tests.support.visitors import Visitor, url
from tests.support.waiting import wait_for

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(
        connection.vendor != "postgresql", reason="SQLite has no server that could run out of connections"
    ),
]


def test_pages_that_poll_leave_no_connection_behind(processes: Processes) -> None:
    """Each request has a thread of its own; ten pages that poll used to take nearly all of the server's 100."""
    port = free_port()
    processes.start("-m", "daphne", "-b", "127.0.0.1", "-p", str(port), "-v", "0", "config.asgi:application")
    visitor = Visitor()
    entry = visitor.join()

    def get(path: str) -> int:
        request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Cookie": visitor.cookie})
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return int(answer.status)

    def answers() -> bool:
        try:
            return get("/healthz") == 200
        except OSError:
            return False

    wait_for(answers)
    with ThreadPoolExecutor(10) as pool:
        assert set(pool.map(get, [url(entry, "status.json")] * 300)) == {200}
    wait_for(lambda: connections() <= 15, 5)


def connections() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'")
        return int(cursor.fetchone()[0])
