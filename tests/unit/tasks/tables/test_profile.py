"""The task "tables": what it finds in tables however they are written, how exactly, and in how much memory."""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest

from queueing.exceptions import UnusableInput, VisitorLeft
from queueing.tasks.tables.task import heavy_task, profile_table
from queueing.testing.tasks import handed_in, run_task
from tests.support.paths import TABLE
from tests.support.tables import invented

PEOPLE = "name,born,height\nÅsa,1990-05-01,1.71\nJosé,1985-11-30,1.80\nZoë,2001-01-15,1.65\n"


def test_the_sample_has_its_rows_columns_and_types_in_result_and_file(tmp_path: Path) -> None:
    assert heavy_task.sample == TABLE
    done = run_task(profile_table, file=TABLE)
    result = done.result
    assert (result["rows"], result["columns"]) == ("2,000 rows", "12 columns")
    assert (result["delimiter"], result["encoding"], result["notes"]) == ("comma", "UTF-8", [])
    assert {card["name"]: card["type"] for card in result["cards"]} == {
        "loan": "whole number",
        "lent_on": "date",
        "returned_at": "date and time",
        "branch": "text",
        "shelf": "text",
        "pages": "whole number",
        "reader_age": "whole number",
        "renewed": "yes/no",
        "days": "whole number",
        "fee": "number",
        "shelf_mark": "text",
        "note": "text",
    }
    saved = json.loads(done.files["profile.json"])
    assert saved["rows"] == 2_000
    assert len(saved["columns"]) == 12
    assert done.reports[-1][0] <= 1
    assert "rows read" in done.reports[-1][1]


# How it is written


@pytest.mark.parametrize(
    ("delimiter", "name"),
    [(",", "comma"), (";", "semicolon"), ("\t", "tab"), ("|", "pipe"), ("^", "caret"), ("~", "tilde"), (":", "colon")],
)
def test_finds_the_delimiter(profiled: Any, delimiter: str, name: str) -> None:
    found = profiled(PEOPLE.replace(",", delimiter))
    assert found["delimiter"] == name
    assert [column["name"] for column in found["columns"]] == ["name", "born", "height"]


@pytest.mark.parametrize(
    ("codec", "name"),
    [
        ("utf-8", "UTF-8"),
        ("utf-8-sig", "UTF-8"),
        ("utf-16", "UTF-16"),
        ("utf-32", "UTF-32"),
        ("cp1252", "Windows-1252"),
        ("latin-1", "Windows-1252"),
    ],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_reads_the_usual_encodings_and_ends_of_lines(profiled: Any, codec: str, name: str, newline: str) -> None:
    found = profiled(PEOPLE.replace("\n", newline).encode(codec))
    assert found["encoding"] == name
    assert found["rows"] == 3
    assert found["unreadable_characters"] == 0
    assert [top["value"] for top in found["columns"][0]["top"]] == ["José", "Zoë", "Åsa"]


def test_reads_utf16_of_the_other_byte_order(profiled: Any) -> None:
    assert profiled(b"\xfe\xff" + PEOPLE.encode("utf-16-be"))["rows"] == 3


def test_a_few_broken_bytes_do_not_change_the_encoding(profiled: Any) -> None:
    found = profiled(("name,n\n" + "Zoë,1\n" * 100).encode() + b"Jos\xe9,2\n")
    assert (found["encoding"], found["unreadable_characters"], found["rows"]) == ("UTF-8", 1, 101)


def test_an_encoding_that_shows_late_is_found(profiled: Any) -> None:
    found = profiled(b"name,n\n" + b"Anna,1\n" * 200_000 + "Zoë,1\n".encode("cp1252"))
    assert (found["encoding"], found["rows"]) == ("Windows-1252", 200_001)


def test_quoted_fields_may_hold_anything(profiled: Any) -> None:
    found = profiled('a,b\n"1,5","two\nlines, and ""marks"""\n"x",y\n')
    assert found["rows"] == 2
    assert found["ragged_rows"] == 0
    assert {top["value"] for top in found["columns"][1]["top"]} == {'two\nlines, and "marks"', "y"}


def test_a_mark_in_the_middle_of_a_field_is_a_letter(profiled: Any) -> None:
    found = profiled('size,n\n5" pipe,1\n6" pipe,2\n7" pipe,3\n')
    assert found["rows"] == 3
    assert {top["value"] for top in found["columns"][0]["top"]} == {'5" pipe', '6" pipe', '7" pipe'}


def test_a_mark_that_is_never_closed_is_a_letter(profiled: Any) -> None:
    found = profiled('a,b\n1,2\n3,4\n"5,6\n7,8\n')
    assert (found["rows"], found["stray_marks"], found["columns"][1]["max"]) == (4, 1, 8)
    assert '"5' in [top["value"] for top in found["columns"][0]["top"]]


def test_a_line_without_end_is_refused(profiled: Any, settings: Any) -> None:
    settings.QUEUEING = {"TABLE_MAX_LINE_BYTES": 1_000_000}
    with pytest.raises(UnusableInput, match="Line 3 is longer than"):
        profiled("a,b\n1,2\n3," + "4" * 9_000_000)


def test_a_quotation_beyond_the_limit_is_refused(profiled: Any) -> None:
    with pytest.raises(UnusableInput, match="Line 3 is longer than"):
        profiled('a,b\n1,2\n"' + "x" * 3_000_000 + "\n1,2\n")


@pytest.mark.parametrize(("delimiter", "mark"), [(";", ","), ("\t", ","), (";", ".")])
def test_reads_the_decimal_mark_of_the_table(profiled: Any, delimiter: str, mark: str) -> None:
    group = "." if mark == "," else ","
    rows = [f"a{delimiter}1{group}234{mark}5", f"b{delimiter}0{mark}5", f"c{delimiter}-7"]
    found = profiled("\n".join([f"name{delimiter}sum", *rows]))
    assert found["decimal_mark"] == mark
    assert (found["columns"][1]["min"], found["columns"][1]["max"]) == (-7, 1234.5)


def test_two_decimal_commas_are_two_numbers(profiled: Any) -> None:
    assert profiled("a;b\n1,5;2,5\n3,5;4,5\n")["delimiter"] == "semicolon"
    assert profiled("1,5;2,5\n3,5;4,5\n")["delimiter"] == "semicolon"


def test_takes_the_delimiter_from_excels_own_line(profiled: Any) -> None:
    found = profiled("sep=!\na!b\n1,5!2;3\n")
    assert (found["delimiter"], found["rows"], found["columns"][0]["name"]) == ("'!'", 1, "a")


def test_one_column_stays_one(profiled: Any) -> None:
    found = profiled("time\n12:30\n13:45, or so\n\n14:00\n")
    assert (found["delimiter"], found["rows"], found["ragged_rows"], len(found["columns"])) == ("none", 3, 0, 1)


# Names and rows


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("a,a,,a\n1,2,3,4\n", ["a", "a (2)", "Column 3", "a (3)"]),
        ('" long\n name ",b\n1,2\n', ["long name", "b"]),
        ("1,2\n3,4\n", ["Column 1", "Column 2"]),
        ("name,2019,2020\nA,1,2\n", ["name", "2019", "2020"]),
        ("x y\n", ["x y"]),
        ("mpg,cyl\nMazda,21,6\nDatsun,22.8,4\n", ["Column 1", "mpg", "cyl"]),
        ("a,b\n1,2,\n3,4,\n", ["a", "b", "Column 3"]),
    ],
)
def test_each_column_has_a_name_of_its_own(profiled: Any, content: str, names: list[str]) -> None:
    assert [column["name"] for column in profiled(content)["columns"]] == names


def test_the_visitor_knows_better_where_the_names_are(profiled: Any) -> None:
    sums = "total,12,17\nA,1,2\n"
    assert [column["name"] for column in profiled(sums)["columns"]] == ["Column 1", "Column 2", "Column 3"]
    assert [column["name"] for column in profiled(sums, header="yes")["columns"]] == ["total", "12", "17"]
    assert profiled("a,b\nc,d\n", header="no")["rows"] == 2
    assert profiled("a,b\nc,d\n")["rows"] == 1


def test_a_header_alone_is_a_table_without_rows(profiled: Any) -> None:
    found = profiled("a,b,c")
    assert (found["rows"], [column["type"] for column in found["columns"]]) == (0, ["empty"] * 3)


def test_titles_above_the_table_are_passed_over(profiled: Any) -> None:
    found = profiled("Account 17\n\nday;sum;text\n2024-01-01;5,00;x\n2024-01-02;6,00;y\n2024-01-03;7,00;z\n")
    assert (found["titles_above"], found["rows"], found["columns"][0]["name"]) == (1, 3, "day")


def test_rows_that_are_too_short_or_too_long_are_counted_and_kept(profiled: Any) -> None:
    found = profiled("a,b,c\n1,2,3\n4,5\n6,7,8,9\n\n10,11,12\n")
    assert (found["rows"], found["ragged_rows"]) == (4, 2)
    assert [column["missing"] for column in found["columns"]] == [0, 0, 1]
    assert found["columns"][2]["max"] == 12


@pytest.mark.parametrize("content", ["", "\n\n\r\n", "\ufeff\n"])
def test_a_table_without_columns_is_refused(profiled: Any, content: str) -> None:
    with pytest.raises(UnusableInput, match="no columns"):
        profiled(content)


def test_a_first_row_beyond_the_limit_is_refused(profiled: Any, settings: Any) -> None:
    settings.QUEUEING = {"TABLE_MAX_LINE_BYTES": 1_000}
    with pytest.raises(UnusableInput, match="first row of this table is longer than"):
        profiled("a,b" * 100_000)


def test_too_many_columns_are_refused(profiled: Any, settings: Any) -> None:
    settings.QUEUEING = {"TABLE_MAX_COLUMNS": 3}
    with pytest.raises(UnusableInput, match="4 columns; the limit is 3"):
        profiled("a,b,c,d\n1,2,3,4\n")


def test_the_visitors_leaving_ends_it() -> None:
    with handed_in(file=TABLE, leaves_at=0) as means:
        with pytest.raises(VisitorLeft):
            run_task(profile_table)
        assert not means.files


# What it finds


def test_missing_values_are_blanks_and_the_usual_words(column_of: Any) -> None:
    found = column_of(1, "", " ", "NA", "NULL", 2, "NA")
    assert (found["missing"], found["missing_written_as"], found["type"]) == (5, {"NA": 2, "NULL": 1}, "whole number")
    assert column_of("", "", "")["type"] == "empty"


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["1", "2.0", "1e3", "-7", "+4"], "whole number"),
        (["1", "2.5", ".5", "1,234.75"], "number"),
        (["00123", "04567", "99999"], "text"),
        (["12345678901234567890", "12345678901234567891"], "text"),
        (["1e999", "5"], "text"),
        (["inf", "nan", "5x"], "text"),
        (["yes", "No", "YES"], "yes/no"),
        (["true", "false"], "yes/no"),
        (["yes", "no", "maybe"], "text"),
        (["2024-02-29", "1999-12-31"], "date"),
        (["31.12.1999", "1.2.2024"], "date"),
        (["31.12.99", "01.02.24"], "date"),
        (["5 Jan 2024", "17 Dec 2023"], "date"),
        (["2024-02-30", "2024-02-31"], "text"),
        (["2024-02-29T10:00:00Z", "2024-02-29T10:00:00.5+02:00"], "date and time"),
        (["2024-02-29 10:00", "2024-02-29 23:59"], "date and time"),
        (["10:00", "23:59"], "time"),
        (["10:00", "36:15"], "text"),
    ],
)
def test_the_type_of_a_column_is_that_of_its_values(column_of: Any, values: list[str], kind: str) -> None:
    assert column_of(*values)["type"] == kind


def test_a_few_odd_values_do_not_hide_the_numbers(column_of: Any) -> None:
    found = column_of(*range(99), "many")
    assert (found["type"], found["readable"], found["max"]) == ("whole number", 99, 98)
    assert column_of(*range(80), *("a", "b") * 10)["type"] == "text"


def test_the_order_of_day_and_month_comes_from_all_values(column_of: Any) -> None:
    american = column_of("01/02/2024", "03/04/2024", "12/31/2024")
    assert (american["written_as"], american["max"]) == ("month/day/year", "2024-12-31")
    assert column_of("01/02/2024", "31/12/2024")["written_as"] == "day/month/year"


def test_a_small_table_is_measured_exactly(column_of: Any) -> None:
    chance = invented(7)
    values = [round(chance.lognormvariate(2, 1), 3) for _ in range(999)]
    found = column_of(*values)
    assert found["distinct"] == len(set(values))
    assert (found["min"], found["max"]) == (min(values), max(values))
    assert found["mean"] == pytest.approx(statistics.fmean(values))
    quartiles = statistics.quantiles(values, n=4, method="inclusive")
    assert [found["quantiles"][share] for share in ("0.25", "0.5", "0.75")] == pytest.approx(quartiles)
    assert sum(found["histogram"]["counts"]) == len(values)


def test_dates_are_measured_like_numbers(column_of: Any) -> None:
    found = column_of("2024-01-01", "2024-01-03", "2024-01-03", "2024-01-05")
    assert (found["min"], found["max"], found["mean"]) == ("2024-01-01", "2024-01-05", "2024-01-03")
    assert found["quantiles"]["0.5"] == "2024-01-03"
    assert found["histogram"]["counts"] == [1, 0, 2, 0, 1]


def test_far_values_do_not_flatten_the_histogram(column_of: Any) -> None:
    found = column_of(*range(1000), 10**9)["histogram"]
    assert found["last_holds_more"]
    assert sum(found["counts"]) == 1001
    assert max(found["counts"]) < 100
