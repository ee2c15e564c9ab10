"""Frames of the Lobby to its pages, tick by tick: numbers, and a tick after a long silence."""

import asyncio
from typing import Any

import pytest
import redis

from queueing.line import keys, presence
from queueing.line.levers import SUSPENDED, Levers
from queueing.line.places import Line
from queueing.states import Absence, LineState, Status
from queueing.web.announcer import LOOKS, SILENCE
from queueing.web.lobby import Lobby
from tests.support.epochs import set_epoch
from tests.support.lobby import Page, sit, waiting

# Numbers


async def test_numbers_go_only_to_those_whose_numbers_changed(lobby: Lobby, line: Line) -> None:
    entries = [waiting(line, number) for number in (1, 2, 3)]
    pages = [Page(entry) for entry in entries]
    for page in pages:
        await sit(lobby, page)
    await lobby.tick()
    assert [page.told() for page in pages] == [[(1, 0)], [(2, 0)], [(3, 0)]]
    await lobby.tick()
    assert [page.told() for page in pages] == [[], [], []]
    line.remove_but_job(entries[1].job_id)
    entries[1].status = Status.CANCELLED
    await lobby.tick()
    assert [page.told() for page in pages] == [[], [], [(2, 0)]]


async def test_a_visitor_who_joins_behind_changes_nobodys_numbers(lobby: Lobby, line: Line) -> None:
    page = Page(waiting(line, 1))
    await sit(lobby, page)
    await lobby.tick()
    page.told()
    waiting(line, 2)
    await lobby.tick()
    assert page.told() == []


async def test_a_line_that_did_not_move_is_not_read(lobby: Lobby, line: Line, valkey: redis.Redis) -> None:
    await sit(lobby, Page(waiting(line)))
    await lobby.pulse()
    await lobby.tick()
    valkey.config_resetstat()
    await lobby.tick()
    assert valkey.info("commandstats").keys() <= {"cmdstat_exists", "cmdstat_mget", "cmdstat_config|resetstat"}


async def test_no_numbers_are_told_before_the_places_are_back(lobby: Lobby, line: Line, valkey: redis.Redis) -> None:
    page = Page(waiting(line))
    await sit(lobby, page)
    valkey.delete(line.keys.epoch)
    await lobby.tick()
    await lobby.tick()
    assert page.told() == [(None, None)]
    set_epoch(valkey, "probe", "server")
    await lobby.tick()
    assert page.told() == [(1, 0)]


async def test_new_facts_are_told_though_nobody_moved(lobby: Lobby, line: Line, valkey: redis.Redis) -> None:
    page = Page(waiting(line))
    await sit(lobby, page)
    for workers in (1, 2):
        valkey.set(keys.facts_key("probe"), f'{{"workers": {workers}, "waits": []}}')
        await lobby.tick()
        await lobby.tick()
        assert page.told() == [(1, 0)]


async def test_a_lever_and_a_suspension_are_told_at_the_next_tick(
    lobby: Lobby, line: Line, valkey: redis.Redis
) -> None:
    page = Page(waiting(line))
    await sit(lobby, page)
    await lobby.tick()
    page.told()
    news: list[tuple[str, bytes]] = [
        (line.keys.levers, Levers(LineState.PAUSED, "Soup.").as_text()),
        (line.keys.levers, Levers(LineState.PAUSED, "Salad.").as_text()),
        (line.keys.levers, Levers().as_text()),
        (SUSPENDED, b"1"),
    ]
    for key, value in news:
        valkey.set(key, value)
        await lobby.tick()
        assert page.told() == [(1, 0)]


async def test_a_held_entry_ahead_is_told(lobby: Lobby, line: Line) -> None:
    first, second = waiting(line, 1), waiting(line, 2)
    page = Page(second)
    await sit(lobby, page)
    await lobby.tick()
    presence.close("probe", first.job_id, Absence.LOST)
    await lobby.tick()
    assert page.told() == [(2, 0), (1, 1)]


async def test_many_pages_are_told_from_one_read_of_the_line(lobby: Lobby, line: Line, valkey: redis.Redis) -> None:
    entries = [waiting(line, number) for number in range(1, 151)]
    away = waiting(line, 75_000)
    presence.close("probe", away.job_id, Absence.LOST)
    presence.close("probe", entries[0].job_id, Absence.LOST)
    pages = [Page(entry) for entry in entries[1:]]
    for page in pages:
        await sit(lobby, page)
    valkey.config_resetstat()
    await lobby.tick()
    assert [page.told() for page in pages] == [[(position, 1)] for position in range(1, 150)]
    assert "cmdstat_zrank" not in valkey.info("commandstats")


async def test_a_newcomer_is_told_though_the_line_did_not_move(lobby: Lobby, line: Line) -> None:
    entry = waiting(line)
    await sit(lobby, Page(entry))
    await lobby.tick()
    page = Page(entry)
    await sit(lobby, page)
    await lobby.tick()
    assert page.told() == [(1, 0)]


async def test_a_page_whose_entry_has_no_place_looks_at_the_row(lobby: Lobby, line: Line) -> None:
    entry = waiting(line)
    page = Page(entry)
    await sit(lobby, page)
    line.claim("w")
    await lobby.tick()
    assert page.told() == ["refresh"]


async def test_it_comes_back_to_its_place_and_is_told(lobby: Lobby, line: Line) -> None:
    entry = waiting(line)
    page = Page(entry)
    await sit(lobby, page)
    await lobby.tick()
    line.claim("w")
    await lobby.tick()
    line.release("w", entry.job_id)
    await lobby.tick()
    assert page.told() == [(1, 0), "refresh", (1, 0)]


async def test_a_visitor_who_was_told_by_a_hint_is_told_again(lobby: Lobby, line: Line) -> None:
    """The hint may have been read before the line moved, and said after the tick had told of that."""
    page = Page(waiting(line))
    seat = await sit(lobby, page)
    await lobby.tick()
    lobby.announcer.tell_again(seat)
    await lobby.tick()
    await lobby.tick()
    assert page.told() == [(1, 0), (1, 0)]


async def test_a_missed_hint_is_looked_after_until_the_row_was_read(lobby: Lobby, line: Line) -> None:
    page = Page(waiting(line))
    seat = await sit(lobby, page)
    await lobby.tick()
    lobby.announcer.tell_again(seat, missed=True)
    for _ in range(2):
        await lobby.tick()
    lobby.announcer.tell_again(seat)  # as a refresh does
    await lobby.tick()
    assert page.told() == [(1, 0), "refresh", "refresh", (1, 0)]


async def test_an_emptied_line_is_looked_at_bit_by_bit(lobby: Lobby, line: Line) -> None:
    entries = [waiting(line, number) for number in range(1, LOOKS + 21)]
    pages = [Page(entry) for entry in entries]
    for page in pages:
        await sit(lobby, page)
    await lobby.tick()
    for entry, page in zip(entries, pages, strict=True):
        line.remove_but_job(entry.job_id)
        page.told()
    await lobby.tick()
    looked = [page for page in pages if page.told()]
    assert len(looked) == LOOKS
    for page in looked:
        page.entry.status = Status.CANCELLED  # as their rows said
    await lobby.tick()
    assert [page.told() for page in pages if page not in looked] == [["refresh"]] * 20


async def test_a_page_that_closed_meanwhile_is_not_told(lobby: Lobby, line: Line) -> None:
    class Last(Page):
        async def send_numbers(self, numbers: dict[str, Any]) -> None:
            await lobby.page_closed(gone, Absence.CLOSED)

    first, second = waiting(line, 1), waiting(line, 2)
    await sit(lobby, Last(first))
    page = Page(second)
    gone = await sit(lobby, page)
    await lobby.tick()
    assert page.told() == []


async def test_a_page_that_fails_does_not_stop_the_others(lobby: Lobby, line: Line) -> None:
    entries = [waiting(line, 1), waiting(line, 2)]
    broken, page = Page(entries[0], fails=True), Page(entries[1])
    for each in (broken, page):
        (await sit(lobby, each)).spoken_at -= SILENCE
    await lobby.tick()
    assert page.told() == [(2, 0)]


async def test_numbers_that_could_not_be_read_are_told_later(lobby: Lobby, line: Line, valkey: redis.Redis) -> None:
    entry = waiting(line, 2)
    page = Page(entry)
    await sit(lobby, page)
    await lobby.tick()
    assert page.told() == [(1, 0)]
    waiting(line, 1)
    valkey.set(line.keys.held, "no sorted set")
    with pytest.raises(redis.ResponseError):
        await lobby.tick()
    valkey.delete(line.keys.held)
    await lobby.tick()
    assert page.told() == [(2, 0)]


# Silence


async def test_a_long_silence_of_a_waiting_page_is_broken_by_a_tick(lobby: Lobby, line: Line) -> None:
    page = Page(waiting(line))
    seat = await sit(lobby, page)
    await lobby.tick()
    page.told()
    seat.spoken_at -= SILENCE / 2
    await lobby.tick()
    assert page.told() == []
    seat.spoken_at -= SILENCE / 2
    await lobby.tick()
    await lobby.tick()
    assert page.told() == ["tick"]


async def test_a_running_page_asks_again_after_a_long_silence(lobby: Lobby, line: Line) -> None:
    """The hint of the end may have been lost; a bare tick would let the page wait for ever."""
    entry = waiting(line)
    entry.status = Status.RUNNING
    page = Page(entry)
    seat = await sit(lobby, page)
    seat.spoken_at -= SILENCE
    await lobby.tick()
    await asyncio.gather(*lobby.announcer._refreshing.values())
    assert page.told() == ["tick", "refresh"]


async def test_a_row_that_cannot_be_read_keeps_no_page_waiting(lobby: Lobby, line: Line) -> None:
    """A database that hangs: pages whose task runs are read again beside the ticks, and only once at a time."""
    running, other = waiting(line, 1), waiting(line, 2)
    running.status = Status.RUNNING
    hanging, page = Page(running), Page(other)
    reads, answered = 0, asyncio.Event()

    async def hang() -> None:
        nonlocal reads
        reads += 1
        await answered.wait()

    hanging.refresh = hang  # type: ignore[method-assign]
    seats = [await sit(lobby, hanging), await sit(lobby, page)]
    await lobby.tick()  # tells the waiting page its numbers
    for _ in range(3):
        for seat in seats:
            seat.spoken_at -= SILENCE
        await asyncio.wait_for(lobby.tick(), 30)
        await asyncio.sleep(0)
    assert page.told().count("tick") == 3
    assert (reads, hanging.told()) == (1, ["tick"] * 3)
    answered.set()
