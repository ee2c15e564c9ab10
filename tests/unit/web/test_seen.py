"""The first look of its owner at an entry that has ended is noted in the row, once."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from queueing import ending
from queueing.models import Entry
from queueing.states import Reason
from tests.support.connections import forget_connections
from tests.support.entries import end_is_seen
from tests.support.servers import free_port
from tests.support.visitors import Visitor, finished, staff, url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

PAGES = ["", "status.json", "status.json?have=running", "result/", "files/answer.txt"]


def read(visitor: Visitor, entry: Entry, page: str = "") -> bytes:
    """The whole answer; a file is sent in parts."""
    answer = visitor.client.get(url(entry, page))
    assert answer.status_code == 200
    return answer.getvalue()


def updates(queries: CaptureQueriesContext) -> list[str]:
    return [query["sql"] for query in queries.captured_queries if query["sql"].startswith("UPDATE")]


@contextmanager
def read_only_database() -> Iterator[None]:
    """A database that answers, and takes no writes."""
    on, off = {
        "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
        "postgresql": ("SET default_transaction_read_only = on", "SET default_transaction_read_only = off"),
    }[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(on)
    try:
        yield
    finally:
        with connection.cursor() as cursor:  # of another connection, if the view gave this one back after the error
            cursor.execute(off)


@pytest.mark.parametrize("address", PAGES)
def test_a_look_by_the_owner_counts_once(address: str) -> None:
    visitor = Visitor()
    entry = finished(visitor)
    assert not end_is_seen(entry)
    read(visitor, entry, address)
    assert end_is_seen(entry)
    first = entry.end_seen_at
    with CaptureQueriesContext(connection) as queries:
        for again in PAGES:
            read(visitor, entry, again)
    assert updates(queries) == []
    assert end_is_seen(entry)
    assert entry.end_seen_at == first


@pytest.mark.parametrize("address", PAGES)
def test_a_look_by_somebody_else_does_not_count(address: str) -> None:
    entry = finished(Visitor())
    read(staff("view", "change", "content"), entry, address)
    assert Visitor().client.get(url(entry, address)).status_code == 404
    assert not end_is_seen(entry)


@pytest.mark.parametrize("address", ["", "files/answer.txt"])
def test_a_head_request_is_no_look(address: str) -> None:
    """A program that checks a link is not told the end."""
    visitor = Visitor()
    entry = finished(visitor)
    answer = visitor.client.head(url(entry, address))
    answer.close()
    assert answer.status_code == 200
    assert not end_is_seen(entry)
    waiting = visitor.join(looks=False)
    assert visitor.client.head(url(waiting)).status_code == 200
    waiting.refresh_from_db()
    assert waiting.is_unseen


def test_the_owner_may_look_from_another_browser() -> None:
    """The user is the owner, whatever the session."""
    user = User.objects.create_user("somebody")
    first, second = Visitor(), Visitor()
    for visitor in (first, second):
        visitor.client.force_login(user)
    entry = finished(first)
    read(second, entry)
    assert end_is_seen(entry)


def test_an_answer_without_the_result_is_no_look() -> None:
    visitor = Visitor()
    entry = finished(visitor)
    assert b"Your results" in visitor.client.get("/").getvalue()  # a link to it
    assert visitor.client.get(url(entry, "files/other.txt")).status_code == 404
    visitor.client.post(url(entry, "goodbye/"))
    assert not end_is_seen(entry)


@pytest.mark.parametrize("move", ["fail", "abandon"])
def test_an_end_without_a_result_is_seen_too(move: str) -> None:
    visitor = Visitor()
    entry = visitor.join()
    entry.start("w")
    assert entry.fail(Reason.UNUSABLE, "No.") if move == "fail" else entry.abandon(Reason.LOST)
    assert visitor.client.get(url(entry, "result/")).status_code == 404
    assert not end_is_seen(entry)
    read(visitor, entry)
    assert end_is_seen(entry)


def test_a_visitor_who_stops_a_task_is_shown_its_end() -> None:
    visitor = Visitor()
    entry = visitor.join()
    entry.start("w")
    assert visitor.client.post(url(entry, "leave/"), follow=True).status_code == 200
    assert end_is_seen(entry)


def test_a_live_entry_has_no_end_to_see() -> None:
    visitor = Visitor()
    entry = visitor.join()
    read(visitor, entry)
    entry.start("w")
    with CaptureQueriesContext(connection) as queries:
        read(visitor, entry)
        read(visitor, entry, "status.json")
    assert updates(queries) == []
    assert not entry.see_end()
    assert not end_is_seen(entry)


def test_a_look_that_read_the_row_before_its_end_does_not_count() -> None:
    """The page that is being made says that the work goes on."""
    visitor = Visitor()
    entry = visitor.join()
    entry.start("w")
    earlier = Entry.objects.get()
    assert entry.succeed({})
    assert not earlier.see_end()
    assert not end_is_seen(entry)


def test_of_two_tabs_the_first_look_counts() -> None:
    entry = finished(Visitor())
    one, other = Entry.objects.get(), Entry.objects.get()
    assert one.see_end()
    first = one.end_seen_at
    assert not other.see_end()
    assert end_is_seen(entry)
    assert entry.end_seen_at == first


def test_an_entry_whose_page_was_opened_too_late_stays_one_that_nobody_came_for() -> None:
    visitor = Visitor()
    entry = visitor.join(looks=False)
    ending.leave(entry)
    read(visitor, entry)
    assert end_is_seen(entry)
    assert entry.seen_at is None


def test_a_look_counts_while_redis_is_away(settings: Any) -> None:
    visitor = Visitor()
    entry = finished(visitor)
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    forget_connections()
    try:
        read(visitor, entry)
    finally:
        forget_connections()
    assert end_is_seen(entry)


@pytest.mark.parametrize("address", PAGES)
def test_a_database_that_takes_no_writes_does_not_keep_the_result_back(
    address: str, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = Visitor()
    entry = finished(visitor)
    with read_only_database(), caplog.at_level(logging.WARNING):
        read(visitor, entry, address)
    assert "is not noted" in caplog.text
    assert not end_is_seen(entry)
    read(visitor, entry, address)  # the next look is noted
    assert end_is_seen(entry)
