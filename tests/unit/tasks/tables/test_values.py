"""The task "tables": numbers, dates and gaps as people write them."""

from collections.abc import Callable
from typing import Any

import pytest

type Facts = dict[str, Any]
type ColumnOf = Callable[..., Facts]
type Profiled = Callable[..., Facts]


def doubted(found: Facts) -> list[str]:
    return [doubt["choice"] for doubt in found["doubts"]]


# Numbers


@pytest.mark.parametrize(
    ("values", "low", "high", "unit"),
    [
        (["$1,037.50", "$2.00", "-$5.00"], -5, 1037.5, "$"),
        (["$-5.00", "$3.25"], -5, 3.25, "$"),
        (["1.50 €", "2.75 €"], 1.5, 2.75, "€"),
        (["USD 5", "USD 7"], 5, 7, "USD"),
        (["1.1%", "2.5%"], 1.1, 2.5, "%"),
        (["12,5 %", "3,1 %"], 3.1, 12.5, "%"),
        (["3 kg", "4.5 kg"], 3, 4.5, "kg"),
        (["5°C", "-7°C"], -7, 5, "°C"),
        (["1 000", "2 500", "12"], 12, 2500, None),
        (["1\u00a0000,5", "2\u202f500,25"], 1000.5, 2500.25, None),
        (["1'000", "2'500"], 1000, 2500, None),
        (["(1.00)", "2.50"], -1, 2.5, None),
        (["\u22125", "6"], -5, 6, None),
        (["- 5", "6"], -5, 6, None),
        (["1,234,567", "2"], 2, 1_234_567, None),
        (["12,34,567", "1,23,456"], 123_456, 1_234_567, None),
        (["1.234.567", "2.345.678"], 1_234_567, 2_345_678, None),
        (["1.000,50", "2.000"], 1000.5, 2000, None),
        (["0,5", "1,25"], 0.5, 1.25, None),
        (["1234567890123456", "1234567890123457"], 1234567890123456, 1234567890123457, None),
        (["inf", "1", "2"], 1, "infinite", None),
    ],
)
def test_numbers_are_read(column_of: ColumnOf, values: list[str], low: float, high: float, unit: str | None) -> None:
    found = column_of(*values)
    assert (found["min"], found["max"], found.get("unit")) == (low, high, unit)
    assert found["readable"] == len(values)


@pytest.mark.parametrize(
    "values",
    [
        ["192.168.1.1", "10.0.0.1"],
        ["192.168.100.200", "111.222.123.234"],
        ["1.2.3", "1.10.2"],
        ["123.456.789", "234.567.890", "345.678.901"],
        ["01234", "90210", "12345"],
        [*(str(number) for number in range(10_000, 10_100)), "01234"],
        ["12345678901234567890", "12345678901234567891"],
        ["12A", "13A"],
        ["Q1", "Q2"],
        ["K100", "K200"],
        ["5 Main St", "6 Main St"],
        ["1_000", "2_000"],
        ["0x10", "0x11"],
        ["555-1234", "555-9876"],
        ["2019-Q1", "2019-Q2"],
    ],
)
def test_codes_are_no_numbers(column_of: ColumnOf, values: list[str]) -> None:
    assert column_of(*values)["type"] == "text"


def test_each_column_has_its_own_marks(profiled: Profiled) -> None:
    found = profiled("name;price;size\n" + "".join(f"O{i};{i + 12}.345;7,50\n" for i in range(40)))
    price, size = found["columns"][1:]
    assert (price["min"], price["max"]) == (12_345, 51_345)
    assert (size["min"], size["max"]) == (7.5, 7.5)
    assert (found["decimal_mark"], doubted(found)) == (",", [])


def test_commas_between_thousands_are_no_decimals(profiled: Profiled) -> None:
    for mark in (";", "\t"):
        found = profiled(f"name{mark}n\n" + "".join(f"S{i}{mark}{1234 + i * 1111:,}\n" for i in range(40)))
        assert (found["columns"][1]["min"], found["columns"][1]["max"]) == (1234, 44_563)
        assert doubted(found) == ["decimal"]
        chosen = profiled(
            f"name{mark}n\n" + "".join(f"S{i}{mark}{1234 + i * 1111:,}\n" for i in range(8)), decimal="comma"
        )
        assert (chosen["columns"][1]["max"], chosen["doubts"]) == (9.011, [])


def test_a_late_value_decides(column_of: ColumnOf) -> None:
    found = column_of(*(f"{i % 900 + 100},000" for i in range(2000)), "7,5")
    assert (found["min"], found["max"], found["readable"]) == (7.5, 999, 2001)


# Gaps


@pytest.mark.parametrize("share", [10, 35])
@pytest.mark.parametrize(
    "word",
    ["-", ".", "?", "None", "<NA>", "\\N", "missing", "#DIV/0!", "n.a.", "keine Angabe", "nul", "Unknown", "N.A."],
)
def test_a_word_that_repeats_among_numbers_is_a_gap(column_of: ColumnOf, word: str, share: int) -> None:
    found = column_of(*(word if i % 100 < share else i for i in range(200)))
    assert (found["type"], found["missing"], found["missing_written_as"]) == (
        "whole number",
        2 * share,
        {word: 2 * share},
    )
    assert (found["min"], found["max"], found["readable"]) == (share, 199, 200 - 2 * share)


def test_a_day_that_is_none_is_a_gap(column_of: ColumnOf) -> None:
    found = column_of(*("0000-00-00" if i % 4 == 0 else f"2024-01-{i % 28 + 1:02d}" for i in range(40)))
    assert (found["type"], found["missing"], found["min"]) == ("date", 10, "2024-01-02")


def test_words_among_words_are_words(column_of: ColumnOf) -> None:
    found = column_of("a", "-", "b", "-", "c")
    assert (found["type"], found["missing"], found["distinct"]) == ("text", 0, 4)


# Dates


@pytest.mark.parametrize(
    ("values", "kind", "low", "high"),
    [
        (
            ["2024-01-01 00:00:00 UTC", "2024-01-02 00:00:00 UTC"],
            "date and time",
            "2024-01-01 00:00:00",
            "2024-01-02 00:00:00",
        ),
        (["2024-01-01T00:00Z", "2024-01-02T10:00Z"], "date and time", "2024-01-01 00:00", "2024-01-02 10:00"),
        (["20240101T000000Z", "20240102T000000Z"], "date and time", "2024-01-01 00:00:00", "2024-01-02 00:00:00"),
        (
            ["2024-01-01 00:00:00,123", "2024-01-01 00:00:05,5"],
            "date and time",
            "2024-01-01 00:00:00.123",
            "2024-01-01 00:00:05.5",
        ),
        (["01Jan2024", "02Feb2024"], "date", "2024-01-01", "2024-02-02"),
        (["Fri Jan 05 2024", "Sat Jan 06 2024"], "date", "2024-01-05", "2024-01-06"),
        (["5 January 2024", "6 March 2023"], "date", "2023-03-06", "2024-01-05"),
        (["May 5, 2024", "January 6, 2024"], "date", "2024-01-06", "2024-05-05"),
        (["05-Jan-24", "06-Feb-24"], "date", "2024-01-05", "2024-02-06"),
        (
            ["01/Jan/2024:10:00:00 +0000", "02/Jan/2024:10:00:00 +0000"],
            "date and time",
            "2024-01-01 10:00:00",
            "2024-01-02 10:00:00",
        ),
        (["2024-01-01", "2024-01-02 10:00"], "date and time", "2024-01-01 00:00", "2024-01-02 10:00"),
        (["10.01.2024 10:00", "11.01.2024 12:30"], "date and time", "2024-01-10 10:00", "2024-01-11 12:30"),
        (["1/5/2024 1:05 PM", "12/31/2024 2:00 AM"], "date and time", "2024-01-05 13:05", "2024-12-31 02:00"),
        (["12:30", "13:45:10"], "time", "12:30:00", "13:45:10"),
        (["1:05 PM", "2:10 AM"], "time", "02:10", "13:05"),
    ],
)
def test_dates_and_times_are_read(column_of: ColumnOf, values: list[str], kind: str, low: str, high: str) -> None:
    found = column_of(*values)
    assert (found["type"], found["min"], found["max"]) == (kind, low, high)
    assert found["readable"] == len(values)


def test_moments_with_a_zone_are_said_to_be_shown_in_utc(column_of: ColumnOf) -> None:
    found = column_of("2024-01-01 13:05:09+02:00", "2024-01-01 13:05:10+02:00")
    assert (found["min"], found["written_as"]) == ("2024-01-01 11:05:09", "year-month-day, shown in UTC")


def test_an_order_that_fits_both_ways_is_said_to(profiled: Profiled) -> None:
    found = profiled("d,n\n01/02/2024,1\n03/04/2024,2\n")
    assert (found["columns"][0]["min"], found["columns"][0]["dates_fit"]) == ("2024-02-01", "both")
    [doubt] = found["doubts"]
    assert (doubt["choice"], doubt["read_as"], doubt["columns"]) == ("dates", "day", ["d"])
    chosen = profiled("d,n\n01/02/2024,1\n03/04/2024,2\n", dates="month")
    assert (chosen["columns"][0]["min"], chosen["doubts"]) == ("2024-01-02", [])


@pytest.mark.parametrize(("last", "order"), [("31/12/2024", "day/month/year"), ("12/31/2024", "month/day/year")])
def test_one_late_day_decides_the_order(column_of: ColumnOf, last: str, order: str) -> None:
    found = column_of(*(f"{i % 12 + 1:02d}/{(i // 12) % 12 + 1:02d}/{2000 + i // 144}" for i in range(2000)), last)
    assert (found["written_as"], found["max"], found["readable"]) == (order, "2024-12-31", 2001)
    assert "dates_fit" not in found
