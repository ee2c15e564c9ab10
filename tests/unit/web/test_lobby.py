"""The Lobby as a plain class: `pulse()` and `tick()` are called by hand, time is moved by data."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any

import pytest
import redis

from queueing.exceptions import TooManyPages
from queueing.line import clients, keys, presence, scripts
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Absence, Status
from queueing.web.announcer import LOOKS, SILENCE, Seat
from queueing.web.lobby import Lobby
from tests.support.servers import free_port

MINUTE = 60


class Page:
    """A socket that remembers what it was told."""

    def __init__(self, entry: Entry, *, fails: bool = False) -> None:
        self.entry = entry
        self.fails = fails
        self.frames: list[Any] = []

    async def send_numbers(self, numbers: dict[str, Any]) -> None:
        self._note((numbers["position"], numbers["held_ahead"]))

    async def send_tick(self) -> None:
        self._note("tick")

    async def refresh(self) -> None:
        self._note("refresh")

    async def go_elsewhere(self) -> None:
        self._note("elsewhere")

    def _note(self, frame: Any) -> None:
        if self.fails:
            raise ConnectionError("nobody listens")
        self.frames.append(frame)

    def told(self) -> list[Any]:
        """What came since the last look."""
        frames, self.frames = self.frames, []
        return frames


@pytest.fixture
async def lobby(valkey: redis.Redis) -> AsyncIterator[Lobby]:
    made = Lobby()
    yield made
    await made.stop()


def waiting(line: Line, number: int = 1, *, present: bool = True) -> Entry:
    """An entry that waits, as the row says; nothing of it is in the database, which the Lobby never asks."""
    entry = Entry(id=number, code=uuid.uuid4(), queue="probe")
    line.place(entry.job_id, entry.score, presence=60 if present else 0.001)
    return entry


def is_present(entry: Entry) -> bool:
    return presence.is_present(entry.job_id)


async def sit(lobby: Lobby, page: Page, *, is_owner: bool = True) -> Seat:
    return await lobby.page_opened(page, is_owner=is_owner)


def script_calls(valkey: redis.Redis) -> int:
    stats = valkey.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))


async def test_it_works(lobby: Lobby, line: Line) -> None:
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


async def test_who_was_held_is_back_in_the_very_same_place(lobby: Lobby, line: Line) -> None:
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
    """Commands on two connections can overtake each other: as the next call of that script begins, the other is begun,
    and has all the time it wants to be first.
    """
    sha, evalsha = scripts._source(verb).sha, lobby.client.evalsha
    begun = set[asyncio.Task[T]]()

    async def slowly(script: str, *arguments: Any) -> Any:
        if script == sha and not begun:
            begun.add(asyncio.create_task(other()))
            await asyncio.wait(begun, timeout=0.1)
        return await evalsha(script, *arguments)

    lobby.client.evalsha = slowly  # type: ignore[method-assign, assignment]
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


async def test_who_left_since_a_beat_began_has_no_part_in_the_rest_of_it(
    lobby: Lobby, line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queueing.web.lobby.BATCH", 1)
    first, second = waiting(line, 1), waiting(line, 2)
    await sit(lobby, Page(first))
    seat = await sit(lobby, Page(second))
    assert await leave_during_a_beat(lobby, seat, lobby.pulse)
    assert is_present(first)
    assert line.held_ids() == [second.job_id]


async def test_who_is_back_before_the_goodbye_was_passed_on_is_not_held(
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


async def test_who_comes_while_the_goodbye_is_passed_on_is_present(lobby: Lobby, line: Line) -> None:
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
    assert int(valkey.get(keys.WATCH)) > 1


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


async def test_who_joins_behind_changes_nobodys_numbers(lobby: Lobby, line: Line) -> None:
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


async def test_new_facts_are_told_though_nobody_moved(lobby: Lobby, line: Line, valkey: redis.Redis) -> None:
    page = Page(waiting(line))
    await sit(lobby, page)
    for workers in (1, 2):
        valkey.set(keys.facts_key("probe"), f'{{"workers": {workers}, "run_seconds": []}}')
        await lobby.tick()
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


async def test_who_was_told_by_a_hint_is_told_again(lobby: Lobby, line: Line) -> None:
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
    seat.spoken_at -= SILENCE - 1
    await lobby.tick()
    assert page.told() == []
    seat.spoken_at -= 1
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
    assert page.told() == ["refresh"]


async def test_a_process_that_could_not_beat_sends_its_pages_away(lobby: Lobby, line: Line) -> None:
    entry = waiting(line)
    page = Page(entry)
    await sit(lobby, page)
    await lobby.pulse()
    lobby._beaten_at -= 14
    await lobby.tick()
    assert "elsewhere" not in page.told()
    lobby._beaten_at -= 2
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
