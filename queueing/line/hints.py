"""The channel layer: hints for open pages. A hint carries no content, so what another program publishes is no more.

One hint names a user. The page asks the database about its own right, so a wrong name costs one question at most.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

import msgpack
from channels_redis.pubsub import RedisPubSubChannelLayer, RedisSingleShardConnection
from channels_redis.utils import decode_hosts
from redis.exceptions import TimeoutError

from queueing import serving
from queueing.line import clients

LOOK_AGAIN = "entry.changed"  # the row may have changed
PAGE_CLOSED = "entry.closed"  # another page of the entry was closed
RIGHTS_CHANGED = "rights.changed"  # a right of "user" may be over; None: of any user
# By the bytes that travel; no other message but RIGHTS_CHANGED is parsed.
HINTS: dict[bytes, str] = {msgpack.packb({"type": name}): name for name in (LOOK_AGAIN, PAGE_CLOSED)}
RIGHTS_START = msgpack.packb({"type": RIGHTS_CHANGED, "user": None}).removesuffix(msgpack.packb(None))
TRIES = 3  # to join a group
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
            layer = super()._get_layer()
            layer._shards = [Shard(shard.host, layer) for shard in layer._shards]  # noqa: SLF001  # no hook for another
        return super()._get_layer()

    def deserialize(self, message: bytes) -> dict[str, Any]:
        """The hint in a message."""
        if message.startswith(RIGHTS_START) and len(message) <= len(RIGHTS_START) + LONGEST_USER:
            return _rights_changed(message.removeprefix(RIGHTS_START))
        return {"type": HINTS.get(message, LOOK_AGAIN)}

    async def new_channel(self, prefix: str = "specific.") -> str:
        """A channel for one page, which hears groups only: nobody sends to it, so Redis need not know it."""
        layer = self._get_layer()
        channel = f"{layer.prefix}{prefix}{uuid.uuid4().hex}"
        layer.channels[channel] = asyncio.Queue()
        return channel

    async def group_add(self, group: str, channel: str) -> None:
        """Let this channel hear the group."""
        await _until_heard(self._get_layer().group_add, group, channel)


class Shard(RedisSingleShardConnection):
    """A connection that sends the changes of all subscriptions that are asked for at the same time in one go.

    Channels' own takes a lock for each. A lock is handed over once in a turn of the event loop, and a turn is long when
    thousands of pages come back: the last one would wait for thousands of turns.
    """

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._wanted: dict[str, bool] = {}  # by channel: to hear it, or not to hear it any more
        self._change: asyncio.Task[None] | None = None

    async def subscribe(self, channel: str) -> None:
        await self._changed(channel, True)

    async def unsubscribe(self, channel: str) -> None:
        if not serving.is_ending():  # then the whole connection ends soon, and thousands of pages need not wait
            await self._changed(channel, False)

    async def _changed(self, channel: str, is_wanted: bool) -> None:
        self._wanted[channel] = is_wanted
        if self._change is None:
            self._change = asyncio.create_task(self._send_changes())
            self._change.add_done_callback(_seen)
        await asyncio.shield(self._change)

    async def _send_changes(self) -> None:
        async with self._lock:
            wanted, self._wanted, self._change = self._wanted, {}, None
            self._ensure_redis()
            self._ensure_receiver()
            heard = self._subscribed_to
            if over := [channel for channel, is_wanted in wanted.items() if not is_wanted and channel in heard]:
                await self._pubsub.unsubscribe(*over)
                heard.difference_update(over)
            if new := [channel for channel, is_wanted in wanted.items() if is_wanted and channel not in heard]:
                await self._pubsub.subscribe(*new)
                heard.update(new)


def _seen(change: asyncio.Task[None]) -> None:
    """Nobody may wait for the change any more: then its error is nobody's."""
    if not change.cancelled():
        change.exception()


async def _until_heard(step: Callable[..., Awaitable[None]], *arguments: str) -> None:
    """Do it again after a dead connection: after a restart of Redis, the first command finds out about that.

    It may do so by a ConnectionError, or by a TypeError of asyncio (`writelines` on a closed transport in Python 3.13).
    In both cases redis-py closes the connection, and makes a new one for the next command; the task that reads may find
    out a moment later, and close that, too. A Redis that hangs is not asked again.
    """
    for left in reversed(range(TRIES)):
        try:
            await step(*arguments)
        except TimeoutError:
            raise
        except Exception:
            if not left:
                raise
        else:
            return


def _rights_changed(packed_user: bytes) -> dict[str, Any]:
    try:
        user = msgpack.unpackb(packed_user)
    except ValueError:
        return {"type": LOOK_AGAIN}
    return {"type": RIGHTS_CHANGED, "user": user} if user is None or isinstance(user, str) else {"type": LOOK_AGAIN}
