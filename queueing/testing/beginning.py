"""The beginning of a test: nobody is in the queue, and the Redis of the settings is empty.

That Redis is emptied before each test. So it must be one for tests: a database that was empty before the first test. A
mark in it says so to later tests, and to a run after one that was killed. It is taken away with the last test.
"""

import os
import socket
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.files.storage import FileSystemStorage, InMemoryStorage, default_storage

from queueing.conf import conf, site
from queueing.exceptions import UnfitForTests
from queueing.line import address, epoch
from queueing.line.clients import RedisError, SyncRedis, own_address
from queueing.line.epoch import EpochWait
from queueing.line.keys import line_keys
from queueing.line.places import get_line
from queueing.line.servers import Server, every_server
from queueing.testing.presence import watch_since

MARK = "queueing:testing"  # string "<host>:<pid>": tests of that process may empty this Redis. Lives MARK_TTL
LOCAL = (FileSystemStorage, InMemoryStorage)  # no bucket of the site, which the purge of a test would empty
MARK_TTL = 3600  # seconds; longer than one test
_taken: set[str] = set()  # addresses of the Redis that tests of this process empty, whatever a test does to the mark


def begin() -> None:
    """Empty the Redis of the settings, and let all lines be ready: open, watched, with a keeper that has been there.

    Raises UnfitForTests, with a sentence that says what to do.
    """
    if not isinstance(default_storage, LOCAL):
        raise UnfitForTests(
            "The files of tests would go to the storage of the site. Name a folder in their settings, MEDIA_ROOT, and "
            'STORAGES = STORAGES | {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}}.'
        )
    for server in every_server():
        _take_server(server)
    watch_since(conf.LOST_GRACE + 1, life=MARK_TTL)


def end() -> None:
    """Leave nothing in the Redis of the tests, unless other tests have taken it."""
    for server in every_server():
        if (url := _url(server)) in _taken:
            _taken.remove(url)
            with suppress(RedisError):
                server.client.transaction(_give_back, MARK)


def _take_server(server: Server) -> None:
    client, url = server.client, _url(server)
    try:
        client.transaction(partial(_take, url=url), MARK)
    except RedisError as error:
        raise UnfitForTests(
            f"No Redis answers at {_address(client, url)} ({error}). Start one (`valkey-server`), or name another one "
            'in the settings of the tests: QUEUEING["REDIS_URL"] = "redis://127.0.0.1:6379/15"'
        ) from None
    _taken.add(url)
    begin_epochs(*server)


def _url(server: Server) -> str:
    return (own_address(server.lines[0]) if server.lines else "") or site.REDIS_URL


def begin_epochs(client: SyncRedis, names: Sequence[str] | None = None) -> None:
    """As if a keeper had just given all rows of these lines, or of all, their places: claims wait for nothing."""
    server, queues = epoch.run_id(client), list(settings.QUEUEING_TASKS if names is None else names)
    if queues:  # a site that has none yet; `require_line` says so
        client.mset({line_keys(queue).epoch: server for queue in queues})
    for queue in queues:
        get_line(queue).epoch_wait = EpochWait(queue)


def _take(pipe: Any, *, url: str) -> None:
    """Empty it and mark it in one step, unless it is somebody else's. The step fails if the mark changes meanwhile."""
    mark, size = _mark(pipe), pipe.dbsize()
    if mark and _is_of_another_run(mark):
        raise UnfitForTests(
            f"Other tests ({mark}) use the Redis at {_address(pipe, url)}. Give each process one of its own, with "
            f"pytest-xdist by the number in PYTEST_XDIST_WORKER: {_line(14)}"
        )
    if not mark and size and url not in _taken:  # a test of this process may flush the mark
        raise UnfitForTests(
            f"The Redis at {_address(pipe, url)} has {size} keys, and a test empties it. Name a database for tests "
            f"alone in their settings: {_line(15)}"
        )
    pipe.multi()
    pipe.flushdb()
    pipe.set(MARK, _me(), ex=MARK_TTL)


def _give_back(pipe: Any) -> None:
    is_mine = _mark(pipe) in {"", _me()}
    pipe.multi()
    if is_mine:
        pipe.flushdb()


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


def _address(client: SyncRedis, url: str) -> str:
    """The server and its database. The address in the settings may have passwords in each of its parts."""
    if address.is_led(url):
        _, service, database = address.sentinels_of(url)
        return f"{service} of the sentinels, database {database}"
    told = client.connection_pool.connection_kwargs
    where = told.get("path") or f"{told.get('host', 'localhost')}:{told.get('port', 6379)}"
    return f"{where}, database {told.get('db') or 0}"


def _line(database: int) -> str:
    """The line to paste for another database of the Redis that the settings name. A password in it is left out."""
    parts = urlsplit(site.REDIS_URL)
    if parts.scheme == "unix":
        url = f"unix://{parts.path}?db={database}"
    elif parts.scheme in {"redis", "rediss"} and parts.netloc:
        user, at, host = parts.netloc.rpartition("@")
        url = f"{parts.scheme}://{'…' if user else ''}{at}{host}/{database}"
    else:  # sentinels
        url = f"redis://127.0.0.1:6379/{database}"
    return f'QUEUEING["REDIS_URL"] = "{url}"'
