"""The result of the task "tables" on its page: figures in words, charts as SVG, and nothing smuggled in by a file."""

import csv
import re
import uuid
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.template.loader import render_to_string

from queueing.tasks.tables.page import COLUMNS
from queueing.tasks.tables.task import profile_table
from queueing.tasks.tables.words import about, counted, figure, share, short
from tests.support.tables import charts_of
from tests.support.task_context import FolderContext

HOSTILE = "</svg><script>alert(1)</script>\" onload='x' {{ secret }}"


@pytest.fixture
def result_of(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def run(*rows: list[str]) -> dict[str, Any]:
        path = tmp_path / "table.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        result: dict[str, Any] = profile_table.func(FolderContext(path, tmp_path))
        return result

    return run


def page_of(result: dict[str, Any]) -> str:
    entry = SimpleNamespace(code=uuid.uuid4())
    return render_to_string("tables/result.html", {"entry": entry, "result": result, "files": {}})


def test_the_page_shows_the_shape_of_the_table_and_a_chart_for_each_column(
    result_of: Callable[..., dict[str, Any]],
) -> None:
    page = page_of(result_of(["town", "n"], *([town, str(n)] for n in range(50) for town in ("Bree", "Dale", "Bree"))))
    assert "150 rows, 2 columns. Delimiter: comma. Encoding: UTF-8." in page
    assert "profile.json" in page
    bars, histogram = charts_of(page)
    assert bars.attrib["aria-label"] == "Most frequent in town: Bree 100 (67 %), Dale 50 (33 %)."
    assert "half of the values lie from 12 to 37, the median is 24.5" in histogram.attrib["aria-label"]
    assert len(histogram.findall("g/rect")) == 17


def test_names_and_values_cannot_leave_their_place(result_of: Callable[..., dict[str, Any]]) -> None:
    page = page_of(result_of([HOSTILE, HOSTILE], [HOSTILE, "2"], [HOSTILE, "3"]))
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    [bars, _] = charts_of(page)
    assert "<script>" in bars.attrib["aria-label"]


def test_the_page_needs_no_inline_style(result_of: Callable[..., dict[str, Any]]) -> None:
    page = page_of(result_of(["a", "b"], ["x", "1"], ["x", "2"]))
    assert not re.search(r"\sstyle=|<style|\son\w+=", page)
    for chart in charts_of(page):
        assert chart.attrib["role"] == "img"


def test_bars_stay_within_the_chart(result_of: Callable[..., dict[str, Any]]) -> None:
    rows = [["a", str(number), f"2024-01-{number % 28 + 1:02}"] for number in range(500)]
    for chart in charts_of(page_of(result_of(["one", "n", "day"], *rows))):
        _, _, width, height = map(float, chart.attrib["viewBox"].split())
        for bar in chart.iter("rect"):
            x, y, w, h = (float(bar.attrib[name]) for name in ("x", "y", "width", "height"))
            assert x >= 0
            assert y >= 0
            assert x + w <= width + 0.1
            assert y + h <= height + 0.1


def test_a_wide_table_of_long_texts_keeps_the_result_modest(result_of: Callable[..., dict[str, Any]]) -> None:
    text = "long " * 100
    result = result_of(*([text + str(row % 2) for _ in range(150)] for row in range(4)))
    assert len(result["cards"]) == COLUMNS
    assert f"The first {COLUMNS} of 150 columns are shown here; profile.json has all." in result["notes"]
    assert len(str(result)) < 150_000


def test_what_a_database_cannot_hold_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("a\0b,c\nx\0y,1\nx\0y,2\n".encode("utf-16"))
    assert "\0" not in str(profile_table.func(FolderContext(path, tmp_path)))
    path.write_bytes(b"a\0b,c\nx\0y,1\nx\0y,2\n")
    assert "\\x00" not in repr(profile_table.func(FolderContext(path, tmp_path)))


def test_what_was_odd_is_said(result_of: Callable[..., dict[str, Any]]) -> None:
    assert result_of(["a", "b"])["notes"] == ["There are no rows under the header."]
    [note] = result_of(["a", "b"], ["1", "2"], ["3"], ["4", "5"])["notes"]
    assert note.startswith("1 row had more or fewer fields")


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0, "0"),
        (-1234567, "-1,234,567"),
        (1234.5, "1,234.5"),
        (0.1 + 0.2, "0.3"),
        (2_070_000.5, "2,070,000"),
        (123456.0, "123,456"),
        (0.00001234, "1.234e-05"),
        (1e300, "1e+300"),
        (None, "unknown"),
        ("2024-01-01", "2024-01-01"),
    ],
)
def test_figures_have_few_digits_and_thousands_separated(value: float | str | None, written: str) -> None:
    assert figure(value) == written


def test_counts_shares_and_long_texts_in_words() -> None:
    assert [counted(number, "row") for number in (0, 1, 2000)] == ["0 rows", "1 row", "2,000 rows"]
    assert [share(part, 10_000) for part in (0, 1, 250, 5000, 9999, 10_000)] == [
        "0 %", "under 0.1 %", "2.5 %", "50 %", "over 99.9 %", "100 %",
    ]  # fmt: skip
    assert about(1_234_567) == "about 1,230,000"
    assert short(" a \n b ") == "a b"
    assert len(short("x" * 100)) == 60
