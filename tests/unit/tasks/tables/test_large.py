"""The task "tables": columns of many rows whose values hardly repeat. Only their different values are estimated."""

import statistics
from pathlib import Path
from typing import Any

import pytest

from queueing.tasks.tables import distribution
from queueing.tasks.tables.card import card
from queueing.tasks.tables.profile import profile
from tests.support.tables import invented

ROWS = 240_000

type Facts = dict[str, Any]


def profiled(path: Path, header: str, rows: list[str]) -> dict[str, Facts]:
    path.write_text("\n".join([header, *rows]))
    found = profile(path, progress=lambda *_: None)
    assert found["rows"] == len(rows)
    return {column["name"]: column for column in found["columns"]}


def test_only_the_number_of_different_values_is_an_estimate(tmp_path: Path) -> None:
    chance = invented(3)
    numbers = [chance.randrange(10**9) if i % 50 else 7 for i in range(ROWS)]
    rows = [
        f"{i}, x{number} ,{'NA' if i % 10 == 0 else 'n/k' if i % 10 == 1 else number / 8},{number % 3}"
        for i, number in enumerate(numbers)
    ]
    found = profiled(tmp_path / "table.csv", "id,text,number,few", rows)
    values = [number / 8 for i, number in enumerate(numbers) if i % 10 > 1]

    assert [column.get("distinct_is_estimate", False) for column in found.values()] == [True, True, True, False]
    assert found["id"]["distinct"] == ROWS
    assert found["text"]["distinct"] == pytest.approx(len(set(numbers)), rel=0.01)
    assert found["number"]["distinct"] == pytest.approx(len(set(values)), rel=0.01)
    assert found["few"]["distinct"] == 3
    assert found["text"]["top"][0] == {"value": "x7", "count": ROWS // 50}

    number = found["number"]
    assert (number["type"], number["missing"]) == ("number", ROWS // 5)
    assert number["missing_written_as"] == {"NA": ROWS // 10, "n/k": ROWS // 10}
    assert (number["min"], number["max"]) == (min(values), max(values))
    assert number["mean"] == pytest.approx(statistics.fmean(values))
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    assert [number["quantiles"][share] for share in ("0.25", "0.5", "0.75")] == pytest.approx(quartiles)
    assert sum(number["histogram"]["counts"]) == len(values)
    assert (found["text"]["shortest"], found["text"]["longest"]) == (2, 10)
    said = {fact["label"]: fact["value"] for fact in card(found["id"])["facts"]}
    assert said["Different values"] == "about 240,000; hardly any value repeats"
    assert card(found["text"])["gist"] == "x7 (2 %)"


def test_values_that_do_not_fit_are_counted_among_many(tmp_path: Path) -> None:
    rows = [f"{i},{['few', 'some', 'many'][i % 100] if i % 100 < 3 else i}" for i in range(ROWS)]
    column = profiled(tmp_path / "table.csv", "id,n", rows)["n"]
    assert (column["type"], column["readable"]) == ("whole number", ROWS * 97 // 100)
    assert column["unread"] == [{"value": word, "count": ROWS // 100} for word in ("few", "many", "some")]


def test_values_that_repeat_far_apart_are_counted_exactly(tmp_path: Path) -> None:
    rows = [f"{i},{i % 30_000}" for i in range(ROWS)]
    column = profiled(tmp_path / "table.csv", "id,n", rows)["n"]
    assert (column["distinct"], column.get("distinct_is_estimate")) == (30_000, None)


def test_quantiles_of_very_many_numbers_are_said_to_be_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(distribution, "SORTED", 1000)
    column = profiled(tmp_path / "table.csv", "id,n", [f"{i},x" for i in range(ROWS)])["id"]
    assert column["quantiles"]["0.5"] == pytest.approx(ROWS / 2, rel=0.01)
    said = {fact["label"]: fact["value"] for fact in card(column)["facts"]}
    assert said["Median"].startswith("about 1")
