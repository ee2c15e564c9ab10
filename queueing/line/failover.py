"""Connections that follow a failover.

A server that has become a replica answers questions, and refuses writes with READONLY. Its open connections would stay
with it for ever. So after one such refusal, each connection of this process is made anew before its next command: the
new one leads to the server that has the address now.
"""

from typing import Any

import redis
import redis.asyncio.connection
from redis.connection import AbstractConnection

type AsyncConnection = redis.asyncio.connection.AbstractConnection


class Refusals:
    """The refusals that this process has heard. A connection of an earlier number is made anew."""

    number = 0

    def note(self) -> None:
        self.number += 1


refusals = Refusals()


class Following(AbstractConnection):
    """A connection that follows."""

    _made_after = 0  # refusals

    def send_packed_command(self, *args: Any, **options: Any) -> None:
        """Send a command, over a new connection if a write has been refused since this one was made."""
        if self._made_after != refusals.number:
            self._made_after = refusals.number  # first, because connecting sends commands, too
            self.disconnect()
        super().send_packed_command(*args, **options)

    def read_response(self, *args: Any, **options: Any) -> Any:
        """The answer to a command."""
        try:
            return super().read_response(*args, **options)
        except redis.exceptions.ReadOnlyError:
            refusals.note()
            raise


class AsyncFollowing(redis.asyncio.connection.AbstractConnection):
    """As `Following`, for an event loop."""

    _made_after = 0

    async def send_packed_command(self, *args: Any, **options: Any) -> None:
        """As `Following.send_packed_command`."""
        if self._made_after != refusals.number:
            self._made_after = refusals.number
            await self.disconnect(nowait=True)
        await super().send_packed_command(*args, **options)

    async def read_response(self, *args: Any, **options: Any) -> Any:
        """The answer to a command."""
        try:
            return await super().read_response(*args, **options)
        except redis.exceptions.ReadOnlyError:
            refusals.note()
            raise


def following(kind: type[AbstractConnection]) -> type[AbstractConnection]:
    """The class of connection (TCP, TLS or Unix socket) that follows."""
    return type(f"Following{kind.__name__}", (Following, kind), {})


def async_following(kind: type[AsyncConnection]) -> type[AsyncConnection]:
    """As `following`, for an event loop."""
    return type(f"Following{kind.__name__}", (AsyncFollowing, kind), {})
