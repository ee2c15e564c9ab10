"""A whole site whose keys in Redis another program has overwritten: every process lives, and the line goes on."""

import urllib.request
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import redis
from django.conf import settings
from redis.client import Pipeline

from queueing import events
from queueing.keeper.mend import LINE_TYPES, SHARED_TYPES
from queueing.line.keys import facts_key, gone_key, line_keys, presence_key
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import stay
from tests.support.clocks import QUICK
from tests.support.entries import status_of
from tests.support.probe import entered, hold
from tests.support.processes import Processes
from tests.support.visitors import Visitor
from tests.support.waiting import wait_for
from tests.support.web import Web

Join = Callable[..., Entry]
# Bytes of a string, and of a member: the scripts copy members from key to key.
LARGE, LARGE_MEMBER = 50 * 2**20, 2**20
TYPES = {f"rq:line:probe:{name}": kind for name, kind in LINE_TYPES.items()} | SHARED_TYPES
TYPES |= {line_keys("probe").line: "zset", line_keys("probe").inbox: "list", facts_key("probe"): "string"}


def overwrite(writer: redis.Redis, key: str, how: str) -> None:
    """In one transaction: a process of the site may write the key at the same moment."""
    with writer.pipeline() as pipe:
        pipe.delete(key)
        _write(pipe, key, how)
        pipe.execute()


def _write(client: Pipeline, key: str, how: str) -> None:
    kind = TYPES.get(key, "string")
    if how == "type":
        client.rpush(key, "x") if kind == "zset" else client.zadd(key, {"x": 1})
        return
    length = LARGE if kind == "string" else LARGE_MEMBER
    value = b"\xff\0:" if how == "garbage" else b"\xff" * length
    written: dict[str, Callable[[], Any]] = {
        "zset": lambda: client.zadd(key, {value: 1, b"a b": -1e12, b"": 3}),
        "set": lambda: client.sadd(key, value, b""),
        "list": lambda: client.rpush(key, value, b""),
        "hash": lambda: client.hset(key, mapping={value: value, b"w": b":"}),
        "string": lambda: client.set(key, value),
    }
    written[kind]()


@pytest.mark.parametrize("how", ["type", "garbage", pytest.param("large", marks=pytest.mark.slow)])
def test_no_process_ends_and_the_line_goes_on(how: str, processes: Processes, join: Join, valkey: redis.Redis) -> None:
    """Every key at once; a running entry keeps its worker, and a new one is served."""
    processes.use(QUICK | {"PRESENCE_TTL": 3})
    running = join("running")
    stay(running)
    gate = hold("running")
    web, keeper, worker = Web(processes).wait(), processes.keeper(), processes.worker()
    wait_for(lambda: entered("running"))
    visitor = Visitor()
    waiting = visitor.join(label="waiting")
    with web.open(waiting, visitor) as page:
        writer = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=60)
        for key in (*TYPES, gone_key(running.job_id), presence_key(running.job_id)):
            overwrite(writer, key, how)
        writer.close()
        for code in (running.code, waiting.code):
            valkey.publish(events.GROUP_CHANNEL.format(group=events.group_name(code)), b"\xff" * 100_000)
        gate.unlink()
        wait_for(lambda: status_of(running) in {Status.SUCCEEDED, Status.ABANDONED}, 60)
        wait_for(lambda: status_of(waiting) == Status.SUCCEEDED, 60)
        page.recv(timeout=5)
    wait_for(lambda: answers(web.port))
    joined = visitor.join(label="joined")
    wait_for(lambda: status_of(joined) == Status.SUCCEEDED, 60)
    assert [process.poll() for process in (web.process, keeper, worker)] == [None, None, None]
    assert "tampered" in processes.logs()


def answers(port: int) -> bool:
    with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
        return bool(answer.status == 200)
    return False
