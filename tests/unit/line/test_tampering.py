"""Foreign writing in the line's keys stops neither pages, nor claims, nor the keeper."""

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields
from typing import Any

import msgpack
import pytest
import redis
from channels.layers import get_channel_layer
from rq.utils import as_text

from queueing import facts
from queueing.keeper import mend
from queueing.keeper.round import Keeper
from queueing.line import presence, workers
from queueing.line.hints import HINTS, LOOK_AGAIN, RIGHTS_START, HintLayer
from queueing.line.keys import (
    COUNTING,
    KEEPER,
    STORED,
    WATCH,
    WRITABLE,
    LineKeys,
    brake_key,
    facts_key,
    gone_key,
    joins_key,
    line_keys,
    presence_key,
)
from queueing.line.places import Line
from queueing.line.tampering import Reports
from queueing.models import Entry
from queueing.testing.presence import stay
from queueing.web import snapshot
from queueing.web.lobby import Lobby
from tests.support.epochs import end_pause
from tests.support.lobby import Page, sit
from tests.support.slow import slow
from tests.support.waiting import wait_for

Join = Callable[..., Entry]
pytestmark = pytest.mark.django_db(transaction=True)

LINE_KEYS = [field.name for field in fields(LineKeys)]
SHARED = [WATCH, KEEPER, COUNTING, WRITABLE, "rq:workers", "rq:queues", "rq:wip:probe"]
LARGE = b"\xff[" * 2**21
KEYS = [*LINE_KEYS, *SHARED, "facts"]
LARGE_TOO = ("line", "facts")  # among the fast tests
POISONED = [(name, how) for name in KEYS for how in ("type", "garbage")]
POISONED += [(name, "large") for name in LARGE_TOO]
POISONED += slow(*((name, "large") for name in KEYS if name not in LARGE_TOO))


def poison(client: redis.Redis, key: str, how: str) -> None:
    """Give the key another type, or a value of the right type that this project never writes."""
    kind = as_text(client.type(key))
    client.delete(key)
    if how == "type":
        client.hset(key, "a", 1) if kind != "hash" and "claims" not in key else client.rpush(key, 1)
        return
    value = LARGE if how == "large" else b"\xff\0rubbish:::"
    known = {**{f"rq:line:probe:{name}": kind for name, kind in mend.LINE_TYPES.items()}, **mend.SHARED_TYPES}
    known |= {"rq:line:probe": "zset", "rq:queue:probe": "list", "rq:wip:probe": "zset"}
    match known.get(key, "string"):
        case "zset":
            client.zadd(key, {value: 1, b"a b": 2, b"": 3, b"f" * 32: 4})
        case "set":
            client.sadd(key, value, "")
        case "list":
            client.rpush(key, value, "")
        case "hash":
            client.hset(key, value, value)
            client.hset(key, "w", ":")
        case _:
            client.set(key, value)


def serve(line: Line, entry: Entry) -> bool:
    """True if the line gives this entry to a worker."""
    claimed = line.claim("serves").job_id
    if claimed:
        line.end_claim("serves", claimed)
    return claimed == entry.job_id


def rounds(keeper: Keeper) -> None:
    """A few rounds, as the command makes them: an error of Redis ends one and not the next."""
    for _ in range(4):
        try:
            keeper.round()
        except redis.RedisError:
            continue
        end_pause(keeper)
        keeper.reconciler._compared_at.clear()


def keys_of(name: str) -> str:
    return getattr(line_keys("probe"), name, name)


@pytest.mark.parametrize(("name", "how"), POISONED)
def test_a_poisoned_key_is_mended_and_the_line_goes_on(
    name: str, how: str, join: Join, line: Line, valkey: redis.Redis
) -> None:
    keeper = Keeper()
    keeper.round()
    waiting = join("before")
    stay(waiting)
    poison(valkey, facts_key("probe") if name == "facts" else keys_of(name), how)
    rounds(keeper)
    assert snapshot.read(waiting).position == 1
    facts.line_now("probe")
    assert workers.all_workers() == []
    joined = join("after")
    stay(waiting, joined)
    assert snapshot.read(joined).position == 2
    while not serve(line, waiting):
        assert line.ids(), "the entry is never served"
    assert serve(line, joined)


@pytest.mark.parametrize(("name", "how"), POISONED)
def test_pages_are_told_again_after_a_poisoned_key(
    name: str, how: str, join: Join, line: Line, valkey: redis.Redis
) -> None:
    """The Lobby's steps may fail while the key is there, and work afterwards; none of them ends."""
    keeper = Keeper()
    keeper.round()
    waiting = join("before")
    stay(waiting)
    poison(valkey, facts_key("probe") if name == "facts" else keys_of(name), how)

    page = Page(waiting)

    async def pulse_and_tick(lobby: Lobby) -> None:
        for step in (lobby.pulse, lobby.tick):
            with suppress(redis.RedisError):
                await step()

    async def open_page(lobby: Lobby) -> None:
        await lobby.pulse()
        await sit(lobby, page)
        await lobby.tick()
        await lobby.client.aclose()

    with asyncio.Runner() as loop:
        lobby = loop.run(make_lobby())
        loop.run(pulse_and_tick(lobby))
        rounds(keeper)
        loop.run(open_page(lobby))
    assert (1, 0) in page.told()


async def make_lobby() -> Lobby:
    return Lobby()


@pytest.mark.parametrize("note", [b"", b"\xff", b"::", b"1:2:closed", b"a:b:c", b"9" * 40 + b":1:lost", LARGE])
def test_a_note_about_a_gone_page_that_is_none_counts_as_no_note(note: bytes, join: Join, valkey: redis.Redis) -> None:
    entry = join()
    valkey.delete(presence_key(entry.job_id))
    valkey.set(gone_key(entry.job_id), note)
    found = presence.inspect(entry.queue, entry.job_id, None)
    assert not found.present
    assert found.blind


def test_a_watch_from_the_future_is_mended(valkey: redis.Redis) -> None:
    """Nobody would be dropped until then."""
    seconds, _ = valkey.time()
    valkey.set(WATCH, (seconds + 10**6) * 1000)
    assert mend.mend(valkey) == 1
    assert not valkey.exists(WATCH)


def test_a_mended_line_leaves_the_watch_over_all_lines_as_it_is(line: Line, valkey: redis.Redis) -> None:
    """Without it, nobody in any line is dropped for LOST_GRACE, and every page beats anew."""
    valkey.set(WATCH, 1000)
    poison(valkey, line.keys.held, "type")
    assert mend.mend(valkey) == 1
    assert not valkey.exists(line.keys.epoch)
    assert valkey.get(WATCH) == b"1000"


def test_what_this_project_writes_is_not_mended(join: Join, valkey: redis.Redis) -> None:
    keeper = Keeper()
    stay(join())
    keeper.round()
    valkey.sadd("rq:workers", "rq:worker:w1")
    valkey.hset("rq:worker:w1", "state", "idle")
    seconds, _ = valkey.time()
    valkey.set(WATCH, seconds * 1000)
    assert mend.mend(valkey) == 0
    assert set(mend.LINE_TYPES) == set(LINE_KEYS)


@pytest.mark.parametrize(
    "written",
    [
        b"7",
        b"[]",
        b"[" * 10**5,
        b'{"workers": "many"}',
        b'{"waits": [[1, 2, "x"]]}',
        b'{"waits": [[1, 2, 3], [1, 2, 3]], "workers": 1}',
        b'{"running": NaN}',
        b'{"busy": 1e400}',
        b'{"waits": 5}',
        b'{"first_priority": -101, "workers": 1}',
        b'{"first_priority": NaN}',
        b'{"first_priority": "10", "workers": 1}',
        LARGE,
    ],
)
def test_facts_that_no_keeper_writes_are_no_facts(written: bytes) -> None:
    assert facts.parse_facts(written) == facts.Facts()


def test_facts_take_no_memory_when_they_are_large() -> None:
    facts._parse.cache_clear()
    for number in range(3):
        facts.parse_facts(LARGE + b"%d" % number)
    assert facts._parse.cache_info().currsize == 1  # that nothing is known


@pytest.mark.parametrize(
    "note",
    [
        b"",
        b"\xff",
        b"1:held:x",
        b"x:held:lost:" + b"a" * 32,
        b"1:evil:x:" + b"a" * 32,
        b"9" * 30 + b":held:lost:" + b"a" * 32,
        LARGE,
    ],
)
def test_a_note_that_is_none_costs_no_other_note(note: bytes, join: Join, line: Line, valkey: redis.Redis) -> None:
    entry = join()
    valkey.delete(line.keys.notes)
    valkey.rpush(line.keys.notes, note, f"1000:held:lost:{entry.job_id}")
    Keeper().round()
    assert [event.kind for event in entry.events.all() if event.at.year == 1970] == ["held"]


@pytest.mark.parametrize("since", [b"", b"rubbish", b"-1", b"1e3", b"\xff", b"9" * 5000])
def test_a_presence_of_no_sense_began_at_no_time(since: bytes, join: Join, line: Line, valkey: redis.Redis) -> None:
    entry = join()
    valkey.set(presence_key(entry.job_id), since)
    assert line.standing(entry.job_id, entry.score).present_for == 0
    assert presence.present_for(entry.queue, entry.job_id) == 0
    assert snapshot.read(entry).as_json()["status"] == "waiting"


def test_what_must_end_has_an_end(valkey: redis.Redis) -> None:
    for key in (joins_key("probe"), brake_key("probe"), STORED):
        valkey.set(key, 1)
    assert mend.mend(valkey) == 3
    valkey.set(joins_key("probe"), "rubbish", ex=60)
    assert mend.mend(valkey) == 1


# --- Hints


def test_a_hint_is_what_the_layer_serializes() -> None:
    layer = get_channel_layer()
    assert isinstance(layer, HintLayer)
    for message, name in HINTS.items():
        assert layer.serialize({"type": name}) == message
        assert layer.deserialize(message) == {"type": name}


@pytest.mark.parametrize("user", [None, "1", "5f0c7e3e-6a0c-4a0e-8a53-6cb3a4f3b0a1"])
def test_a_hint_on_rights_keeps_its_user(user: str | None) -> None:
    hint, layer = {"type": "rights.changed", "user": user}, get_channel_layer()
    assert layer.deserialize(layer.serialize(hint)) == hint


@pytest.mark.parametrize("message", [
    b"", b"\xc1", b"rubbish", LARGE, b"\x91" * 2000, msgpack.packb({"type": "go.elsewhere"}),
    msgpack.packb({"type": "send", "text_data": "<b>"}), msgpack.packb({"type": "websocket.disconnect", "code": 1000}),
    msgpack.packb({"type": "send.numbers", "status": "x"}), msgpack.packb([1]), msgpack.packb({"type": "disconnect"}),
    msgpack.packb({"type": "rights.changed"}), msgpack.packb({"type": "rights.changed", "user": 1}),
    msgpack.packb({"type": "rights.changed", "user": "1" * 101}),
    b"\x82" + msgpack.packb({"type": "rights.changed"})[1:],
    msgpack.packb({"type": "rights.changed", "user": None}) + b"x", RIGHTS_START, RIGHTS_START + b"\xa2\xff\xff",
    msgpack.packb({"type": "rights.changed", "user": ["1"]}),
])  # fmt: skip
def test_any_other_message_is_a_hint_to_look_again(message: bytes) -> None:
    assert get_channel_layer().deserialize(message) == {"type": "entry.changed"}


async def test_changes_that_come_together_are_one_command_and_none_is_lost(valkey: redis.Redis) -> None:
    """Thousands of pages come back at once, and some go again."""
    layer: Any = get_channel_layer()
    channels = [await layer.new_channel() for _ in range(200)]
    before = valkey.info("commandstats").get("cmdstat_subscribe", {}).get("calls", 0)
    await asyncio.gather(*(layer.group_add(f"page{number}", channel) for number, channel in enumerate(channels)))
    leaving = [layer.group_discard(f"page{number}", channel) for number, channel in enumerate(channels[:100])]
    back = layer.group_add("page0", channels[0])
    await asyncio.gather(*leaving, back)
    heard = wait_for(lambda: (names := valkey.pubsub_channels("*page*")) and len(names) == 101 and names)
    assert valkey.info("commandstats")["cmdstat_subscribe"]["calls"] - before <= 3
    assert {name.rpartition(b"page")[2] for name in heard} == {b"0", *(b"%d" % number for number in range(100, 200))}
    await layer.group_send("page150", {"type": LOOK_AGAIN})
    async with asyncio.timeout(10):
        assert await layer.receive(channels[150]) == {"type": LOOK_AGAIN}
    await layer.flush()


# --- Reports


def test_reports_are_one_line_in_a_while(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    caplog.set_level(logging.ERROR, "queueing")
    reports = Reports()
    for number in range(1000):
        reports.add("key %d", number)
    assert [record.getMessage() for record in caplog.records] == [
        "Redis was tampered with: key 0 (0 more reports since the last one)"
    ]
    reports._next_at = 0
    reports.add("key %d", 1000)
    assert "(999 more reports" in caplog.records[-1].getMessage()
