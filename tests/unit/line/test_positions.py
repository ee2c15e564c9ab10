"""Places of many entries: a few are asked for by rank, many from the whole line, and the answers are the same."""

import math

import pytest

from queueing.line import clients, positions, presence
from queueing.line.places import Line, Place
from queueing.line.scripts import Ranked
from queueing.states import Absence
from tests.support.standing import stand


@pytest.mark.parametrize(("whole_line", "step"), [(1, 5_000), (1, 1), (1_000, 500), (1_000, 1)])
async def test_both_ways_count_the_present_and_the_held_ahead(
    line: Line, monkeypatch: pytest.MonkeyPatch, whole_line: int, step: int
) -> None:
    monkeypatch.setattr(positions, "WHOLE_LINE", whole_line)
    monkeypatch.setattr(positions, "A_RANK", math.inf)
    for name in ("WINDOW", "RANKS"):
        monkeypatch.setattr(positions, name, step)
    for job_id, score in (("a", -(2**40)), ("b", 2), ("c", 3), ("d", 4)):
        stand(line, job_id, score, presence=60)
    for job_id in ("a", "c"):
        presence.close("probe", job_id, Absence.LOST)
    client = clients.async_connection()
    asked = [Ranked("d", 4), Ranked("b", 2), Ranked("c", 3), Ranked("nobody", 5)]
    assert list(await positions.find(client, "probe", asked)) == [Place(1, 2), Place(0, 1), None, None]
    await client.aclose()


@pytest.mark.parametrize("whole_line", [1, 1_000])
async def test_nobody_has_a_place_in_an_empty_line(
    line: Line, monkeypatch: pytest.MonkeyPatch, whole_line: int
) -> None:
    monkeypatch.setattr(positions, "WHOLE_LINE", whole_line)
    client = clients.async_connection()
    assert list(await positions.find(client, "probe", [Ranked("a", 1)])) == [None]
    await client.aclose()


@pytest.mark.parametrize(("waiting", "is_read"), [(200, True), (1_000, False)])
async def test_a_line_that_is_much_longer_than_the_pages_are_many_is_not_read(
    line: Line, waiting: int, is_read: bool
) -> None:
    """Each web process would read all of it each second: with ten times the visitors, a hundred times as much."""
    with line.client.pipeline() as pipe:
        for score in range(waiting):
            stand(line, f"{score:032x}", score, presence=60, pipeline=pipe)
        pipe.execute()
    client = clients.async_connection()
    asked = [Ranked(f"{score:032x}", score) for score in range(positions.WHOLE_LINE)]
    line.client.config_resetstat()
    found = await positions.find(client, "probe", asked)
    assert list(found) == [Place(score, 0) for score in range(positions.WHOLE_LINE)]
    assert ("cmdstat_zrange" in line.client.info("commandstats")) == is_read
    await client.aclose()
