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

from queueing.tasks.tables.charts import spark
from queueing.tasks.tables.form import TableForm
from queueing.tasks.tables.page import COLUMNS, page
from queueing.tasks.tables.task import profile_table
from queueing.tasks.tables.words import counted, figure, share, short
from queueing.testing.tasks import run_task
from tests.support.tables import charts_of

HOSTILE = "</svg><script>alert(1)</script>\" onload='x' {{ secret }}"


@pytest.fixture
def result_of(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def run(*rows: list[str]) -> dict[str, Any]:
        path = tmp_path / "table.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)
        result: dict[str, Any] = run_task(profile_table, file=path).result
        return result

    return run


def page_of(result: dict[str, Any]) -> str:
    entry = SimpleNamespace(code=uuid.uuid4())
    return render_to_string("tables/result.html", {"entry": entry, "result": result, "files": {}})


def test_the_page_shows_the_shape_of_the_table_and_a_chart_for_each_column(
    result_of: Callable[..., dict[str, Any]],
) -> None:
    shown = page_of(result_of(["town", "n"], *([town, str(n)] for n in range(50) for town in ("Bree", "Dale", "Bree"))))
    assert "150 rows, 2 columns. Read as UTF-8, comma." in shown
    assert "profile.json" in shown
    bars, histogram = charts_of(shown)
    assert bars.attrib["aria-label"] == "Most frequent in town: Bree 100 (67 %), Dale 50 (33 %)."
    assert "half of the values lie from 12 to 37, the median is 24.5" in histogram.attrib["aria-label"]
    assert len(histogram.findall("g/rect")) == 17


def test_names_and_values_cannot_leave_their_place(result_of: Callable[..., dict[str, Any]]) -> None:
    shown = page_of(result_of([HOSTILE, HOSTILE], [HOSTILE, "2"], [HOSTILE, "3"]))
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    [bars, _] = charts_of(shown)
    assert "<script>" in bars.attrib["aria-label"]


def test_the_page_needs_no_inline_style(result_of: Callable[..., dict[str, Any]]) -> None:
    shown = page_of(result_of(["a", "b"], ["x", "1"], ["x", "2"]))
    assert not re.search(r"\sstyle=|<style|\son\w+=", shown)
    for chart in charts_of(shown):
        assert chart.attrib["role"] == "img"


def test_the_overview_has_a_line_for_each_column_and_the_facts_are_folded(
    result_of: Callable[..., dict[str, Any]],
) -> None:
    rows = [["Bree" if number % 4 else "", str(number), f"2024-01-{number % 28 + 1:02}", "x"] for number in range(100)]
    result = result_of(["town", "n", "day", "same"], *rows)
    assert [(card["name"], card["type"], card["missing"], card["gist"]) for card in result["cards"]] == [
        ("town", "text", "25 %", "Bree (100 %)"),
        ("n", "whole number", "", "0 to 99"),
        ("day", "date", "", "2024-01-01 to 2024-01-28"),
        ("same", "text", "", "x (100 %)"),
    ]
    assert [bool(card["spark"]) for card in result["cards"]] == [False, True, True, False]
    shown = page_of(result)
    assert shown.count("<details>") == 4
    assert "<details open" not in shown


def test_small_charts_stay_within_their_box() -> None:
    for counts in ([1], [1, 0, 5], list(range(24)), [10**9, 1]):
        bars = re.findall(r"M(\d+) 24v-(\d+)h(\d+)v(\d+)z", spark(counts))
        assert len(bars) == sum(map(bool, counts))
        for x, height, width, back in (map(int, bar) for bar in bars):
            assert height == back
            assert 1 <= height <= 24
            assert width >= 1
            assert x + width <= 96


def profile_of(**more: Any) -> dict[str, Any]:
    """A profile of one column, as `profile` returns it, with more in it."""
    column = {
        "name": "n", "type": "text", "rows": 2, "missing": 0, "missing_written_as": {}, "distinct": 2,
        "shortest": 1, "longest": 1, "top": [{"value": "x", "count": 1}, {"value": "y", "count": 1}],
    }  # fmt: skip
    return {
        "encoding": "UTF-8", "delimiter": "comma", "decimal_mark": ".", "header": True, "rows": 2, "ragged_rows": 0,
        "quote": '"', "short_rows": 0, "long_rows": 0, "odd_rows": [], "stray_marks": 0, "unreadable_characters": 0,
        "titles_above": 0, "titles": [], "apart": [], "sample": [], "doubts": [], "columns": [column],
    } | more  # fmt: skip


def test_a_close_decision_is_told_with_what_else_would_fit() -> None:
    doubts = [
        {
            "choice": "encoding", "read_as": "cp1251", "label": "Windows-1251",
            "others": [{"value": "koi8-r", "label": "KOI8-R"}, {"value": "mac-cyrillic", "label": "Mac"}],
        },
        {
            "choice": "dates", "read_as": "day", "label": "day first", "columns": ["a", "b", "c", "d", "e"],
            "others": [{"value": "month", "label": "month first"}],
        },
        {"choice": "delimiter", "read_as": "semicolon", "label": "semicolon", "others": []},
    ]  # fmt: skip
    result = page(profile_of(encoding="Windows-1251", delimiter="semicolon", decimal_mark=",", doubts=doubts))
    shown = page_of(result)
    assert "Read as Windows-1251, semicolon, decimal comma." in shown
    for sentence in (
        "Encoding: read as Windows-1251; KOI8-R or Mac fit, too.",
        "Dates in a, b, c and 2 more: read as day first; month first fits, too.",
        "Delimiter: read as semicolon, which is a guess.",
    ):
        assert sentence in shown
    assert TableForm.as_found(result) == {"encoding": "cp1251", "dates": "day", "delimiter": "semicolon"}


def test_rows_that_were_set_apart_or_do_not_fit_are_shown() -> None:
    result = page(
        profile_of(
            short_rows=1, long_rows=2, ragged_rows=3, titles_above=2, titles=["Loans", "by day"],
            odd_rows=[{"row": 1234, "fields": 3, "text": "a,b,c" * 100}] * 9,
            sample=[["x"], ["y"]] * 20,
            apart=[
                {"what": "totals", "rows": [["Total", "12"]], "count": 1},
                {"what": "comments", "rows": [["# c"]] * 10, "count": 99},
            ],
        )
    )  # fmt: skip
    shown = page_of(result)
    for text in (
        "1 row had fewer fields than there are columns", "2 rows had more fields", "1,234", "3 fields",
        "<td>Total</td>",
        "Totals <small>1 row, not in", "Comments <small>the first 10 of 99 rows", "Lines above the table", "by day",
        "2 lines above the table were passed over.",
    ):  # fmt: skip
        assert text in shown, text
    assert (len(result["odd"]), len(result["odd"][0]["text"]), len(result["sample"]["rows"])) == (5, 100, 10)


def test_how_a_column_is_written_is_among_its_facts() -> None:
    numbers = {str(share): 1.5 for share in (0.05, 0.25, 0.5, 0.75, 0.95)}
    measured = {
        "readable": 2, "min": -3, "max": 1037.5, "mean": 2.5, "quantiles": numbers, "quantiles_exact": True,
        "histogram": {"from": 0, "to": 1, "counts": [1, 1], "first_holds_less": False, "last_holds_more": False},
    }  # fmt: skip
    price = profile_of()["columns"][0] | {"type": "number", "unit": "$", "decimal": ","} | measured
    days = measured | {"type": "date", "min": "2024-01-02", "max": "2024-02-01", "written_as": "day/month/year"}
    day = profile_of()["columns"][0] | days | {"dates_fit": "both"}
    result = page(profile_of(columns=[price, day], quote="'", escape="\\"))
    facts = [{fact["label"]: fact["value"] for fact in card["facts"]} for card in result["cards"]]
    assert facts[0] | {"Unit": "$", "Decimal mark": "comma", "Smallest": "-3"} == facts[0]
    swapped = "day/month/year; day and month may be swapped"
    assert facts[1] | {"First": "2024-01-02", "Last": "2024-02-01", "Read as": swapped} == facts[1]
    assert [card["gist"] for card in result["cards"]] == ["-3 to 1,037.5 $", "2024-01-02 to 2024-02-01"]
    assert [note[:10] for note in result["notes"]] == ["The mark '", "A backslas"]


def test_everything_of_the_file_is_escaped_and_cut() -> None:
    long = HOSTILE * 50
    column = profile_of()["columns"][0] | {"name": long, "top": [{"value": long, "count": 2}], "unit": long}
    column |= {"missing": 1, "missing_written_as": {long: 1}}
    doubt = {"choice": "encoding", "read_as": "x", "label": long, "columns": [long] * 9}
    doubts = [doubt | {"others": [{"value": long, "label": long}]}]
    rows = [[long] * 60] * 99
    result = page(
        profile_of(
            columns=[column] * 60, encoding=long, doubts=doubts, titles=[long], titles_above=1,
            odd_rows=[{"row": 1, "fields": 3, "text": long}], apart=[{"what": long, "rows": rows, "count": 99}],
            sample=rows,
        )
    )  # fmt: skip
    shown = page_of(result)
    assert "<script" not in shown
    assert "&lt;script&gt;" in shown
    assert max(map(len, re.findall(r">([^<]*)<", shown))) < 1000
    assert len(str(result)) < 250_000


def test_the_parquet_file_is_offered_when_there_is_one() -> None:
    entry = SimpleNamespace(code=uuid.uuid4())
    context = {"entry": entry, "result": page(profile_of()), "files": {"profile.json": 1, "table.parquet": 1}}
    assert f"/entry/{entry.code}/files/table.parquet" in render_to_string("tables/result.html", context)
    assert "table.parquet" not in page_of(page(profile_of()))


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
    assert (len(result["cards"]), len(result["more"])) == (COLUMNS, 90)
    assert (
        f"The first {COLUMNS} of 150 columns are shown here with their facts; profile.json has all." in result["notes"]
    )
    assert len(str(result)) < 150_000


def test_what_a_database_cannot_hold_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("a\0b,c\nx\0y,1\nx\0y,2\n".encode("utf-16"))
    assert "\0" not in str(run_task(profile_table, file=path).result)
    path.write_bytes(b"a\0b,c\nx\0y,1\nx\0y,2\n")
    assert "\\x00" not in repr(run_task(profile_table, file=path).result)


def test_what_was_odd_is_said(result_of: Callable[..., dict[str, Any]]) -> None:
    assert result_of(["a", "b"])["notes"] == ["There are no rows under the header."]
    [note] = result_of(["a", "b"], ["1", "2"], ["3"], ["4", "5"])["notes"]
    assert note.startswith("1 row had fewer fields")


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
    assert short(" a \n b ") == "a b"
    assert len(short("x" * 100)) == 60
