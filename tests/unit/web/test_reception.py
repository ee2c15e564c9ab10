"""The reception: sockets that come together are answered as each of them alone would be."""

import asyncio
import uuid
from types import ModuleType
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from queueing.models import Entry
from queueing.web import reception, snapshot
from queueing.web.reception import Arrival, Found, Reception, find_all
from queueing.web.sessions import read_sessions
from tests.support.visitors import Visitor, staff

pytestmark = pytest.mark.django_db(transaction=True)


def arrival(visitor: Visitor, code: uuid.UUID, told_status: str = "waiting") -> Arrival:
    cookie = visitor.client.cookies.get("sessionid")
    cookies = {"sessionid": cookie.value} if cookie else {}
    return Arrival({"client": ["192.0.2.1", 1], "headers": [], "cookies": cookies}, code, told_status)


def joined(count: int) -> list[tuple[Visitor, Entry]]:
    visitors = [Visitor() for _ in range(count)]
    return [(visitor, visitor.join()) for visitor in visitors]


def queries_of(arrivals: list[Arrival]) -> int:
    with CaptureQueriesContext(connection) as queries:
        assert all(isinstance(answer, Found) for answer in find_all(arrivals))
    return len(queries)


def test_many_cost_as_many_queries_as_one() -> None:
    pages = joined(12)
    Entry.objects.update(seen_at=timezone.now())
    arrivals = [arrival(visitor, entry.code) for visitor, entry in pages]
    assert queries_of(arrivals[:1]) == queries_of(arrivals) == 2


def test_each_gets_an_answer_of_its_own() -> None:
    (owner, entry), (stranger, other) = joined(2)
    arrivals = [
        arrival(owner, entry.code),
        arrival(stranger, entry.code),
        arrival(stranger, other.code, "running"),
        arrival(staff("view"), entry.code),
        arrival(staff(), entry.code),
        arrival(owner, uuid.uuid4()),
        arrival(owner, entry.code),  # a second tab
    ]
    answers: list[Any] = find_all(arrivals)
    assert [bool(answer) for answer in answers] == [True, False, True, True, False, False, True]
    first, _, another, looker, *_, tab = answers
    assert (first.is_owner, looker.is_owner) == (True, False)
    assert (first.frame["position"], another.frame["position"]) == (1, 2)
    assert ("html" in first.frame, "html" in another.frame) == (False, True)  # its page shows another status
    assert first.entry is not tab.entry
    entry.refresh_from_db()
    assert entry.seen_at is not None


def test_a_session_that_is_over_sees_nothing() -> None:
    [(owner, entry)] = joined(1)
    Session.objects.update(expire_date=timezone.now())
    assert find_all([arrival(owner, entry.code)]) == [None]


@pytest.mark.postgres
def test_a_cookie_that_no_database_takes_harms_nobody_else() -> None:
    [(owner, entry)] = joined(1)
    strange = arrival(owner, entry.code)
    strange.scope["cookies"]["sessionid"] = "\0abcdefgh"
    nobody, found = find_all([strange, arrival(owner, entry.code)])
    assert nobody is None
    assert isinstance(found, Found)


@pytest.mark.parametrize(("module", "name"), [(reception, "frame_of"), (snapshot, "of")])
def test_an_error_of_one_is_no_error_of_the_others(
    monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str
) -> None:
    pages = joined(2)
    arrivals = [arrival(visitor, entry.code) for visitor, entry in pages]
    usual = getattr(module, name)

    def broken(entry: Entry, *args: Any, **kwargs: Any) -> Any:
        if entry.code == arrivals[0].code:
            raise LookupError("a template that is broken")
        return usual(entry, *args, **kwargs)

    monkeypatch.setattr(module, name, broken)
    bad, good = find_all(arrivals)
    assert isinstance(bad, LookupError)
    assert isinstance(good, Found)


def test_a_page_that_goes_away_meanwhile_takes_nothing_from_the_others() -> None:
    pages = joined(3)

    async def come() -> list[Any]:
        desk = Reception()
        asked = [asyncio.create_task(desk.find(arrival(visitor, entry.code))) for visitor, entry in pages]
        await asyncio.sleep(0)
        asked[1].cancel()
        return list(await asyncio.gather(*asked, return_exceptions=True))

    first, gone, last = asyncio.run(come())
    assert isinstance(gone, asyncio.CancelledError)
    assert [found.entry.code for found in (first, last)] == [pages[0][1].code, pages[2][1].code]


def test_without_a_database_each_is_told_and_the_next_one_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    [(visitor, entry)] = joined(1)
    tries = iter([OperationalError("away"), None])

    def away(keys: Any) -> Any:
        if error := next(tries):
            raise error
        return read_sessions(keys)

    monkeypatch.setattr(reception, "read_sessions", away)

    async def come() -> Found | None:
        desk = Reception()
        asked = [desk.find(arrival(visitor, entry.code)) for _ in range(3)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert [type(answer) for answer in answers] == [OperationalError] * 3
        return await desk.find(arrival(visitor, entry.code))

    assert asyncio.run(come()) is not None
