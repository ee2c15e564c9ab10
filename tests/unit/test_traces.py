"""The trace of an entry, from the request of its join on."""

import uuid

import pytest

from queueing import ending, traces
from queueing.models import Entry
from tests.support.visitors import Visitor, finished, url

GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE = "0af7651916cd43dd8448eb211c80319c"
INVALID = (
    "",
    "x",
    "ff" + GIVEN[2:],
    "01" + GIVEN[2:],  # of a version that we do not know
    GIVEN.upper(),
    f" {GIVEN}",
    f"{GIVEN}\n",
    f"{GIVEN}-00",
    f"{GIVEN}, {GIVEN}",
    f"00-{'0' * 32}-b7ad6b7169203331-01",
    f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE[:-1]}-b7ad6b7169203331-01",
    f"00-{TRACE[:-1]}g-b7ad6b7169203331-01",
    f"00-{TRACE[:-1]}\u0661-b7ad6b7169203331-01",  # a digit of another alphabet
    "00-" + "a" * 10_000,
    "'; DROP TABLE entries; --",
)


def test_the_header_of_a_request_is_taken_as_it_stands() -> None:
    assert traces.accepted(GIVEN) == GIVEN
    assert len(GIVEN) == traces.LONGEST


@pytest.mark.parametrize("header", INVALID)
def test_a_header_that_is_not_valid_is_none(header: str) -> None:
    assert traces.accepted(header) == ""


def test_an_entry_without_one_has_a_trace_that_is_always_the_same() -> None:
    entry = Entry(code=uuid.uuid4())
    assert traces.accepted(entry.trace) == entry.trace
    assert entry.trace_id == entry.code.hex
    assert Entry(code=entry.code).trace == entry.trace


@pytest.mark.django_db(transaction=True)
def test_a_join_keeps_the_trace_of_its_request_until_its_content_is_deleted() -> None:
    entry = Visitor(headers={"traceparent": GIVEN}).join()
    assert (entry.trace, entry.trace_id) == (GIVEN, TRACE)
    other = Visitor(headers={"traceparent": "nonsense\n"}).join()
    assert (other.traceparent, other.trace_id) == ("", other.code.hex)
    entry.cancel()
    assert ending.erase(entry)
    entry.refresh_from_db()
    assert entry.trace_id == entry.code.hex


@pytest.mark.django_db(transaction=True)
def test_a_successor_has_the_trace_of_its_own_request() -> None:
    visitor = Visitor()
    entry = visitor.join()
    ending.leave(entry)
    answer = visitor.client.post(url(entry, "again/"), headers={"traceparent": GIVEN})
    assert answer.status_code == 303
    successor = Entry.objects.exclude(pk=entry.pk).get()
    assert (entry.trace_id, successor.trace_id) == (entry.code.hex, TRACE)


@pytest.mark.django_db(transaction=True)
def test_nobody_is_told_of_a_trace() -> None:
    visitor = Visitor(headers={"traceparent": GIVEN})
    entry = finished(visitor)
    for page in ("", "status.json"):
        assert TRACE not in visitor.client.get(url(entry, page)).content.decode()
