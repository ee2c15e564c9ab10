"""The socket of a page, as a plain ASGI app: a right that ends while the page is on its way in."""

import asyncio
import json
import uuid
from typing import Any

import pytest
import redis
from channels.layers import get_channel_layer
from django.contrib.auth.models import User

from queueing.line.keys import presence_key
from queueing.line.places import get_line
from queueing.web.consumers import RIGHT_IS_OVER, EntryConsumer
from queueing.web.reception import Found
from tests.support.visitors import Visitor, finished, staff

pytestmark = pytest.mark.django_db(transaction=True)


class Overtaken(EntryConsumer):
    """A socket whose visitor loses the right as soon as the row was read, before any hint is heard."""

    async def _find_or_close(self, code: uuid.UUID) -> Found | None:
        found = await super()._find_or_close(code)
        await User.objects.aupdate(is_active=False)
        return found


def scope_of(visitor: Visitor, code: uuid.UUID) -> dict[str, Any]:
    cookies = {"sessionid": visitor.client.cookies["sessionid"].value}
    scope = {"type": "websocket", "client": ["192.0.2.1", 1], "headers": [], "cookies": cookies, "query_string": b""}
    return scope | {"url_route": {"kwargs": {"code": code}}}


async def answers(consumer: EntryConsumer, visitor: Visitor, code: uuid.UUID) -> list[dict[str, Any]]:
    """All that the server sends until it closes this socket, or has sent a frame."""
    events: asyncio.Queue[Any] = asyncio.Queue()
    sent: list[dict[str, Any]] = []
    over = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)
        if message["type"] != "websocket.accept":
            over.set()

    events.put_nowait({"type": "websocket.connect"})
    page = asyncio.create_task(consumer(scope_of(visitor, code), events.get, send))
    await asyncio.wait_for(over.wait(), 10)
    events.put_nowait({"type": "websocket.disconnect", "code": 1006})
    await asyncio.wait([page], timeout=10)
    await get_channel_layer().flush()
    return sent


def test_a_right_that_ends_before_hints_are_heard_closes_the_socket() -> None:
    looker, entry = staff("view"), Visitor().join()
    sent = asyncio.run(answers(Overtaken(), looker, entry.code))
    assert [message["type"] for message in sent] == ["websocket.accept", "websocket.close"]
    assert sent[-1]["code"] == RIGHT_IS_OVER


def test_a_page_that_has_given_up_before_its_accept_gets_no_seat(valkey: redis.Redis) -> None:
    """Its visitor was there a moment ago, and is on the way back: neither present now, nor held."""
    visitor = Visitor()
    entry = visitor.join()
    before = valkey.pttl(presence_key(entry.job_id))

    async def gone(_message: dict[str, Any]) -> None:
        raise ConnectionError

    async def come_and_go() -> None:
        events: asyncio.Queue[Any] = asyncio.Queue()
        events.put_nowait({"type": "websocket.connect"})
        await asyncio.wait_for(EntryConsumer()(scope_of(visitor, entry.code), events.get, gone), 10)
        await get_channel_layer().flush()

    asyncio.run(come_and_go())
    assert valkey.pttl(presence_key(entry.job_id)) <= before
    assert not get_line(entry.queue).held_ids()


@pytest.mark.parametrize(("permissions", "shown"), [(["view"], False), (["view", "content"], True)])
def test_a_socket_of_staff_has_the_result_by_permission_only(permissions: list[str], shown: bool) -> None:
    entry = finished(Visitor())
    sent = asyncio.run(answers(EntryConsumer(), staff(*permissions), entry.code))
    frame = next(json.loads(message["text"]) for message in sent if message["type"] == "websocket.send")
    assert frame["status"] == "succeeded"
    assert ("You may not see what is in it" in frame["html"]) is not shown
    assert ('class="result"' in frame["html"]) is shown
