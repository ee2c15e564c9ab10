"""The Lobby as a plain class: `pulse()` and `tick()` are called by hand, time is moved by data."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest
import redis

from queueing.conf import conf
from queueing.exceptions import TooManyPages
from queueing.line import clients, keys, presence, scripts
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence, Status
from queueing.web.announcer import Seat
from queueing.web.lobby import Lobby
from tests.support.lobby import Page, is_present, script_calls, sit, waiting
from tests.support.servers import free_port

MINUTE = 60


async def test_an_open_page_is_present_and_told_its_numbers_and_a_closed_one_is_held(lobby: Lobby, line: Line) -> None:
    entry = waiting(line)
    page = Page(entry)
    seat = await sit(lobby, page)
    await lobby.pulse()
    await lobby.tick()
    assert page.told() == [(1, 0)]
    assert is_present(entry)
    assert await lobby.page_closed(seat, Absence.CLOSED)
    assert not is_present(entry)
    assert line.held_ids() == [entry.job_id]
    assert not lobby.seats["probe"]


# Beats


async def test_a_new_web_process_says_once_that_pages_may_be_on_their_way_back(
    lobby: Lobby, valkey: redis.Redis
) -> None:
    await lobby.pulse()
    assert 0 < valkey.pttl(keys.RETURNING) <= 2000 * conf.PRESENCE_TTL
    valkey.delete(keys.RETURNING)
    await lobby.pulse()
    lobby._has_begun = False  # as another process that starts soon after
    await lobby.pulse()
    assert not valkey.exists(keys.RETURNING)


async def test_a_beat_costs_one_script_call_for_250_pages(lobby: Lobby, line: Line, valkey: redis.Redis) -> None:
    entries = [Entry(id=n, code=uuid.uuid4(), queue="probe") for n in range(1, 1202)]
    for entry in entries:
        lobby.seats.setdefault("probe", {})[entry.job_id] = [Seat(Page(entry), is_owner=True)]
    await lobby.pulse()  # the script is known from now on
    valkey.delete(*(keys.PRESENCE.format(job_id=entry.job_id) for entry in entries))
    valkey.config_resetstat()
    await lobby.pulse()
    assert script_calls(valkey) == 5
    assert all(map(is_present, entries))


async def test_pages_that_come_at_once_share_a_beat(lobby: Lobby, line: Line, valkey: redis.Redis) -> None:
    entries = [waiting(line, number) for number in range(1, 61)]
    await sit(lobby, Page(entries[0]))  # the script is known from now on
    valkey.delete(*(keys.PRESENCE.format(job_id=entry.job_id) for entry in entries))
    valkey.config_resetstat()
    await asyncio.gather(*(sit(lobby, Page(entry)) for entry in entries))
    assert script_calls(valkey) == 1
    assert all(map(is_present, entries))


async def test_staff_and_ended_entries_are_not_beaten_for(lobby: Lobby, line: Line, valkey: redis.Redis) -> None:
    seen, ended = waiting(line, 1), waiting(line, 2)
    ended.status = Status.CANCELLED
    await sit(lobby, Page(seen), is_owner=False)
    await sit(lobby, Page(ended))
    valkey.delete(*(keys.PRESENCE.format(job_id=entry.job_id) for entry in (seen, ended)))
    await lobby.pulse()
    assert not is_present(seen)
    assert not is_present(ended)


async def test_a_running_entry_is_beaten_for(lobby: Lobby, line: Line) -> None:
    entry = waiting(line)
    entry.status = Status.RUNNING
    page = Page(entry)
    await sit(lobby, page)
    await lobby.pulse()
    await lobby.tick()
    assert is_present(entry)
    assert page.told() == []


async def test_a_held_entry_is_back_in_the_very_same_place(lobby: Lobby, line: Line) -> None:
    first, second = waiting(line, 1), waiting(line, 2)
    presence.close("probe", first.job_id, Absence.CLOSED)
    assert line.ids() == [second.job_id]
    await sit(lobby, Page(first))
    assert line.ids() == [first.job_id, second.job_id]


async def test_only_the_last_page_of_the_owner_ends_the_presence(lobby: Lobby, line: Line) -> None:
    entry = waiting(line)
    seats = [await sit(lobby, Page(entry)), await sit(lobby, Page(entry))]
    look = await sit(lobby, Page(entry), is_owner=False)
    assert not await lobby.page_closed(seats[0], Absence.CLOSED)
    assert is_present(entry)
    assert await lobby.page_closed(seats[1], Absence.CLOSED)  # whoever else looks is nobody's presence
    assert not is_present(entry)
    assert not await lobby.page_closed(look, Absence.CLOSED)
    assert not lobby.seats["probe"]


async def test_another_process_lost_its_last_page(lobby: Lobby, line: Line) -> None:
    entry, elsewhere = waiting(line, 1), waiting(line, 2)
    await sit(lobby, Page(entry))
    await sit(lobby, Page(elsewhere), is_owner=False)
    for closed in (entry, elsewhere):
        presence.close("probe", closed.job_id, Absence.CLOSED)
        await lobby.page_closed_elsewhere(closed)
    assert line.ids() == [entry.job_id]
    assert line.held_ids() == [elsewhere.job_id]


def meanwhile[T](lobby: Lobby, verb: str, other: Callable[[], Coroutine[Any, Any, T]]) -> set[asyncio.Task[T]]:
    """Commands on two connections can overtake each other: as the next call of that script begins, alone or in a
    pipeline, the other is begun, and has all the time it wants to be first.
    """
    sha, evalsha, pipeline = scripts._source(verb).sha, lobby.client.evalsha, lobby.client.pipeline
    begun = set[asyncio.Task[T]]()

    async def begin() -> None:
        if not begun:
            begun.add(asyncio.create_task(other()))
            await asyncio.wait(begun, timeout=0.1)

    async def slowly(script: str, *arguments: Any) -> Any:
        if script == sha:
            await begin()
        return await evalsha(script, *arguments)

    def slow_pipeline(**options: Any) -> Any:
        pipe: Any = pipeline(**options)
        execute = pipe.execute

        async def execute_slowly() -> Any:
            if sha in str(pipe.command_stack):
                await begin()
            return await execute()

        pipe.execute = execute_slowly
        return pipe

    lobby.client.evalsha = slowly  # type: ignore[method-assign, assignment]
    lobby.client.pipeline = slow_pipeline  # type: ignore[method-assign, assignment]
    return begun


async def leave_during_a_beat(lobby: Lobby, seat: Seat, beat: Callable[[], Awaitable[object]]) -> bool:
    leaving = meanwhile(lobby, "beat", lambda: lobby.page_closed(seat, Absence.CLOSED))
    await beat()
    return await leaving.pop()


@pytest.mark.parametrize("way", ["pulse", "closed elsewhere"])
async def test_a_beat_under_way_does_not_bring_back_who_leaves(lobby: Lobby, line: Line, way: str) -> None:
    entry = waiting(line)
    seat = await sit(lobby, Page(entry))
    beats = {"pulse": lobby.pulse, "closed elsewhere": lambda: lobby.page_closed_elsewhere(entry)}
    assert await leave_during_a_beat(lobby, seat, beats[way])
    assert not is_present(entry)
    assert line.held_ids() == [entry.job_id]


async def test_a_visitor_who_leaves_during_a_beat_of_several_batches_is_held(
    lobby: Lobby, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queueing.web.lobby.BATCH", 1)
    first, second = waiting(line, 1), waiting(line, 2)
    await sit(lobby, Page(first))
    seat = await sit(lobby, Page(second))
    assert await leave_during_a_beat(lobby, seat, lobby.pulse)
    assert is_present(first)
    assert line.held_ids() == [second.job_id]


async def test_a_visitor_who_is_back_before_the_goodbye_was_passed_on_is_not_held(
    lobby: Lobby, line: Line, valkey: redis.Redis
) -> None:
    entry = waiting(line)
    seat = await sit(lobby, Page(entry))
    async with lobby._beating:  # a beat is under way
        leaving = asyncio.create_task(lobby.page_closed(seat, Absence.CLOSED))
        await asyncio.sleep(0)
        coming = asyncio.create_task(sit(lobby, Page(entry)))
        await asyncio.sleep(0)
    assert not await leaving
    await coming
    assert is_present(entry)
    assert not valkey.exists(line.keys.notes)  # not even for a moment


async def test_a_visitor_who_comes_while_the_goodbye_is_passed_on_is_present(lobby: Lobby, line: Line) -> None:
    entry = waiting(line)
    seat = await sit(lobby, Page(entry))
    coming = meanwhile(lobby, "close", lambda: sit(lobby, Page(entry)))
    assert not await lobby.page_closed(seat, Absence.CLOSED)
    await coming.pop()
    assert is_present(entry)
    assert line.ids() == [entry.job_id]


async def test_a_page_that_could_not_be_counted_leaves_no_seat(lobby: Lobby, line: Line, settings: Any) -> None:
    entries = [waiting(line, 1), waiting(line, 2)]
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    living, lobby.client = lobby.client, clients.async_connection()
    errors = await asyncio.gather(*(sit(lobby, Page(entry)) for entry in entries), return_exceptions=True)
    assert [type(error) for error in errors] == [redis.ConnectionError] * 2
    await lobby.client.aclose()
    lobby.client = living
    assert not lobby.seats["probe"]  # else this process would beat for a page that it sent away


async def test_one_entry_has_so_many_pages_and_no_more(lobby: Lobby, line: Line, settings: Any) -> None:
    settings.QUEUEING = {"MAX_PAGES_PER_ENTRY": 2}
    entry, other = waiting(line, 1), waiting(line, 2)
    seats = [await sit(lobby, Page(entry)) for _ in range(2)]
    with pytest.raises(TooManyPages):
        await sit(lobby, Page(entry), is_owner=False)
    await sit(lobby, Page(other))
    await lobby.page_closed(seats[0], Absence.CLOSED)
    await sit(lobby, Page(entry))
    assert is_present(entry)


# The watch


async def test_the_watch_begins_once_and_is_renewed(lobby: Lobby, valkey: redis.Redis) -> None:
    await lobby.pulse()
    since = valkey.get(keys.WATCH)
    assert 0 < valkey.pttl(keys.WATCH) <= 15_000
    valkey.pexpire(keys.WATCH, 1_000)
    await lobby.pulse()
    assert valkey.get(keys.WATCH) == since
    assert valkey.pttl(keys.WATCH) > 10_000


async def test_after_a_flush_the_next_tick_beats_and_the_watch_begins_anew(
    lobby: Lobby, line: Line, valkey: redis.Redis
) -> None:
    entry = waiting(line)
    await sit(lobby, Page(entry))
    await lobby.pulse()
    valkey.set(keys.WATCH, 1, keepttl=True)  # since long ago
    valkey.flushall()
    await lobby.tick()
    assert is_present(entry)
    assert int(valkey.get(keys.WATCH) or 0) > 1


# Going elsewhere


async def test_a_process_that_could_not_beat_sends_its_pages_away(lobby: Lobby, line: Line) -> None:
    entry = waiting(line)
    page = Page(entry)
    await sit(lobby, page)
    await lobby.pulse()
    lobby._beaten_at -= conf.PRESENCE_TTL / 2
    await lobby.tick()
    assert "elsewhere" not in page.told()
    lobby._beaten_at -= conf.PRESENCE_TTL / 2
    await lobby.tick()
    await lobby.tick()
    assert page.told().count("elsewhere") == 1


async def test_a_process_sends_its_pages_away_though_redis_is_gone(lobby: Lobby, line: Line, settings: Any) -> None:
    page = Page(waiting(line))
    await sit(lobby, page)
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    living, lobby.client = lobby.client, clients.async_connection()
    lobby._beaten_at -= MINUTE
    with pytest.raises(redis.ConnectionError):
        await lobby.tick()
    await lobby.page_closed_elsewhere(page.entry)  # a hint, which must not end the page's socket
    await lobby.client.aclose()
    lobby.client = living
    assert page.told() == ["elsewhere"]
