"""The beginning of a test: nobody is in the queue, and the Redis of the settings is empty.

That Redis is emptied before each test. So it must be one for tests: a database that was empty before the first test. A
mark in it says so to later tests, and to a run after one that was killed. It is taken away with the last test.
"""

import os
import socket
from contextlib import suppress
from urllib.parse import urlsplit

from django.conf import settings

from queueing.conf import conf, site
from queueing.exceptions import UnfitForTests
from queueing.line import epoch
from queueing.line.clients import RedisError, SyncRedis, connection
from queueing.line.epoch import EpochWait
from queueing.line.keys import line_keys
from queueing.line.places import get_line
from queueing.testing.presence import watch_since

MARK = "queueing:testing"  # string "<host>:<pid>": tests of that process may empty this Redis. Lives MARK_TTL
MARK_TTL = 3600  # seconds; longer than one test
_taken: set[str] = set()  # addresses of the Redis that tests of this process empty, whatever a test does to the mark


def begin() -> None:
    """Empty the Redis of the settings, and let all lines be ready: open, watched, with a keeper that has been there.

    Raises UnfitForTests, with a sentence that says what to do.
    """
    client = connection()
    if site.REDIS_URL not in _taken:
        _take(client)
        _taken.add(site.REDIS_URL)
    client.flushdb()
    client.set(MARK, _me(), ex=MARK_TTL)
    begin_epochs(client)
    watch_since(conf.LOST_GRACE + 1, life=MARK_TTL)


def end() -> None:
    """Leave nothing in the Redis of the tests."""
    if site.REDIS_URL in _taken:
        _taken.remove(site.REDIS_URL)
        with suppress(RedisError):
            connection().flushdb()


def begin_epochs(client: SyncRedis) -> None:
    """As if a keeper had just given all rows of each line their places: claims wait for nothing."""
    server, queues = epoch.run_id(client), list(settings.QUEUEING_TASKS)
    client.mset({line_keys(queue).epoch: server for queue in queues})
    for queue in queues:
        get_line(queue).epoch_wait = EpochWait(queue)


def _take(client: SyncRedis) -> None:
    try:
        mark, size = _mark(client), client.dbsize()
    except RedisError as error:
        raise UnfitForTests(
            f"No Redis answers at {_address()} ({error}). Start one (`valkey-server`), or name another one in the "
            f"settings of the tests: {_line(15)}"
        ) from None
    if not mark and size:
        raise UnfitForTests(
            f"The Redis at {_address()} has {size} keys, and a test empties it. Name a database for tests alone in "
            f"their settings: {_line(15)}"
        )
    if mark and _is_of_another_run(mark):
        raise UnfitForTests(
            f"Other tests ({mark}) use the Redis at {_address()}. Give each process one of its own, with pytest-xdist "
            f"by the number in PYTEST_XDIST_WORKER: {_line(14)}"
        )


def _mark(client: SyncRedis) -> str:
    found = client.get(MARK)
    return found.decode(errors="replace") if isinstance(found, bytes) else ""


def _me() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _is_of_another_run(mark: str) -> bool:
    """True if the process of this mark lives. One on another machine cannot be asked."""
    host, _, pid = mark.rpartition(":")
    if mark == _me() or host != socket.gethostname() or not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def _address() -> str:
    """The address in the settings, without its password."""
    parts = urlsplit(site.REDIS_URL)
    return site.REDIS_URL.replace(f":{parts.password}@", ":…@") if parts.password else str(site.REDIS_URL)


def _line(number: int) -> str:
    return f'QUEUEING["REDIS_URL"] = "redis://127.0.0.1:6379/{number}"'
