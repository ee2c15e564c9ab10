"""Reading order, paragraphs and tables, on lines without a picture."""

import math
import time

import pytest

from queueing.tasks.documents import layout
from queueing.tasks.documents.page import Line, Point
from queueing.tasks.documents.reading_order import reading_order

HEIGHT = 20.0


def line(text: str, left: float, top: float, width: float | None = None, *, angle: float = 0) -> Line:
    """A line 20 pixels high, on a page turned by `angle` degrees."""
    right, bottom = left + (width if width is not None else len(text) * 10), top + HEIGHT
    turn = complex(math.cos(math.radians(angle)), math.sin(math.radians(angle)))

    def point(x: float, y: float) -> Point:
        turned = complex(x, y) * turn
        return turned.real, turned.imag

    return Line(text, 0.9, (point(left, top), point(right, top), point(right, bottom), point(left, bottom)))


def text(*lines: Line) -> str:
    shuffled = sorted(lines, key=lambda line: line.text[::-1])
    return layout.text(layout.rows(shuffled))


def words(*lines: Line) -> str:
    return " ".join(text(*lines).split())


def column(prefix: str, left: float, top: float, count: int, **options: float) -> list[Line]:
    return [line(f"{prefix}{number}", left, top + 24 * number, 300, **options) for number in range(count)]


@pytest.mark.parametrize("angle", [0, 2, -2])
def test_columns_between_lines_of_full_width_are_read_one_after_the_other(angle: float) -> None:
    page = [
        line("Heading over both", 0, 0, 650, angle=angle),
        *column("a", 0, 60, 4, angle=angle),
        *column("b", 350, 60, 4, angle=angle),
        line("Foot under both", 0, 200, 650, angle=angle),
    ]
    assert words(*page) == "Heading over both a0 a1 a2 a3 b0 b1 b2 b3 Foot under both"


def test_nothing_is_nothing() -> None:
    assert layout.rows([]) == []
    assert layout.text([]) == ""


def test_columns_may_be_out_of_step() -> None:
    assert words(*column("a", 0, 0, 5), *column("b", 350, 11, 5)) == "a0 a1 a2 a3 a4 b0 b1 b2 b3 b4"


def test_columns_between_two_headings_stay_together() -> None:
    page = [*column("a", 0, 0, 3), *column("b", 350, 0, 3), line("Next", 0, 100, 650)]
    page += [*column("c", 0, 140, 3), *column("d", 350, 140, 3)]
    assert words(*page) == "a0 a1 a2 b0 b1 b2 Next c0 c1 c2 d0 d1 d2"


def test_a_short_heading_under_columns_goes_with_what_it_stands_over() -> None:
    page = [*column("a", 0, 0, 4), *column("b", 350, 0, 3), line("Short", 0, 130, 60), line("Wide", 0, 158, 650)]
    assert words(*page) == "a0 a1 a2 a3 b0 b1 b2 Short Wide"


def test_a_long_column_keeps_its_end() -> None:
    page = [*column("a", 0, 0, 5), *column("b", 350, 0, 3), line("Wide", 0, 135, 650)]
    assert words(*page) == "a0 a1 a2 a3 a4 b0 b1 b2 Wide"


def test_pieces_of_one_line_are_put_together() -> None:
    assert text(line("one", 0, 0, 30), line("two", 42, 1, 30), line("three", 84, -1, 50)) == "one two three"


def test_a_table_is_read_in_rows() -> None:
    cells = [line(f"{row}{stop}", stop, 30 * row, 40) for row in range(3) for stop in (0, 200, 400)]
    assert text(*cells) == "00\t0200\t0400\n10\t1200\t1400\n20\t2200\t2400"


def test_an_empty_cell_keeps_its_column() -> None:
    rows = [
        ["Item", "Qty", "Each", "Total"],
        ["Lamp oil", "", "", "7.20"],
        ["Rope", "3", "", "9.00"],
        ["Nails", "", "2.00"],
    ]
    stops = [0, 200, 300, 400]
    cells = [
        line(cell, stop, 30 * number)
        for number, row in enumerate(rows)
        for cell, stop in zip(row, stops, strict=False)
        if cell
    ]
    assert text(*cells) == "\n".join("\t".join(row) for row in rows)


def test_right_aligned_figures_belong_to_their_column() -> None:
    ends = [150, 260, 400]  # right ends
    rows = [["Rope", "12", "1,250.00"], ["Nails", "", "7.20"], ["Lamp", "3", "19.00"]]
    cells = [
        line(cell, end - 10 * len(cell) if number else 0, 30 * place)
        for place, row in enumerate(rows)
        for number, (cell, end) in enumerate(zip(row, ends, strict=True))
        if cell
    ]
    assert text(*cells) == "\n".join("\t".join(row) for row in rows)


@pytest.mark.parametrize("gap", [25, 40, 60])
def test_a_price_stays_on_the_line_of_its_item(gap: int) -> None:
    page = [line(f"Bread item{number:03}", 0, 30 * number, 200) for number in range(6)]
    page += [line(f"{number}.99", 200 + gap, 30 * number, 50) for number in range(6)]
    assert text(*page).splitlines() == [f"Bread item{number:03}\t{number}.99" for number in range(6)]


def test_a_line_between_two_rows_does_not_end_the_table() -> None:
    page = [line(f"item{number}", 0, 30 * number, 150) for number in range(5)]
    page += [line(f"{number}.99", 400, 30 * number, 50) for number in (0, 1, 3, 4)]
    assert text(*page).splitlines() == ["item0\t0.99", "item1\t1.99", "item2", "item3\t3.99", "item4\t4.99"]


def test_a_margin_of_words_beside_prose_is_no_table() -> None:
    page = [*column("a", 0, 0, 4), *(line("note", 330, 24 * number, 60) for number in range(4))]
    assert words(*page) == "a0 a1 a2 a3 note note note note"


def test_two_short_lines_beside_each_other_are_no_table() -> None:
    page = [*column("a", 0, 0, 3), line("end", 0, 72, 30), *column("b", 350, 0, 3), line("fin", 350, 72, 30)]
    assert words(*page) == "a0 a1 a2 end b0 b1 b2 fin"


def test_more_room_than_usual_begins_a_paragraph() -> None:
    assert text(*column("a", 0, 0, 3), *column("b", 0, 90, 2)) == "a0\na1\na2\n\nb0\nb1"


def test_double_spacing_is_no_paragraph_at_each_line() -> None:
    assert text(*(line(f"a{number}", 0, 60 * number, 300) for number in range(4))) == "a0\na1\na2\na3"


def test_what_lies_across_other_lines_comes_last() -> None:
    page = column("a", 0, 0, 5)
    tall = Line("seal", 0.9, ((100.0, 20.0), (200.0, 20.0), (200.0, 90.0), (100.0, 90.0)))
    askew = Line("PAID", 0.9, ((310.0, 60.0), (390.0, 30.0), (400.0, 55.0), (320.0, 85.0)))
    assert words(*page, tall, askew) == "a0 a1 a2 a3 a4 seal PAID"


def test_an_order_is_found_even_where_the_rules_go_in_a_circle() -> None:
    boxes = [(0, 40, 30, 50), (20, 30, 60, 40), (50, 20, 90, 30), (80, 10, 110, 20), (-50, 45, -5, 55), (5, 0, 200, 5)]
    assert sorted(reading_order(boxes, tolerance=1)) == list(range(6))


def test_a_thousand_lines_take_seconds_at_most() -> None:
    corners = [(number * 7919 % 1900, number * 104_729 % 1900) for number in range(1000)]
    begin = time.process_time()  # of this process alone, whatever else the machine does
    order = reading_order([(left, top, left + 60, top + 20) for left, top in corners], tolerance=10)
    assert sorted(order) == list(range(1000))
    assert time.process_time() - begin < 10
