"""The channel layer: hints for open pages. A hint carries no content, so what another program publishes is no more."""

from typing import Any

import msgpack
from channels_redis.pubsub import RedisPubSubChannelLayer

LOOK_AGAIN = "entry.changed"  # the row may have changed
PAGE_CLOSED = "entry.closed"  # another page of the entry was closed
# By the bytes that travel; no other message is parsed.
HINTS: dict[bytes, str] = {msgpack.packb({"type": name}): name for name in (LOOK_AGAIN, PAGE_CLOSED)}


class HintLayer(RedisPubSubChannelLayer):
    """Channels' layer, whose messages are hints. Anything else counts as a hint to look again.

    Channels calls the consumer's method that a message names, with the message, and ends the socket at an error.
    """

    def deserialize(self, message: bytes) -> dict[str, Any]:
        """The hint in a message."""
        return {"type": HINTS.get(message, LOOK_AGAIN)}
