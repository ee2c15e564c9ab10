"""Places of many entries: a few are asked for by rank, many from the whole line, and the answers are the same."""

import pytest

from queueing.line import clients, positions, presence
from queueing.line.places import Line, Place
from queueing.line.scripts import Ranked
from queueing.states import Absence
from tests.support.standing import stand


@pytest.mark.parametrize(("whole_line", "window"), [(1, 5_000), (1, 1), (1_000, 5_000)])
async def test_both_ways_count_the_present_and_the_held_ahead(
    line: Line, monkeypatch: pytest.MonkeyPatch, whole_line: int, window: int
) -> None:
    monkeypatch.setattr(positions, "WHOLE_LINE", whole_line)
    monkeypatch.setattr(positions, "WINDOW", window)
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
