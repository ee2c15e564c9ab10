"""Hints: "look again at this entry". A hint may be lost: the row is the truth, and pages ask again by themselves."""

import logging
import uuid

from channels.layers import get_channel_layer

from queueing.line.clients import RedisError, SyncRedis, connection, told
from queueing.line.hints import LOOK_AGAIN, RIGHTS_CHANGED

logger = logging.getLogger("queueing")

# The Pub/Sub channel of a group, as channels_redis.pubsub names it.
GROUP_CHANNEL = "asgi__group__{group}"


def group_name(code: uuid.UUID) -> str:
    """The channel layer's group of the pages of one entry."""
    return f"entry.{code.hex}"


# The group of the pages of all users who are signed in.
RIGHTS_GROUP = "rights"


def publish(code: uuid.UUID, event: str = LOOK_AGAIN, client: SyncRedis | None = None) -> bool:
    """Tell the open pages of an entry that its row has changed, or that one of them was closed.

    Never raises; False when the hint could not be sent.

    The layer's own `group_send` would need an event loop and a new connection each time: 2 ms instead of 0.1.
    """
    return _send(group_name(code), {"type": event}, client or connection(), f"for entry {code}")


def publish_rights(user_id: str | None) -> bool:
    """Tell the open pages of this user that a right may be over; None: the pages of all users. Never raises."""
    message = {"type": RIGHTS_CHANGED, "user": user_id}
    return _send(RIGHTS_GROUP, message, connection(), f"on the rights of user {user_id}")


def _send(group: str, message: dict[str, str | None], client: SyncRedis, what: str) -> bool:
    try:
        client.publish(GROUP_CHANNEL.format(group=group), get_channel_layer().serialize(message))
    except RedisError as error:
        logger.warning("No hint could be sent %s: %s", what, told(error))
        return False
    except Exception:
        logger.warning("No hint could be sent %s", what, exc_info=True)
        return False
    return True
