"""The turnstile as a plain ASGI app: sockets by address and by visitor, before anything is read."""

import asyncio
from typing import Any

import pytest

from queueing.web import meter, turnstile
from queueing.web.address import network_key
from queueing.web.turnstile import Turnstile

LIMITS = {"MAX_PAGES_PER_VISITOR": 3, "MAX_PAGES_PER_ADDRESS": 5}


@pytest.fixture(autouse=True)
def _limits(settings: Any) -> None:
    settings.QUEUEING = LIMITS


class Sockets:
    """Sockets behind a turnstile. Those that are let in stay until they are told to go."""

    def __init__(self) -> None:
        self.turnstile = Turnstile(self._stay)
        self.leave = asyncio.Event()
        self.inside = 0

    async def _stay(self, _scope: Any, _receive: Any, _send: Any) -> None:
        self.inside += 1
        await self.leave.wait()

    async def open(self, visitor: str, address: str = "192.0.2.1") -> bool:
        """True if this socket is let in."""
        before, sent = self.inside, []

        async def send(message: Any) -> None:
            sent.append(message["type"])

        events: asyncio.Queue[Any] = asyncio.Queue()
        for kind in ("connect", "disconnect"):
            events.put_nowait({"type": f"websocket.{kind}", "code": 1006})
        cookies = {"sessionid": visitor} if visitor else {}
        scope = {"type": "websocket", "client": [address, 1], "headers": [], "cookies": cookies}
        self.task = asyncio.create_task(self.turnstile(scope, events.get, send))
        await asyncio.sleep(0.01)
        if self.inside > before:
            return True
        await self.task
        assert sent == ["websocket.close"]  # before accept: 403
        return False

    async def close_all(self) -> None:
        self.leave.set()
        await asyncio.sleep(0.01)
        self.leave = asyncio.Event()


async def test_a_visitor_has_so_many_sockets_and_no_more() -> None:
    sockets = Sockets()
    assert [await sockets.open("a" * 32) for _ in range(5)] == [True] * 3 + [False] * 2
    assert await sockets.open("b" * 32)
    await sockets.close_all()
    assert await sockets.open("a" * 32)
    await sockets.close_all()
    assert sockets.turnstile._inside == {}


async def test_an_address_has_so_many_sockets_whatever_its_cookies() -> None:
    sockets = Sockets()
    assert [await sockets.open(f"{number:032}") for number in range(7)] == [True] * 5 + [False] * 2
    assert await sockets.open("c" * 32, "192.0.2.2")
    await sockets.close_all()


async def test_a_network_of_ipv6_is_one_address() -> None:
    sockets = Sockets()
    answers = [await sockets.open(f"{number:032}", f"2001:db8::{number}") for number in range(1, 8)]
    assert answers == [True] * 5 + [False] * 2
    await sockets.close_all()


async def test_a_handshake_without_a_session_goes_no_further() -> None:
    sockets = Sockets()
    assert not await sockets.open("")
    assert sockets.inside == 0


async def test_handshakes_that_end_at_once_are_bounded_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turnstile, "PERIOD", 1000)  # none is paid off meanwhile
    sockets = Sockets()
    answers = []
    for number in range(20):
        answers.append(await sockets.open(f"{number:032}"))
        await sockets.close_all()
    assert sum(answers) == 5  # as many as sockets
    sockets.turnstile._handshakes.paid_at.clear()  # as time does
    assert await sockets.open("d" * 32)
    await sockets.close_all()


async def test_without_addresses_only_visitors_are_bounded() -> None:
    sockets = Sockets()
    assert all([await sockets.open(f"{number:032}", "") for number in range(20)])
    await sockets.close_all()


async def test_a_school_behind_one_address_is_let_in(settings: Any) -> None:
    settings.QUEUEING = {}
    sockets = Sockets()
    for _ in ("opened", "opened again after a restart"):
        assert all([await sockets.open(f"{number // 3:032}") for number in range(90)])
        await sockets.close_all()


async def test_the_addresses_that_are_remembered_are_so_many_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(meter, "MOST_ADDRESSES", 3)
    sockets = Sockets()
    for number in range(6):
        assert await sockets.open(f"{number:032}", f"192.0.2.{number}")
    assert len(sockets.turnstile._handshakes.paid_at) == 3
    assert await sockets.open("d" * 32, "192.0.2.3")  # the one that was silent for longest, until now
    assert await sockets.open("e" * 32, "192.0.2.9")
    assert network_key("192.0.2.3") in sockets.turnstile._handshakes.paid_at
    assert network_key("192.0.2.4") not in sockets.turnstile._handshakes.paid_at
    await sockets.close_all()
