"""Stock RQ on the line of the tests."""

from collections.abc import Iterator

import pytest
import redis
from django.conf import settings
from rq.queue import Queue
from rq.serializers import JSONSerializer

from queueing.work.worker import PresenceWorker


@pytest.fixture
def client() -> Iterator[redis.Redis]:
    """A client of the test's own: a worker changes the timeouts and the name of its connection."""
    client = redis.Redis.from_url(settings.REDIS_URL)
    yield client
    client.close()


@pytest.fixture
def stock(client: redis.Redis) -> Queue:
    """A plain queue of the same name as `queue`. RQ builds such queues in many places."""
    return Queue("probe", connection=client, serializer=JSONSerializer)


@pytest.fixture
def worker(client: redis.Redis) -> PresenceWorker:
    """A worker whose `work` is never called; tests call its methods one by one, as RQ does."""
    worker = PresenceWorker(["probe"], name="ours", connection=client)
    worker.register_birth()
    return worker
