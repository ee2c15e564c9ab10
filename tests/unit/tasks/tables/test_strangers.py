"""The task "tables": files of which an earlier reading was wrong without a word. Each case stands for a kind."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

from queueing.tasks.tables.choices import Choices
from queueing.tasks.tables.profile import profile
from queueing.tasks.tables.task import profile_table
from queueing.testing.tasks import run_task

type Profile = dict[str, Any]
type Profiled = Callable[..., Profile]
type ColumnOf = Callable[..., Profile]


def names(found: Profile) -> list[str]:
    return [column["name"] for column in found["columns"]]


@pytest.mark.parametrize(
    ("header", "row", "delimiter"),
    [
        ("id\tname", "{i}\tLast, First", "tab"),
        ("name;age", "Last, First;{i}", "semicolon"),
        ("nom;prix", "A{i};1 234,50", "semicolon"),
        ("nom;prix", "A{i};0,50 €", "semicolon"),
        ("nom;p", "A{i};0,50 %", "semicolon"),
        ("id;pos", "{i};52.1, 13.1", "semicolon"),
        ("id|name", "{i}|Last, First", "pipe"),
        ("id,tags", "{i},a;b;c", "comma"),
        ("id,name,tags", "{i},n,a|b|c|d", "comma"),
        ("id;tags", "{i};a,b,c", "semicolon"),
        ("a;b;c", "x, y, z{i};{i};1,5", "semicolon"),
    ],
)
def test_a_header_is_never_taken_for_a_title(profiled: Profiled, header: str, row: str, delimiter: str) -> None:
    found = profiled("\n".join([header, *(row.format(i=i) for i in range(29))]))
    mark = {"tab": "\t", "semicolon": ";", "pipe": "|", "comma": ","}[delimiter]
    assert (found["delimiter"], names(found), found["rows"], found["titles"]) == (delimiter, header.split(mark), 29, [])


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("country,2019,2020,2021", "C{i},0.5,0.25,1.1"),
        ("country,2019,2020,2021", "C{i},..,0,0"),
        ("code,country,2019,2020", "C{i},Land {i},1,2.5"),
        ('"Country Name","Country Code","1960","1961"', '"Land {i}","L{i}","1","2"'),
        ("country,1/22/20,1/23/20", "C{i},{i},5"),
        ("country,2019-01,2019-02", "C{i},{i},5"),
        ("region,0-4,5-9,10-14", "R{i},1,2,{i}"),
    ],
)
def test_years_months_and_ranges_are_names(profiled: Profiled, header: str, row: str) -> None:
    found = profiled("\n".join([header, *(row.format(i=i) for i in range(9))]))
    assert (names(found), found["rows"]) == ([name.strip('"') for name in header.split(",")], 9)


def test_a_clock_is_no_delimiter(profiled: Profiled) -> None:
    rows = [f"2024-01-{i + 1:02d} 10:00:00 {i}.5" for i in range(20)]
    found = profiled("\n".join(["date time temp", *rows]))
    assert (names(found), [column["type"] for column in found["columns"]]) == (
        ["date", "time", "temp"],
        ["date", "time", "number"],
    )


@pytest.mark.parametrize("sign", ["0,50 €", "B \u2013 x", "Foo™ •", "§ 1", "5 µg/m³ ½", "“x”"])
def test_signs_alone_are_windows_1252(profiled: Profiled, sign: str) -> None:
    content = "\n".join(["Artikel;Preis", *(f"A{i};{sign}" for i in range(20))]).encode("cp1252")
    assert profiled(content)["encoding"] == "Windows-1252"


@pytest.mark.parametrize("end", ["\r\r\n", "\r", "\n", "\r\n"])
def test_lines_may_end_in_any_way(profiled: Profiled, end: str) -> None:
    found = profiled("a,b" + end + "".join(f"{i},x{end}" for i in range(30)))
    assert (found["rows"], found["ragged_rows"], found["columns"][0]["max"]) == (30, 0, 29)


def test_two_ends_of_lines_in_one_file(profiled: Profiled) -> None:
    found = profiled("a,b\n" + "".join(f"{i},x\n" for i in range(98)) + "98,98\r99,99\r100,100")
    assert (found["rows"], found["columns"][0]["max"]) == (101, 100)


@pytest.mark.parametrize(("content", "rows"), [('"n"\n"0"\n"1"\n', 2), ('"n"\n"0"\n"x\ny"\n', 2), ("n\n0\n1\n", 2)])
def test_one_column_may_be_quoted(profiled: Profiled, content: str, rows: int) -> None:
    found = profiled(content)
    assert (names(found), found["rows"]) == (["n"], rows)


def test_blank_lines_above_the_header_end_no_table(profiled: Profiled) -> None:
    rows = "".join(f"{i},{i},x\n" for i in range(30))
    found = profiled(f"Report\n\nBy month\nid,n,m\n{rows}\n\n")
    assert (names(found), found["rows"], found["apart"]) == (["id", "n", "m"], 30, [])


def test_titles_that_a_spreadsheet_filled_up_are_titles(profiled: Profiled) -> None:
    rows = "".join(f"{i},x{i},{i * 2},{i * 3}\n" for i in range(12))
    found = profiled(f"Sales report,2024,,\n,,,\nid,name,n,m\n{rows}")
    assert (names(found), found["rows"], found["apart"]) == (["id", "name", "n", "m"], 12, [])


@pytest.mark.parametrize("last", ["summer,3", "Total SA,3", "Mean Street,3", "Sum insured,3"])
def test_a_word_that_begins_like_total_is_none(profiled: Profiled, last: str) -> None:
    found = profiled(f"name,n\nwinter,1\nspring,2\nautumn,4\n{last}\n")
    assert (found["rows"], found["apart"]) == (4, [])


def test_a_second_table_of_the_same_width_is_apart(profiled: Profiled) -> None:
    first = "".join(f"{i},{i * 2}\n" for i in range(20))
    second = "".join(f"p{i},x\n" for i in range(15))
    found = profiled(f"a,b\n{first}\nname,kind\n{second}")
    assert (found["rows"], [part["what"] for part in found["apart"]]) == (20, ["second table"])


def test_comments_are_counted_and_rows_that_look_like_them_are_kept(profiled: Profiled) -> None:
    rows = [f"t{i},{i}" for i in range(1000)]
    rows[900:902] = ["#love,5", "#fun,6"]
    found = profiled("\n".join(["tag,n", "# a comment", *rows]))
    assert found["rows"] == 1000
    assert [(part["what"], part["count"]) for part in found["apart"]] == [("comments", 1)]


def test_the_fields_of_a_long_row_are_counted(profiled: Profiled) -> None:
    found = profiled("a,b,c\n1,2,3\n4,5,6\n" + ",".join("1" * 30) + "\n7,8,9\n")
    assert [(row["row"], row["fields"]) for row in found["odd_rows"]] == [(3, 30)]


def test_marks_that_are_hard_to_match_take_no_long_time(tmp_path: Path) -> None:
    path = tmp_path / "hostile.csv"
    lines = {"one line": "a,b\n1,2\n" + ',"a"b"c' * 30_000, "many": "a,b\n" + '1,"x\n' * 300 + "1,x\n" * 20_000}
    for content in lines.values():
        path.write_text(content)
        before = time.process_time()
        profile(path, progress=lambda *_: None)
        assert time.process_time() - before < 10  # it was minutes: the time grew with the square


def test_numbers_at_the_ends_of_what_can_be_written(column_of: ColumnOf) -> None:
    assert column_of("1e308", "-1e308", "5")["max"] == 1e308
    found = column_of(*["inf"] * 30, "5", "6")
    assert (found["min"], found["max"]) == (5, "infinite")
    long = column_of(*(10**17 + i for i in range(100)), "9" * 23)
    assert (long["max"], long["readable"]) == (10**17 + 99, 100)


def test_money_has_more_signs_than_one(column_of: ColumnOf) -> None:
    assert (column_of("¥1,200", "¥800")["max"], column_of("¥1,200", "¥800")["unit"]) == (1200, "¥")


def test_two_words_may_mean_that_there_is_no_value(column_of: ColumnOf) -> None:
    found = column_of(*range(40), *["-"] * 5, *["k. A."] * 5)
    assert (found["type"], found["missing_written_as"]) == ("whole number", {"-": 5, "k. A.": 5})


def test_the_blanks_around_a_value_are_none_of_it(column_of: ColumnOf) -> None:
    for blank in ("\u00a0", "\t", " "):
        assert column_of(f"1{blank}", "2", f"{blank}3")["max"] == 3
        assert column_of("1", "2", f"{blank}")["missing"] == 1


def test_a_year_may_come_first_in_two_digits(profiled: Profiled) -> None:
    found = profiled("d,n\n20-01-15,1\n20-01-16,2\n")
    assert {doubt["choice"]: [one["value"] for one in doubt["others"]] for doubt in found["doubts"]} == {
        "dates": ["year"]
    }
    assert profiled("d,n\n20-01-15,1\n20-01-16,2\n", dates="year")["columns"][0]["max"] == "2020-01-16"


def test_a_chosen_decimal_mark_is_said(profiled: Profiled) -> None:
    assert profiled("n;p\nA;1,234\nB;2,345\n", decimal="comma")["decimal_mark"] == ","


def test_what_one_column_proves_is_no_doubt_in_another_one(profiled: Profiled) -> None:
    assert profiled("n;p\n1,234;0.55\n2,345;1.75\n")["doubts"] == []


def test_nine_hundred_columns_are_described_at_once(profiled: Profiled) -> None:
    """Some statements for all of them: a statement for each would take half a minute."""
    rows = [",".join(f"{1 + i % 12:02d}/{1 + r % 12:02d}/2024" for i in range(900)) for r in range(50)]
    before = time.process_time()
    found = profiled("\n".join([",".join(f"c{i}" for i in range(900)), *rows]))
    assert time.process_time() - before < 15
    assert {column["type"] for column in found["columns"]} == {"date"}


@pytest.mark.parametrize("width", [3, 100])
def test_the_table_can_be_had_as_parquet(tmp_path: Path, width: int) -> None:
    path = tmp_path / "table.csv"
    header = ",".join(["day", "Name", "name", *(f"n{i}" for i in range(width))])
    rows = [
        ",".join([f"2024-01-{r + 1:02d}", f"x{r}", "-" if r else "", *(f"{r * i}" for i in range(width))])
        for r in range(9)
    ]
    path.write_text("\n".join([header, *rows]))
    done = run_task(profile_table, {"parquet": True}, file=path)
    (tmp_path / "table.parquet").write_bytes(done.files["table.parquet"])
    relation = duckdb.read_parquet(str(tmp_path / "table.parquet"))
    assert relation.columns[0] == "day"
    assert [str(kind) for kind in relation.types[:5]] == ["DATE", "VARCHAR", "VARCHAR", "BIGINT", "BIGINT"]
    assert relation.fetchall()[8][3 + width - 1] == 8 * (width - 1)


def test_choices_reach_the_reading(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes("имя;n\nИван;1\n".encode("koi8-r"))
    found = profile(path, choices=Choices(encoding="cp1251", header="no"), progress=lambda *_: None)
    assert (found["encoding"], found["rows"]) == ("Windows-1251", 2)
