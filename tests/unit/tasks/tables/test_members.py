"""The task "tables": more members of the kinds of tables that are easily misread without a word."""

from collections.abc import Callable
from typing import Any

import pytest

type Facts = dict[str, Any]
type Profiled = Callable[..., Facts]
type ColumnOf = Callable[..., Facts]


def names(found: Facts) -> list[str]:
    return [column["name"] for column in found["columns"]]


def parts(found: Facts) -> dict[str, int]:
    return {part["what"]: part["count"] for part in found["apart"]}


def extremes(found: Facts) -> list[tuple[Any, Any]]:
    return [(column.get("min"), column.get("max")) for column in found["columns"]]


# Values


@pytest.mark.parametrize(
    ("values", "low", "high", "unit"),
    [
        (["100,-", "1.250,-", "12,50"], 12.5, 1250, None),
        (["100,\u2014", "7,\u2014"], 7, 100, None),
        (["12,-- €", "1.250,-- €", "99,95 €"], 12, 1250, "€"),
        (["100.-", "1'250.-", "12.50"], 12.5, 1250, None),
        (["kr 100,-", "kr 7,-"], 7, 100, "kr"),
        (["Fr. 5.-", "Fr. 12.50"], 5, 12.5, "Fr."),
        (["\u200b5", "6\u200b", "7"], 5, 7, None),
    ],
)
def test_prices_may_have_a_dash_for_their_decimals(
    column_of: ColumnOf, values: list[str], low: float, high: float, unit: str | None
) -> None:
    found = column_of(*values)
    assert (found["min"], found["max"], found.get("unit"), found["readable"]) == (low, high, unit, len(values))


@pytest.mark.parametrize("values", [["5-", "6-"], ["1-5", "6-10"], ["12,-3", "14,-5"], ["v. 5", "v. 6"]])
def test_other_dashes_and_points_make_no_prices(column_of: ColumnOf, values: list[str]) -> None:
    assert column_of(*values)["type"] == "text"


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (["10:30:00+01:00", "16:30:00+01:00"], "09:30:00", "15:30:00"),
        (["10:30Z", "12:45Z"], "10:30", "12:45"),
        (["10:30 CET", "12:30 CEST"], "09:30", "10:30"),
        (["00:30+01:00", "12:00+01:00"], "11:00", "23:30"),  # in UTC on the day before
    ],
)
def test_times_of_day_with_a_zone_are_shown_in_utc(column_of: ColumnOf, values: list[str], low: str, high: str) -> None:
    found = column_of(*values)
    assert (found["type"], found["min"], found["max"]) == ("time", low, high)
    assert found["written_as"] == "hours:minutes, shown in UTC"


@pytest.mark.parametrize(
    "zones", [("(CET)", "(CEST)"), ("(Central European Standard Time)", "(Central European Summer Time)"), ("", "")]
)
def test_dates_that_javascript_writes_are_moments(column_of: ColumnOf, zones: tuple[str, str]) -> None:
    winter, summer = zones
    found = column_of(f"Tue Mar 05 2024 10:00:00 GMT+0100 {winter}", f"Sun Jun 09 2024 12:30:00 GMT+0200 {summer}")
    assert (found["min"], found["max"]) == ("2024-03-05 09:00:00", "2024-06-09 10:30:00")


# Drawn tables


@pytest.mark.parametrize(
    "text",
    [
        " n \n----\n 42\n 17\n(2 rows)\n",
        "n \n--\n42\n17\n\n(2 rows affected)\n",
        "┌───────┐\n│   n   │\n│ int32 │\n├───────┤\n│    42 │\n│    17 │\n└───────┘\n",
    ],
)
def test_one_drawn_column_has_no_lines_for_rows(profiled: Profiled, text: str) -> None:
    found = profiled(text)
    assert (names(found), found["rows"], extremes(found)) == (["n"], 2, [(17, 42)])


def test_duckdbs_types_and_dots_are_no_rows(profiled: Profiled) -> None:
    rows = "│  id   │  name   │     d      │\n│ int32 │ varchar │    date    │\n├───────┼─────────┼────────────┤\n"
    rows += "│     1 │ Oslo    │ 2024-01-05 │\n│   ·   │ ·       │     ·      │\n│     9 │ varchar │ 2024-01-07 │\n"
    found = profiled(f"┌───────┬─────────┬────────────┐\n{rows}└───────┴─────────┴────────────┘\n")
    assert (found["rows"], extremes(found)) == (2, [(1, 9), (None, None), ("2024-01-05", "2024-01-07")])
    assert parts(found) == {"comments": 2}


def test_names_in_a_box_may_be_words_for_types(profiled: Profiled) -> None:
    found = profiled(
        "┌──────┬──────┐\n│ date │ text │\n├──────┼──────┤\n│ 1    │ a    │\n│ 2    │ b    │\n└──────┴──────┘\n"
    )
    assert (names(found), found["rows"]) == (["date", "text"], 2)


def test_dashes_below_a_line_of_prose_underline_no_column(profiled: Profiled) -> None:
    assert profiled("Shopping\n----\nbread\nmilk\n")["rows"] == 3


# Headers, and what stands above and between the rows


def test_units_below_the_names_are_no_row(profiled: Profiled) -> None:
    found = profiled("time,temp,wind\ns,°C,m/s\n0,12.5,3.1\n10,12.7,3.3\n")
    assert (found["titles"], found["rows"], extremes(found)[1]) == (["s,°C,m/s"], 2, (12.5, 12.7))


@pytest.mark.parametrize("row", ["n/a,-,x", "1,?,x", ",,x", "NA,NA,NA"])
def test_a_first_row_of_gaps_is_a_row(profiled: Profiled, row: str) -> None:
    assert profiled(f"a,b,c\n{row}\n1,2,y\n4,5,z\n7,8,w\n")["rows"] == 4


def test_pairs_above_the_table_are_no_header(profiled: Profiled) -> None:
    found = profiled("Device,X100\nSerial,12345\n\ntime,temp,wind\n0,1.5,3\n1,1.6,4\n2,1.7,5\n")
    assert (names(found), found["rows"], found["titles"]) == (
        ["time", "temp", "wind"], 3, ["Device,X100", "Serial,12345"],
    )  # fmt: skip


def test_a_header_that_is_repeated_is_no_row(profiled: Profiled) -> None:
    found = profiled("id,n\n1,5\n2,6\nid,n\n3,7\nid,n\n4,8\n")
    assert (found["rows"], parts(found), extremes(found)) == (4, {"headers": 2}, [(1, 4), (5, 8)])
    assert profiled("n\nn\nm\n")["rows"] == 2  # of one column, it may be a value


def test_a_second_table_below_a_short_one_is_apart(profiled: Profiled) -> None:
    found = profiled("id,n\n1,5\n2,6\n\nname,age\nAnn,30\nBob,41\n")
    assert (found["rows"], parts(found), extremes(found)) == (2, {"second table": 3}, [(1, 2), (5, 6)])


# Totals and notes


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ("Total,,18\na,x,5\nb,y,6\nc,z,7\n", "totals"),
        ("a,x,5\nb,y,6\nc,z,7\n,,18\n", "totals"),
        ("a,x,5\nb,y,6\nc,z,7\nAverage,,6\n", "totals"),
        ("a,x,5\nb,y,6\nc,z,7\nSource: Office, 2024, revised\n", "footer"),
        ("a,x,5\nb,y,6\nc,z,7\n(3 rows)\n", "footer"),
    ],
)
def test_what_is_no_row_of_a_short_table_is_apart(profiled: Profiled, rows: str, what: str) -> None:
    found = profiled(f"item,kind,n\n{rows}")
    assert (found["rows"], parts(found), extremes(found)[2]) == (3, {what: 1}, (5, 7))


def test_a_count_below_two_columns_is_no_row(profiled: Profiled) -> None:
    assert parts(profiled("id,n\n1,5\n2,6\n(2 rows)\n")) == {"footer": 1}


def test_a_row_without_a_name_that_does_not_add_up_is_a_row(profiled: Profiled) -> None:
    found = profiled("item,n\na,5\nb,6\nc,7\n,17\n")
    assert (found["rows"], parts(found), found["rows_called_total"]) == (4, {}, 0)


# Encodings


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        ("שם,עיר\nדוד,חיפה\nרות,עכו\n", "cp1255", "Windows-1255"),  # noqa: RUF001  # Hebrew
        ("ชื่อ,เมือง\nสมชาย,กรุงเทพ\n", "cp874", "Windows-874"),
        ("vardas;miestas\nJonas;Šiauliai\nRūta;Kėdainiai\nĄžuolas;Panevėžys\n", "cp1257", "Windows-1257"),
        ("id;p\n1;5 €\n2;7 €\n", "iso8859-15", "Latin-9"),
    ],
)
def test_more_encodings_are_found(profiled: Profiled, text: str, codec: str, name: str) -> None:
    found = profiled(text.encode(codec))
    assert (found["encoding"], names(found)) == (name, text.splitlines()[0].replace(";", ",").split(","))


@pytest.mark.parametrize("codec", ["euc_jp", "shift_jis", "gb18030"])
def test_two_letters_of_two_bytes_are_a_guess_and_the_others_are_offered(profiled: Profiled, codec: str) -> None:
    found = profiled("名,値\n1,2\n3,4\n".encode(codec))
    [doubt] = [doubt for doubt in found["doubts"] if doubt["choice"] == "encoding"]
    assert codec in {doubt["read_as"], *(other["value"] for other in doubt["others"])}


def test_a_stray_nul_in_a_tiny_file_makes_no_utf16(profiled: Profiled) -> None:
    assert names(profiled(b"id;n\n1;5\0\n2;6\n")) == ["id", "n"]
