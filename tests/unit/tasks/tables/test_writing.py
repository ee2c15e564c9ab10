"""The task "tables": files as people and programs write them, each read as its author meant it.

Each case is a kind of file that a reader of CSV gets wrong without a word.
"""

from collections.abc import Callable
from typing import Any

import pytest

type Profile = dict[str, Any]
type Profiled = Callable[..., Profile]


def names(found: Profile) -> list[str]:
    return [column["name"] for column in found["columns"]]


def extremes(found: Profile, column: int) -> tuple[Any, Any]:
    return found["columns"][column]["min"], found["columns"][column]["max"]


def choices_in_doubt(found: Profile) -> dict[str, list[str]]:
    """What else each close decision may be."""
    return {doubt["choice"]: [other["value"] for other in doubt["others"]] for doubt in found["doubts"]}


# Quotation marks


@pytest.mark.parametrize("stray", [(20,), (20, 80), (20, 21)])
def test_a_stray_mark_swallows_no_rows(profiled: Profiled, stray: tuple[int, ...]) -> None:
    rows = [f"{i},{'"' if i in stray else ''}Title {i},{1900 + i}" for i in range(100)]
    found = profiled("\n".join(["id,title,year", *rows]))
    assert (found["rows"], found["ragged_rows"], found["stray_marks"]) == (100, 0, len(stray))
    assert extremes(found, 2) == (1900, 1999)
    assert found["columns"][1]["distinct"] == 100


def test_marks_that_open_and_close_over_many_rows_are_letters(profiled: Profiled) -> None:
    rows = [f"{i},Title {i},{1900 + i}" for i in range(100)]
    rows[20], rows[80] = '20,"Title 20,1920', '80,Title 80",1980'
    assert profiled("\n".join(["id,title,year", *rows]))["rows"] == 100


def test_a_stray_mark_far_behind_the_head_is_found(profiled: Profiled) -> None:
    rows = [f"{i},{'"' if i in {50_000, 50_003} else ''}Title {i},{i % 7}" for i in range(60_000)]
    found = profiled("\n".join(["id,title,n", *rows]))
    assert (found["rows"], found["stray_marks"]) == (60_000, 2)


def test_text_of_many_lines_is_one_field(profiled: Profiled) -> None:
    letter = "Dear all,\nthis is a letter, with commas,\nand lines.\nYours, X"
    rows = [f'{i},"{letter}",{i % 9}' for i in range(300)]
    found = profiled("\n".join(["id,letter,n", *rows]))
    assert (found["rows"], found["stray_marks"], found["columns"][1]["distinct"]) == (300, 0, 1)
    assert found["columns"][1]["longest"] == len(letter)


def test_a_table_with_tabs_may_have_marks_as_letters(profiled: Profiled) -> None:
    found = profiled('id\tsize\n1\t"5 inch\n2\t"6 inch\n3\t7\n')
    assert (found["rows"], found["quote"]) == (3, "")


def test_single_marks_quote(profiled: Profiled) -> None:
    found = profiled("'name','note','n'\n'P1','a, b and c',1\n'P2','d, e',2\n")
    assert (names(found), found["quote"], found["ragged_rows"]) == (["name", "note", "n"], "'", 0)
    assert extremes(found, 2) == (1, 2)


def test_an_apostrophe_quotes_nothing(profiled: Profiled) -> None:
    found = profiled("name,n\nO'Neil,1\n'Tis,2\nRock 'n' Roll,3\n")
    assert (found["rows"], found["quote"]) == (3, '"')


def test_a_backslash_escapes_a_mark(profiled: Profiled) -> None:
    found = profiled('"id","joke","n"\n"1","knock , \\"who\\"","2"\n"2","a","3"\n')
    assert (names(found), found["escape"]) == (["id", "joke", "n"], "\\")
    assert 'knock , "who"' in [top["value"] for top in found["columns"][1]["top"]]


def test_blanks_before_a_mark_are_none_of_the_field(profiled: Profiled) -> None:
    found = profiled('a, b, c\n1, "x, y", 3\n2, "z", 4\n')
    assert (names(found), found["ragged_rows"]) == (["a", "b", "c"], 0)
    assert {top["value"] for top in found["columns"][1]["top"]} == {"x, y", "z"}


def test_text_behind_a_closing_mark_is_kept(profiled: Profiled) -> None:
    found = profiled('a,b\n"x" y,1\nz,2\n')
    assert {top["value"] for top in found["columns"][0]["top"]} == {"x y", "z"}


# Header, titles, comments, and what stands below


@pytest.mark.parametrize(
    ("content", "expected", "rows"),
    [
        ("country,2019,2020,2021\nA,5,2,3\nB,4,1,8\nC,9,9,9\n", ["country", "2019", "2020", "2021"], 3),
        ("item,1,2,3\nA,5,2,3\nB,4,1,8\n", ["item", "1", "2", "3"], 2),
        ("A,1,2,3\nB,2,3,4\nC,5,6,7\n", ["Column 1", "Column 2", "Column 3", "Column 4"], 3),
        ("id,name,amount\n1,n,2,,\n2,m,3,,\n", ["id", "name", "amount", "Column 4", "Column 5"], 2),
        ("# made by hand\n# second, line\na,b\n1,2\n3,4\n", ["a", "b"], 2),
        ("#name,age\nA,1\nB,2\n", ["#name", "age"], 2),
        ("sep=;\na;b\n1;2\n", ["a", "b"], 1),
        ("Report;2024\nFrom;me\nTo;you\nOn;Monday\na;b;c;d;e;f\n1;2;3;4;5;6\n1;2;3;4;5;7\n", list("abcdef"), 2),
    ],
)
def test_names_are_found(profiled: Profiled, content: str, expected: list[str], rows: int) -> None:
    found = profiled(content)
    assert (names(found), found["rows"]) == (expected, rows)


def test_a_header_of_numbers_is_said_to_be_a_guess(profiled: Profiled) -> None:
    years = "country,2019,2020,2021\nA,5,2,3\nB,4,1,8\n"
    assert choices_in_doubt(profiled(years)) == {"header": ["no"]}
    assert choices_in_doubt(profiled(years, header="yes")) == {}


def test_comments_between_rows_are_no_rows(profiled: Profiled) -> None:
    found = profiled("a,b\n1,2\n# a comment\n3,4\n# another\n5,6\n")
    assert (found["rows"], extremes(found, 0)) == (3, (1, 5))


def test_a_row_of_totals_is_apart(profiled: Profiled) -> None:
    rows = [f"shop {i},{i},{i * 10}" for i in range(1, 21)]
    for total in ("Total,210,2100", "\nGrand total:,210,2100", "Summe,210,2100\n"):
        found = profiled("\n".join(["shop,n,sum", *rows, total]))
        assert (found["rows"], extremes(found, 2)) == (20, (10, 200))
        assert [(part["what"], part["count"]) for part in found["apart"]] == [("totals", 1)]


def test_notes_below_a_table_are_apart(profiled: Profiled) -> None:
    found = profiled("a,b,c\n1,2,3\n4,5,6\n\nSource: an office of statistics\n* provisional\n")
    assert (found["rows"], found["ragged_rows"]) == (2, 0)
    assert found["apart"] == [
        {"what": "footer", "rows": [["Source: an office of statistics"], ["* provisional"]], "count": 2}
    ]


def test_a_second_table_is_apart(profiled: Profiled) -> None:
    first = "\n".join(f"{i},{i * 2}" for i in range(20))
    second = "\n".join(f"p{i},x,{i}" for i in range(15))
    found = profiled(f"a,b\n{first}\n\nname,kind,n\n{second}\n")
    assert (names(found), found["rows"], extremes(found, 0)) == (["a", "b"], 20, (0, 19))
    assert [(part["what"], part["count"]) for part in found["apart"]] == [("second table", 16)]


def test_blank_lines_between_rows_end_no_table(profiled: Profiled) -> None:
    rows = [f"{i},name {i},{i}" for i in range(30)]
    rows[10:10] = ["", "", ",,"]
    found = profiled("\n".join(["id,name,n", *rows]))
    assert (found["apart"], extremes(found, 0)) == ([], (0, 29))


def test_rows_that_do_not_fit_are_counted_and_shown(profiled: Profiled) -> None:
    found = profiled("a,b,c\n1,2,3\n4,5\n6,7,8,9\n10,11,12\n" + ",".join("1234567890" * 3) + "\n")
    assert (found["rows"], found["short_rows"], found["long_rows"]) == (5, 1, 2)
    assert [row["row"] for row in found["odd_rows"]] == [2, 3, 5]
    assert found["odd_rows"][1] == {"row": 3, "fields": 4, "text": "6,7,8,9"}


def test_titles_are_kept(profiled: Profiled) -> None:
    found = profiled("Account 17\n\nday;sum;text\n2024-01-01;5,00;x\n2024-01-02;6,00;y\n")
    assert (found["titles"], found["titles_above"]) == (["Account 17"], 1)


# Delimiters


def test_text_aligned_with_blanks_is_cut_into_its_columns(profiled: Profiled) -> None:
    found = profiled("name   age  city\nAnna    34  Oslo\nBob      5  New York\nCara    12  Rome\n")
    assert (names(found), found["delimiter"]) == (["name", "age", "city"], "aligned with blanks")
    assert extremes(found, 1) == (5, 34)
    assert "New York" in [top["value"] for top in found["columns"][2]["top"]]


def test_single_blanks_may_cut_columns(profiled: Profiled) -> None:
    found = profiled("city x y\nOslo 1 22\nRome 333 4\nParis 5 6\n")
    assert (names(found), extremes(found, 1)) == (["city", "x", "y"], (1, 333))


def test_numbers_below_longer_names_are_cut_by_blanks(profiled: Profiled) -> None:
    found = profiled("Weight Waist Pulse\n191 36 50\n189 37 52\n93 38 58\n")
    assert (names(found), extremes(found, 0), extremes(found, 1)) == (["Weight", "Waist", "Pulse"], (93, 191), (36, 38))


def test_marks_hold_blanks_together(profiled: Profiled) -> None:
    found = profiled('"city name" "x"\n"New York" 5\n"Oslo" 17\n"Rome" 3\n')
    assert (names(found), extremes(found, 1)) == (["city name", "x"], (3, 17))


def test_a_header_may_end_with_a_delimiter(profiled: Profiled) -> None:
    rows = "".join(f"LN14,{year},Q01,5.{year % 10}\n" for year in range(1959, 1989))
    found = profiled(f"Series: LN14\n\nType: Percent\n\n\nid,Year,Period,Value,\n{rows}")
    assert (names(found), found["rows"], found["ragged_rows"]) == (["id", "Year", "Period", "Value"], 30, 0)


def test_prose_is_one_column(profiled: Profiled) -> None:
    found = profiled("One line of five words\nAnd five words in here\nThese are five words too\n")
    assert (len(found["columns"]), found["delimiter"]) == (1, "none")


def test_the_visitor_may_choose_the_delimiter(profiled: Profiled) -> None:
    assert names(profiled("a,b;c\n1,2;3\n", delimiter="semicolon")) == ["a,b", "c"]
    assert names(profiled("a,b;c\n1,2;3\n", delimiter="none")) == ["a,b;c"]


# Encodings


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        ("имя;город\nИван;Москва\nМария;Казань\n", "cp1251", "Windows-1251"),
        ("имя;город\nИван;Москва\nМария;Казань\n", "koi8-r", "KOI8-R"),
        ("имя;город\nИван;Москва\nМария;Казань\n", "cp866", "CP866"),
        ("名前,都市\n田中,東京\nさくら,名古屋\n", "shift_jis", "Shift-JIS"),
        ("姓名,城市\n张伟,北京\n王芳,上海\n", "gbk", "GB18030"),
        ("이름,도시\n김철수,서울\n이영희,부산\n", "euc_kr", "EUC-KR"),
        ("όνομα;πόλη\nΓιώργος;Αθήνα\n", "cp1253", "Windows-1253"),
        ("imię;miasto\nŁukasz;Łódź\nPaweł;Częstochowa\nGrażyna;Gdańsk\n", "cp1250", "Windows-1250"),
        ("navn;by\nBjørn;Tromsø\nÅse;Ålesund\nKåre;Bodø\n", "latin-1", "Windows-1252"),
        ("isim;şehir\nAyşe;İstanbul\nMehmet;Diyarbakır\nÇağla;İzmir\nGökçe;Eskişehir\n", "cp1254", "Windows-1254"),
        ("item;price\nBread;3 €\nMilk;1 €\n", "cp1252", "Windows-1252"),
        ("a;b\nü;2\n", "utf-16-le", "UTF-16"),
        ("a;b\nü;2\n", "utf-16-be", "UTF-16"),
        ("имя;город\nИван;Москва\n", "utf-16-le", "UTF-16"),
    ],
)
def test_the_encoding_is_found(profiled: Profiled, text: str, codec: str, name: str) -> None:
    found = profiled(text.encode(codec))
    assert (found["encoding"], found["unreadable_characters"]) == (name, 0)
    mark = ";" if ";" in text else ","
    assert [names(found), *found["sample"]] == [line.split(mark) for line in text.splitlines()]


def test_a_guessed_encoding_is_said_to_be_one_and_can_be_chosen(profiled: Profiled) -> None:
    content = "имя;город\nИван;Москва\nМария;Казань\n".encode("cp1251")
    assert "encoding" in choices_in_doubt(profiled(content))
    chosen = profiled(content, encoding="koi8-r")
    assert (chosen["encoding"], chosen["doubts"]) == ("KOI8-R", [])


def test_a_stray_nul_is_left_out(profiled: Profiled) -> None:
    found = profiled(b"a,b\n1,2\n" + b"3,4\n" * 1000 + b"5,\x006\n")
    assert (found["rows"], extremes(found, 1)) == (1002, (2, 6))


# The table itself


def test_the_first_rows_are_kept(profiled: Profiled) -> None:
    assert profiled('a,b\n1,"x, y"\n2\n')["sample"] == [["1", "x, y"], ["2", ""]]
