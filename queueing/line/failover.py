"""Connections that follow a failover.

A server that has become a replica answers questions, and refuses writes with READONLY. Its open connections would stay
with it for ever. So after one such refusal, each connection of this process is made anew before its next command: the
new one leads to the server that has the address now. What sentinels say counts as much as a refusal: `sentinels.py`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

import redis
import redis.asyncio.connection
from redis.connection import AbstractConnection

LISTEN = 2.0  # seconds that a subscriber listens at a time
# Seconds that the server may keep an answer back, beside those in which it has to answer.
_held_back: ContextVar[float] = ContextVar("held_back", default=0.0)

type AsyncConnection = redis.asyncio.connection.AbstractConnection


@contextmanager
def may_be_held_back(seconds: float) -> Iterator[None]:
    """Around a command that blocks, so that all others need not be given its time, too."""
    token = _held_back.set(seconds)
    try:
        yield
    finally:
        _held_back.reset(token)


class Refusals:
    """The refusals that this process has heard at one address. A connection of an earlier number is made anew."""

    number = 0

    def note(self) -> None:
        self.number += 1


refusals = Refusals()  # at REDIS_URL, and of RQ's own connections


@cache
def refusals_of(own: str) -> Refusals:
    """The refusals at an own address, as `clients.own_address` has it."""
    return Refusals() if own else refusals


class Following(AbstractConnection):
    """A connection that follows."""

    refusals = refusals
    _made_after = 0  # refusals

    def look_for_a_move(self) -> None:
        """Before a command: ask where the primary is, if there is somebody to ask."""

    def _connect(self) -> Any:
        self._made_after = self.refusals.number  # first, because what follows may send commands
        return super()._connect()  # type: ignore[safe-super]  # the other base has it

    def on_connect_check_health(self, check_health: bool = True) -> None:
        """The first words with the server: a server that hangs has no longer for them than for the connect."""
        if self._sock is not None:
            self._sock.settimeout(self.socket_connect_timeout)
        with may_be_held_back(0):
            super().on_connect_check_health(check_health=check_health)
        if self._sock is not None:
            self._sock.settimeout(self.socket_timeout)

    def send_packed_command(self, *args: Any, **options: Any) -> None:
        """Send a command, over a new connection if a write has been refused since this one was made.

        The connection of a subscriber is left where it is read, in `can_read`.
        """
        self.look_for_a_move()
        if self._is_left_behind and not self._connect_callbacks:
            self._made_after = self.refusals.number  # first, because connecting sends commands, too
            self.disconnect()
        super().send_packed_command(*args, **options)

    def can_read(self, timeout: float = 0) -> bool:
        """As redis-py's own, which connects first if need be; a subscriber subscribes again then.

        The wait is short, because RQ's worker would listen to a server that is gone for a minute.
        """
        self.look_for_a_move()
        if self._is_left_behind:
            self.disconnect()
        return super().can_read(min(timeout, LISTEN))

    def read_response(self, *args: Any, **options: Any) -> Any:
        """The answer to a command."""
        if seconds := _held_back.get():
            options.setdefault("timeout", (self.socket_timeout or 0) + seconds)
        try:
            return super().read_response(*args, **options)
        except redis.exceptions.ReadOnlyError:
            self.refusals.note()
            raise

    @property
    def _is_left_behind(self) -> bool:
        return self._made_after != self.refusals.number


class AsyncFollowing(redis.asyncio.connection.AbstractConnection):
    """As `Following`, for an event loop."""

    refusals = refusals
    _made_after = 0

    def look_for_a_move(self) -> None:
        """As `Following.look_for_a_move`."""

    async def _connect(self) -> None:
        self._made_after = self.refusals.number
        await super()._connect()  # type: ignore[safe-super]

    async def send_packed_command(self, *args: Any, **options: Any) -> None:
        """As `Following.send_packed_command`."""
        self.look_for_a_move()
        if self._is_left_behind and not self._connect_callbacks:
            self._made_after = self.refusals.number
            await self.disconnect(nowait=True)
        await super().send_packed_command(*args, **options)

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """The answer to a command, or what a subscriber hears. Its error makes redis-py connect and subscribe again."""
        if options.get("push_request"):
            self.look_for_a_move()
            if self._is_left_behind:
                raise redis.ConnectionError("the primary is another server now")
        try:
            return await super().read_response(*args, **options)
        except redis.exceptions.ReadOnlyError:
            self.refusals.note()
            raise

    @property
    def _is_left_behind(self) -> bool:
        return self._made_after != self.refusals.number


def following(kind: type[AbstractConnection], own: str = "") -> type[AbstractConnection]:
    """The class of connection (TCP, TLS or Unix socket) that follows, at an own address."""
    bases = (kind,) if issubclass(kind, Following) else (Following, kind)
    return type(f"Following{kind.__name__}", bases, {"refusals": refusals_of(own)})


def async_following(kind: type[AsyncConnection], own: str = "") -> type[AsyncConnection]:
    """As `following`, for an event loop."""
    bases = (kind,) if issubclass(kind, AsyncFollowing) else (AsyncFollowing, kind)
    return type(f"Following{kind.__name__}", bases, {"refusals": refusals_of(own)})


def follow(client: redis.Redis, *, timeout: float) -> None:
    """Have the connections of a client follow that somebody else has made, as RQ does for its workers."""
    pool = client.connection_pool
    if not issubclass(pool.connection_class, Following):
        pool.connection_class = following(pool.connection_class)
        pool.reset()  # connections of the other class
    pool.connection_kwargs.update(socket_timeout=timeout, socket_connect_timeout=timeout)
