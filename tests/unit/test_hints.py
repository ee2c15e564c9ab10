"""Open pages are told to look again whenever their entry moved."""

from collections.abc import Callable, Iterator

import pytest
import redis

from queueing import ending, events
from queueing.models import Entry
from queueing.states import Reason

Join = Callable[..., Entry]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def fail(entry: Entry) -> None:
    assert entry.fail(Reason.ERROR)
    ending.finish(entry)


def settle(entry: Entry) -> None:
    assert ending.settle_orphan(entry, "died")


@pytest.fixture
def pages(valkey: redis.Redis) -> Iterator[redis.client.PubSub]:
    """The hints that the web processes hear."""
    heard = valkey.pubsub(ignore_subscribe_messages=True)
    heard.psubscribe(events.GROUP_CHANNEL.format(group="entry.*"))
    heard.get_message(timeout=5)
    yield heard
    heard.close()


@pytest.mark.parametrize("move", [ending.leave, ending.keep, fail, settle])
def test_a_move_is_hinted(join: Join, pages: redis.client.PubSub, move: Callable[[Entry], object]) -> None:
    entry = join()
    if move in (fail, settle):
        assert entry.start("w1")
    move(entry)
    message = pages.get_message(timeout=5)
    assert message is not None
    assert message["channel"].decode() == events.GROUP_CHANNEL.format(group=events.group_name(entry.code))
