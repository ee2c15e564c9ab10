"""Hints: "look again at this entry". They may be lost; the row is the truth, and pages ask again by themselves."""

import logging
import uuid

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

logger = logging.getLogger("queueing")


def group_name(code: uuid.UUID) -> str:
    """The channel layer's group of the pages of one entry."""
    return f"entry.{code.hex}"


def publish(code: uuid.UUID) -> None:
    """Tell the open pages of an entry that its row has changed. Never raises; costs about 2 ms."""
    try:
        async_to_sync(get_channel_layer().group_send)(group_name(code), {"type": "entry.changed"})
    except Exception:
        logger.warning("No hint could be sent for entry %s", code, exc_info=True)
