"""The task "tables": totals and notes, drawn tables, headers in comments, dates of other languages, exact extremes."""

import re
from collections.abc import Callable
from typing import Any

import pytest

from queueing.tasks.tables.card import card
from queueing.tasks.tables.page import page

type Facts = dict[str, Any]
type Profiled = Callable[..., Facts]
type ColumnOf = Callable[..., Facts]


def names(found: Facts) -> list[str]:
    return [column["name"] for column in found["columns"]]


def parts(found: Facts) -> dict[str, int]:
    return {part["what"]: part["count"] for part in found["apart"]}


# Totals and notes

EAST = "East,a,1,2.5\nEast,b,2,3.5\n"
WEST = "West,a,5,1.0\nWest,b,6,2.0\n"


@pytest.mark.parametrize(
    ("east", "west", "whole"),
    [
        ("Subtotal,,3,6.00", "Subtotal,,11,3.00", "Total,,14,9.00"),
        ("East total,,3,6", "West total,,11,3", "Grand total,,14,9"),
        ("East,Total,3,6.0", "West,Total,11,3.0", "All,Total,14,9.0"),
        ("Zwischensumme,,3,6.0", "Zwischensumme,,11,3.0", "Summe,,14,9.0"),
        ("Total for East,,3,0.4", "Total for West,,11,0.6", "Total,,14,1"),
    ],
)
def test_totals_among_the_rows_are_apart(profiled: Profiled, east: str, west: str, whole: str) -> None:
    found = profiled(f"region,town,n,x\n{EAST}{east}\n{WEST}{west}\n{whole}\n")
    assert (found["rows"], parts(found), found["rows_called_total"]) == (4, {"totals": 3}, 0)
    assert (found["columns"][2]["max"], found["columns"][3]["max"]) == (6, 3.5)


def test_totals_with_decimal_commas_add_up(profiled: Profiled) -> None:
    found = profiled("Ort;Betrag\na;1.000,50\nb;2.000,25\nSumme;3.000,75\nc;1,00\nd;2,00\nSumme;3,00\ne;7,50\nf;8,50\n")
    assert (found["rows"], parts(found)) == (6, {"totals": 2})
    assert found["columns"][1]["max"] == 2000.25


def test_a_row_called_total_is_a_row_unless_it_is_the_sum(profiled: Profiled) -> None:
    """Of many rows, a sum may be off by a little of each, but not by more than a little of itself."""
    rows = "".join(f"site {n},{int(n < 20)}\n" for n in range(5000))
    found = profiled(f"site,n\n{rows}Total of all sites,3\n")
    assert (found["rows"], parts(found), found["rows_called_total"]) == (5001, {}, 1)


def test_rows_called_total_that_do_not_add_up_are_rows_and_named(profiled: Profiled) -> None:
    rows = "".join(f"male,{y},{y % 7}.5\nfemale,{y},{y % 5}.5\nTotal,{y},9.9\n" for y in range(2000, 2009))
    found = profiled(f"sex,year,rate\n{rows}")
    assert (found["rows"], parts(found), found["rows_called_total"]) == (27, {}, 9)
    assert "9 rows were named like totals and do not add up, so they count as rows." in page(found)["notes"]


@pytest.mark.parametrize(
    "below",
    [
        "Total,,36\nNote: figures for x, y and others, in kg\n",
        "Total,,36\nSource: Office, Bern, own\n",
        "Total,,36\n* x, provisional\n** y, estimated\n",
        "\nTotal,,36\nNote: figures for x, y and others, in kg\n(c) Office, 2024\n",
    ],
)
def test_a_note_with_delimiters_hides_no_total(profiled: Profiled, below: str) -> None:
    found = profiled("a,b,n\n" + "".join(f"x,y,{i}\n" for i in range(9)) + below)
    assert (found["rows"], found["columns"][2]["max"]) == (9, 8)
    assert list(parts(found)) == ["totals", "footer"]


@pytest.mark.parametrize("above", ["Sales, by region\n", "Sales by region, town, and year\nSource: Office, Bern\n\n"])
def test_a_title_with_delimiters_is_no_header(profiled: Profiled, above: str) -> None:
    found = profiled(above + "a,b,n\n" + "".join(f"x,y,{i}\n" for i in range(9)))
    assert (names(found), found["rows"]) == (["a", "b", "n"], 9)
    assert found["titles"] == above.split("\n")[: found["titles_above"]]


# Drawn tables


DRAWN = {
    "psql": """
 id | name  | n
----+-------+---
  1 | Ann   | 5
  2 | Bob   | 6
(2 rows)
""",
    "MySQL": """
+----+------+---+
| id | name | n |
+----+------+---+
|  1 | Ann  | 5 |
|  2 | Bob  | 6 |
+----+------+---+
2 rows in set (0.00 sec)
""",
    "Markdown": "# People\n\n| id | name | n |\n|---:|:-----|---|\n| 1 | Ann | 5 |\n| 2 | Bob | 6 |\n",
    "Markdown without ends": "id | name | n\n--|--|--\n1 | Ann | 5\n2 | Bob | 6\n",
    "grid": """
+----+------+---+
| id | name | n |
+====+======+===+
|  1 | Ann  | 5 |
+----+------+---+
|  2 | Bob  | 6 |
+----+------+---+
""",
    "box": """
┌────┬──────┬───┐
│ id │ name │ n │
├────┼──────┼───┤
│  1 │ Ann  │ 5 │
│  2 │ Bob  │ 6 │
└────┴──────┴───┘
""",
    "SQL Server": """
id          name n
----------- ---- ---
          1 Ann    5
          2 Bob    6

(2 rows affected)
""",
    "reStructuredText": """
==  ====  ==
id  name  n
==  ====  ==
1   Ann   5
2   Bob   6
==  ====  ==
""",
}


@pytest.mark.parametrize("program", DRAWN)
def test_drawn_lines_are_no_rows(profiled: Profiled, program: str) -> None:
    found = profiled(DRAWN[program])
    assert (names(found), found["rows"], found["ragged_rows"]) == (["id", "name", "n"], 2, 0)
    assert [column["max"] for column in found["columns"] if "max" in column] == [2, 6]


def test_dashes_between_pipes_are_values(profiled: Profiled) -> None:
    assert profiled("a|b\n1|2\n3|--\n4|5\n")["rows"] == 3
    assert profiled("| a | b |\n|---|---|\n| 1 | 2 |\n| - | - |\n| 4 | 5 |\n")["rows"] == 3


# Comments and marks


@pytest.mark.parametrize(
    ("above", "first"),
    [
        ("##fileformat=VCFv4.2\n##source=x,y\n#CHROM\tPOS\tREF\n", "#CHROM"),
        ("# made by x\n# CHROM\tPOS\tREF\n", "CHROM"),
        ("#chrom\tPOS\tREF\n", "#chrom"),
    ],
)
def test_the_last_comment_may_hold_the_names(profiled: Profiled, above: str, first: str) -> None:
    found = profiled(above + "".join(f"chr1\t{100 * i}\tA\n" for i in range(20)))
    assert (names(found), found["rows"]) == ([first, "POS", "REF"], 20)


def test_comments_above_a_header_are_comments(profiled: Profiled) -> None:
    found = profiled("# x, y, and z\nname,n\na,1\nb,2\nc,3\nd,4\n")
    assert (names(found), found["rows"]) == (["name", "n"], 4)


def test_a_mark_that_is_escaped_at_the_end_of_a_line_goes_on(profiled: Profiled) -> None:
    found = profiled("id,size,n\n" + "".join(f'{i},"a \\"\nb",5\n' for i in range(9)))
    assert (found["rows"], found["columns"][1]["top"][0]["value"]) == (9, 'a "\nb')


def test_a_backslash_at_the_end_of_a_field_is_a_letter(profiled: Profiled) -> None:
    found = profiled("id,path,n\n" + "".join(f'{i},"C:\\dir\\",4\n' for i in range(9)))
    assert (found["rows"], found["columns"][1]["top"][0]["value"]) == (9, "C:\\dir\\")


def test_the_visitor_may_say_what_the_quotation_mark_is(profiled: Profiled) -> None:
    assert profiled('a,b\n"x,1\n"y",2\n', quote="none")["columns"][0]["top"][1]["value"] == '"y"'
    assert profiled("a,b\n'x,z',1\ny,2\n", quote="single")["columns"][0]["top"][0]["value"] == "x,z"


# Values


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (["5. März 2024", "17. Dezember 2023", "1. Jänner 2024"], "2023-12-17", "2024-03-05"),
        (["05. Mrz. 2024", "3. Okt. 2024"], "2024-03-05", "2024-10-03"),
        (["1er janvier 2024", "17 août 2023", "3 juil. 2024"], "2023-08-17", "2024-07-03"),
        (["5 de enero de 2024", "17 de diciembre de 2023"], "2023-12-17", "2024-01-05"),
        (["5 gennaio 2024", "17 maggio 2023"], "2023-05-17", "2024-01-05"),
        (["5 januari 2024", "17 maart 2023"], "2023-03-17", "2024-01-05"),
        (["5 de março de 2024", "17 de dezembro de 2023"], "2023-12-17", "2024-03-05"),
        (["1st March 2024", "22nd April 2024"], "2024-03-01", "2024-04-22"),
        (["March 1st, 2024", "Sept. 3, 2024"], "2024-03-01", "2024-09-03"),
        (["2024-01-01 10:00 CET", "2024-07-01 10:00 CEST"], "2024-01-01 09:00", "2024-07-01 08:00"),
        (["2024-01-01 22:00:00 EST", "2024-01-01T10:00:00Z"], "2024-01-01 10:00:00", "2024-01-02 03:00:00"),
        (
            ["2024-01-01 00:00:05.5", "2024-01-01 00:00:00.123456"],
            "2024-01-01 00:00:00.123456",
            "2024-01-01 00:00:05.5",
        ),
    ],
)
def test_dates_of_other_languages_and_zones_are_read(
    column_of: ColumnOf, values: list[str], low: str, high: str
) -> None:
    found = column_of(*values)
    assert (found["min"], found["max"], found["readable"]) == (low, high, len(values))


@pytest.mark.parametrize(
    "values", [["set 1", "set 2"], ["10. a", "11. b"], ["5th Avenue", "6th Avenue"], ["mar 5", "x"]]
)
def test_words_that_look_like_months_are_words(column_of: ColumnOf, values: list[str]) -> None:
    assert column_of(*values)["type"] == "text"


def test_a_point_between_thousands_of_euros_is_no_decimal_point(profiled: Profiled) -> None:
    found = profiled("Artikel;Preis\n" + "".join(f"A{i};{100 + i} €\n" for i in range(20)) + "B;1.234 €\n")
    assert (found["columns"][1]["max"], found["columns"][1]["type"]) == (1234, "whole number")
    [doubt] = found["doubts"]
    assert (doubt["read_as"], [other["value"] for other in doubt["others"]]) == ("comma", ["point"])


def test_extremes_are_values_of_the_column(column_of: ColumnOf) -> None:
    found = column_of("0.1234567890123456", "1037.505", "1234567.891234")
    assert (found["min"], found["max"]) == (0.1234567890123456, 1234567.891234)
    shown = card(found)
    said = {fact["label"]: fact["value"] for fact in shown["facts"]}
    assert (said["Smallest"], said["Largest"]) == ("0.1234567890123456", "1,234,567.891234")
    assert shown["gist"] == "0.1234567890123456 to 1,234,567.891234"


def test_what_is_no_number_is_named_in_the_overview(column_of: ColumnOf) -> None:
    found = column_of(*range(98), "many", "few")
    assert card(found)["gist"] == "0 to 97; 2 no numbers: few, many"
    assert column_of(*range(98))["type"] == "whole number"
    assert card(column_of(*range(98)))["gist"] == "0 to 97"


# Encodings of few letters

FEW = {
    "cp1251": ["имя;город\nИван;Москва\n", "name;n\nИван;1\nМария;2\n", "id,город\n1,УФА\n2,ОМСК\n"],
    "koi8-r": ["имя;город\nИван;Москва\n"],
    "shift_jis": ["名前,n\n田中,1\n", "商品,価格\nりんご,100\nバナナ,120\n", "id,name\n1,ｱｲｳ\n2,ｶｷｸ\n3,東京\n"],
    "euc_jp": ["商品,価格\nりんご,100\nバナナ,120\n"],
    "gb18030": ["姓名,n\n张伟,1\n", "城市,人口\n北京,2154\n上海,2424\n"],
    "big5": ["城市,人口\n臺北,2154\n高雄,2424\n"],
    "euc_kr": ["이름,n\n김철수,1\n이영희,2\n"],
    "cp1250": ["imię;n\nŁukasz;1\nPaweł;2\n"],
    "cp850": ["Name;n\nMüller;1\nJäger;2\n"],
    "mac_roman": ["Name;n\nMüller;1\nJäger;2\n"],
    "utf-16-le": ["имя,n\nИван,1\n", "名前,都市\n田中,東京\n", "a,b\n1,2\n"],
    "utf-16-be": ["имя,n\nИван,1\n", "名前,都市\n田中,東京\n", "a,b\n1,2\n"],
}


@pytest.mark.parametrize(("codec", "content"), [(codec, text) for codec, texts in FEW.items() for text in texts])
def test_a_small_file_is_read_in_its_encoding(profiled: Profiled, codec: str, content: str) -> None:
    found = profiled(content.encode(codec))
    header, *rows = [re.split("[;,]", line) for line in content.splitlines()]
    assert (names(found), found["sample"]) == (header, rows)


@pytest.mark.parametrize("text", ["m³;l’été\n5;µg\n", "price;x\n£5;¿Qué?\n", "a;b\n“x”;100 €\n"])
def test_signs_that_belong_to_a_text_are_not_odd(profiled: Profiled, text: str) -> None:
    assert profiled(text.encode("cp1252"))["encoding"] == "Windows-1252"
