"""The bound on requests and new sockets: whose turn it is, who is refused, and what need not wait."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from queueing.web import overload
from queueing.web.overload import Bounds, RequestsInTurn, Room, SocketsInTurn, Turns, turns_of

ENTRY = "/entry/7f1b4a51-1d4c-4d7c-9a55-3c5d2c9c7a10/"
NARROW = Bounds(at_once=2, longest_queue=3, patience=60, answers=overload.HTTP)


@pytest.mark.parametrize(
    ("method", "path", "is_socket", "expected"),
    [
        ("GET", "/", False, overload.PAGES),
        ("HEAD", ENTRY, False, overload.PAGES),
        ("GET", f"{ENTRY}status.json", False, overload.POLLS),
        ("POST", f"{ENTRY}goodbye/", False, overload.OTHERS),
        ("POST", "/join/tables/", False, overload.OTHERS),
        ("OPTIONS", "/", False, overload.OTHERS),
        ("GET", "/healthz", False, overload.HEALTH),
        ("GET", "/readyz", False, overload.OTHERS),
        ("GET", "/metrics", False, overload.OTHERS),
        ("GET", f"/ws{ENTRY}", True, overload.SOCKETS),
        ("GET", "/chat/", True, None),
        ("GET", "/static/queueing/style.css", False, overload.OTHERS),
        ("GET", "/admin/queueing/line/", False, overload.OTHERS),
    ],
)
def test_what_waits_for_which_turn(method: str, path: str, is_socket: bool, expected: Turns | None) -> None:
    assert turns_of(method, path, is_socket=is_socket) is expected


async def test_the_latest_is_the_first_and_a_place_is_given_on() -> None:
    room, order = Room(NARROW), list[int]()

    async def visit(number: int) -> None:
        await room.enter("a")
        order.append(number)

    waiting = [asyncio.create_task(visit(number)) for number in range(5)]
    await asyncio.sleep(0)
    assert order == [0, 1]
    assert room.is_full("a")
    for _ in range(3):
        room.leave("a")
        await asyncio.sleep(0)
    assert order == [0, 1, 4, 3, 2]
    assert not room.is_full("a")
    await asyncio.gather(*waiting)


async def test_who_gives_up_waiting_takes_no_place() -> None:
    room = Room(NARROW)
    await room.enter("a")
    await room.enter("a")
    given_up, called = (asyncio.create_task(room.enter("a")) for _ in range(2))
    await asyncio.sleep(0)
    given_up.cancel()
    await asyncio.gather(given_up, return_exceptions=True)
    room.leave("a")
    called.cancel()  # at the moment of its turn
    await asyncio.gather(called, return_exceptions=True)
    room.leave("a")
    await both_places(room)


async def test_who_is_cancelled_at_the_moment_of_a_turn_takes_no_place() -> None:
    """daphne cancels many at a time, while others end."""
    room = Room(NARROW)
    await room.enter("a")
    await room.enter("a")
    waiting = [asyncio.create_task(room.enter("a")) for _ in range(2)]
    await asyncio.sleep(0)
    for each in waiting:
        each.cancel()
    room.leave("a")
    room.leave("a")
    await asyncio.gather(*waiting, return_exceptions=True)
    await both_places(room)


async def test_who_has_waited_for_long_is_refused_though_no_place_comes() -> None:
    room = Room(replace(NARROW, patience=0.01))
    await room.enter("a")
    await room.enter("a")
    with pytest.raises(TimeoutError):
        await room.enter("a")
    room.leave("a")
    room.leave("a")
    await both_places(room)


async def test_a_crowd_of_one_address_costs_itself() -> None:
    """It has both places and the whole queue. Another one takes the place of its oldest, and the next free place."""
    room, order = Room(NARROW), list[str]()

    async def visit(address: str, name: str) -> None:
        await room.enter(address)
        order.append(name)

    crowd = [asyncio.create_task(visit("crowd", f"crowd {number}")) for number in range(5)]
    await asyncio.sleep(0)
    assert room.is_full("crowd")
    assert not room.is_full("other")
    other = asyncio.create_task(visit("other", "other"))
    await asyncio.sleep(0)
    assert room.waiting == NARROW.longest_queue
    for _ in range(3):
        room.leave("crowd")
        await asyncio.sleep(0)
    assert order == ["crowd 0", "crowd 1", "other", "crowd 4", "crowd 3"]
    with pytest.raises(TimeoutError):
        await crowd[2]
    await other
    room.leave("other")
    for address in ("crowd", "crowd"):
        room.leave(address)
    await both_places(room)


async def both_places(room: Room) -> None:
    """Take all places that there are."""
    for _ in range(NARROW.at_once):
        await asyncio.wait_for(room.enter("a"), 1)
    assert not room.is_full("a")


class Site:
    """An application that answers when it is told to."""

    def __init__(self, answer: str) -> None:
        self.answer, self.begun = answer, 0
        self.may_answer, self.may_end = asyncio.Event(), asyncio.Event()

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.begun += 1
        await self.may_answer.wait()
        await send({"type": self.answer})
        await self.may_end.wait()


async def nothing() -> Any:
    return {"type": "http.request"}


class Client:
    """One request, and the messages that it has got."""

    def __init__(self, app: Any, scope: dict[str, Any]) -> None:
        self.messages: list[dict[str, Any]] = []
        self.task = asyncio.create_task(app(scope, nothing, self.send))

    async def send(self, message: dict[str, Any]) -> None:
        self.messages.append(message)


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at once, and three that wait."""
    for name in ("PAGES", "SOCKETS"):
        monkeypatch.setattr(overload, name, Turns(replace(NARROW, answers=getattr(overload, name).bounds.answers)))


CLIENT = {"headers": [], "client": ["192.0.2.1", 1]}
PAGE = {"type": "http", "method": "GET", "path": "/"} | CLIENT
SOCKET = {"type": "websocket", "path": f"/ws{ENTRY}"} | CLIENT


@pytest.mark.usefixtures("narrow")
async def test_a_page_behind_a_long_queue_is_refused_and_told_when_to_come_again() -> None:
    site = Site("http.response.start")
    clients = [Client(RequestsInTurn(site), PAGE) for _ in range(6)]
    await asyncio.sleep(0)
    assert site.begun == 2
    start, body = clients[-1].messages
    assert start["status"] == 503
    assert (b"Retry-After", b"5") in start["headers"]
    assert b"too much to do" in body["body"]
    health = Client(RequestsInTurn(site), PAGE | {"path": "/healthz"})
    await asyncio.sleep(0)
    assert site.begun == 3
    site.may_answer.set()
    async with asyncio.timeout(10):
        while site.begun < 6:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0)
    assert site.begun == 6  # an answer that has begun holds no place, however slowly it is read
    site.may_end.set()
    await asyncio.gather(*(client.task for client in (*clients, health)))


@pytest.mark.usefixtures("narrow")
async def test_a_socket_behind_a_long_queue_is_refused_before_its_handshake_is_over() -> None:
    site = Site("websocket.send")
    clients = [Client(SocketsInTurn(site), SOCKET) for _ in range(6)]
    await asyncio.sleep(0)
    assert site.begun == 2
    assert clients[-1].messages == [{"type": "websocket.close"}]
    site.may_answer.set()
    site.may_end.set()
    await asyncio.gather(*(client.task for client in clients))
    assert site.begun == 5


async def test_a_socket_whose_page_must_have_given_up_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be present for a moment, and then held."""
    bounds = replace(NARROW, patience=0.01, answers=overload.SOCKET)
    monkeypatch.setattr(overload, "SOCKETS", Turns(bounds))
    site = Site("websocket.send")
    for _ in range(bounds.at_once):
        await overload.SOCKETS.room.enter("a")
    late = Client(SocketsInTurn(site), SOCKET)
    await late.task
    assert (late.messages, site.begun) == ([{"type": "websocket.close"}], 0)


@pytest.mark.usefixtures("narrow")
async def test_an_application_that_fails_gives_its_place_back() -> None:
    async def broken(*_: Any) -> None:
        raise RuntimeError

    for _ in range(5):
        with pytest.raises(RuntimeError):
            await RequestsInTurn(broken)(PAGE, nothing, nothing)
