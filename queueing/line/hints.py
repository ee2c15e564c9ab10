"""The channel layer: hints for open pages. A hint carries no content, so what another program publishes is no more.

One hint names a user. The page asks the database about its own right, so a wrong name costs one question at most.
"""

from typing import Any

import msgpack
from channels_redis.pubsub import RedisPubSubChannelLayer

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

    def deserialize(self, message: bytes) -> dict[str, Any]:
        """The hint in a message."""
        if message.startswith(RIGHTS_START) and len(message) <= len(RIGHTS_START) + LONGEST_USER:
            return _rights_changed(message.removeprefix(RIGHTS_START))
        return {"type": HINTS.get(message, LOOK_AGAIN)}


def _rights_changed(packed_user: bytes) -> dict[str, Any]:
    try:
        user = msgpack.unpackb(packed_user)
    except ValueError:
        return {"type": LOOK_AGAIN}
    return {"type": RIGHTS_CHANGED, "user": user} if user is None or isinstance(user, str) else {"type": LOOK_AGAIN}
