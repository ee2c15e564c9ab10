"""The channel layer: hints for open pages. A hint carries no content, so what another program publishes is no more.

One hint names a user. The page asks the database about its own right, so a wrong name costs one question at most.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import msgpack
from channels_redis.pubsub import RedisPubSubChannelLayer
from channels_redis.utils import decode_hosts
from redis.exceptions import TimeoutError

from queueing.line import clients

LOOK_AGAIN = "entry.changed"  # the row may have changed
PAGE_CLOSED = "entry.closed"  # another page of the entry was closed
RIGHTS_CHANGED = "rights.changed"  # a right of "user" may be over; None: of any user
# By the bytes that travel; no other message but RIGHTS_CHANGED is parsed.
HINTS: dict[bytes, str] = {msgpack.packb({"type": name}): name for name in (LOOK_AGAIN, PAGE_CLOSED)}
RIGHTS_START = msgpack.packb({"type": RIGHTS_CHANGED, "user": None}).removesuffix(msgpack.packb(None))
LONGEST_USER = 100  # bytes of the primary key of a user, as text


class HintLayer(RedisPubSubChannelLayer):
    """Channels' layer, whose messages are hints. Anything else counts as a hint to look again.

    Channels calls the consumer's method that a message names, with the message, and ends the socket at an error.
    """

    def __init__(self, hosts: Any = None, **options: Any) -> None:
        super().__init__(hosts=hosts, **options)
        self._given_hosts = hosts

    def _get_layer(self) -> Any:
        """The layer of this event loop. Its hosts may have any address that REDIS_URL may be."""
        if asyncio.get_running_loop() not in self._layers:
            hosts = decode_hosts(self._given_hosts)
            self._kwargs["hosts"] = [clients.host_of_layer(host) if "address" in host else host for host in hosts]
        return super()._get_layer()

    def deserialize(self, message: bytes) -> dict[str, Any]:
        """The hint in a message."""
        if message.startswith(RIGHTS_START) and len(message) <= len(RIGHTS_START) + LONGEST_USER:
            return _rights_changed(message.removeprefix(RIGHTS_START))
        return {"type": HINTS.get(message, LOOK_AGAIN)}

    async def new_channel(self, prefix: str = "specific.") -> str:
        """A channel for one page, as the layer makes it. One that Redis does not know is forgotten: pages try often."""
        layer = self._get_layer()
        channel = f"{layer.prefix}{prefix}{uuid.uuid4().hex}"
        try:
            await _twice(layer._subscribe_to_channel, channel)  # noqa: SLF001  # as its own `new_channel`
        except Exception:
            layer.channels.pop(channel, None)
            raise
        return channel

    async def group_add(self, group: str, channel: str) -> None:
        """Let this channel hear the group."""
        await _twice(self._get_layer().group_add, group, channel)


async def _twice(step: Callable[..., Awaitable[None]], *arguments: str) -> None:
    """Do it again after a dead connection: after a restart of Redis, the first command finds out about that.

    It may do so by a ConnectionError, or by a TypeError of asyncio (`writelines` on a closed transport in Python 3.13).
    In both cases redis-py closes the connection, and makes a new one for the next command. A Redis that hangs is not
    asked again.
    """
    try:
        await step(*arguments)
    except TimeoutError:
        raise
    except Exception:  # noqa: BLE001
        await step(*arguments)


def _rights_changed(packed_user: bytes) -> dict[str, Any]:
    try:
        user = msgpack.unpackb(packed_user)
    except ValueError:
        return {"type": LOOK_AGAIN}
    return {"type": RIGHTS_CHANGED, "user": user} if user is None or isinstance(user, str) else {"type": LOOK_AGAIN}
