"""Numbers as people write them: marks for decimals and thousands, signs, brackets, units and money.

`choose` looks at some values of a column and decides how its numbers are written. `NumberStyle.sql` reads all of them.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

# A cell that may be a number: bracket, sign, prefix, digits, exponent, suffix, bracket.
CELL = re.compile(
    r"(?P<open>\()?\s*(?P<sign>[+\-\u2212\u2013])?\s*(?P<pre>[^\W\d_]{1,3}[$.]?|[$\u00a3\u00a5\u20a0-\u20bf])?\s*"
    r"(?P<sign2>[+\-\u2212\u2013])?\s*"
    r"(?P<body>\d(?:[\d.,'\u2019]|[ \u00a0\u2009\u202f](?=\d))*|[.,]\d+)(?P<exp>[eE][+-]?\d{1,3})?"
    r"(?P<dash>(?<=[.,])[\-\u2010-\u2015\u2212]{1,2})?"  # no decimals: 100,- and 100.--
    r"(?P<gap>\s*)(?P<suf>[^\W\d_]{1,8}\d?|[%\u2030$\u00a3\u00a5\u20a0-\u20bf]|\u00b0[CF]?)?\s*(?P<close>\))?"
)
LONGEST = 64  # characters; a longer cell is no number
INFINITE = re.compile(r"[+-]?inf(?:inity)?", re.IGNORECASE)
CODES = {"EUR", "USD", "GBP", "CHF", "JPY", "CNY", "SEK", "NOK", "DKK", "PLN", "CZK", "HUF", "INR", "BRL", "CAD", "AUD"}
MONEY = {"R$", "A$", "C$", "US$", "Rs", "kr", "Fr"}
# Units that may follow without a blank. Any other letters there make a code of it: "12A", "3B".
UNITS = {
    "kg", "g", "mg", "t", "lb", "oz", "m", "cm", "mm", "km", "ft", "mi", "s", "ms", "min", "h", "d", "l", "ml",
    "kWh", "Wh", "kW", "MW", "Hz", "kHz", "MHz", "GHz", "bar", "Pa", "hPa", "px", "pt", "B",
    "KB", "MB", "GB", "TB", "kB", "kr", "km2", "m2", "m3", "cm3", "mph", "kmh", "bpm", "dB",
}  # fmt: skip
SPACES = " \u00a0\u2009\u202f"
ALONE = 0.9  # least share of the numbers that have a unit of letters


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberStyle:
    """How the numbers of one column are written."""

    decimal: str = "."
    group: str = ""  # between thousands; " " stands for every kind of blank
    unit: str = ""
    brackets: bool = False  # (1.00) is -1
    signs: bool = False  # minus signs beyond ASCII
    dashes: bool = False  # "100,-" is 100
    is_plain: bool = True  # written as DuckDB reads numbers
    is_close: bool = False  # nothing decides between marks for decimals and for thousands
    has_proof: bool = False  # a value that can have only this decimal mark

    def sql(self, value: str) -> str:
        """The SQL expression for a DOUBLE; NULL where the text is no such number.

        A leading zero, or more digits than 18, make a code of it. Infinity is a number only if it is written as a word.
        """
        if self.is_plain:  # the tests are alternatives, so that DuckDB makes the costly ones for few values only
            number = f"TRY_CAST({value} AS DOUBLE)"
            no_zero = (
                f"{value} >= '1' OR {value}[2] NOT BETWEEN '0' AND '9' OR NOT regexp_matches({value}, '^[+-]?0[0-9]')"
            )
            is_short = f"length({value}) <= 18 OR NOT regexp_matches({value}, '^[+-]?[0-9]{{19}}')"
            return (
                f"CASE WHEN isfinite({number}) AND ({no_zero}) AND ({is_short}) AND NOT contains({value}, '_') "
                f"THEN {number} WHEN isinf({number}) AND NOT regexp_matches({value}, '[0-9]') THEN {number} END"
            )
        text = self._stripped(value)
        group = r"\x20" if self.group == " " else re.escape(self.group)
        whole = r"(?:0|[1-9]\d*"
        if self.group:
            whole += rf"|[1-9]\d{{0,2}}(?:{group}\d{{3}})+"
        if self.group == ",":
            whole += r"|[1-9]\d?(?:,\d{2})+,\d{3}"  # lakh and crore
        mark = re.escape(self.decimal)
        pattern = rf"[+-]?(?:{whole})(?:{mark}\d*)?|{mark}\d+)(?:[eE][+-]?\d{{1,3}})?"
        plain = text
        if self.group:
            plain = f"replace({plain}, {quoted(self.group)}, '')"
        if self.decimal == ",":
            plain = f"replace({plain}, ',', '.')"
        number = f"TRY_CAST({plain} AS DOUBLE)"
        return f"CASE WHEN regexp_full_match({text}, {quoted(pattern)}) AND isfinite({number}) THEN {number} END"

    def _stripped(self, value: str) -> str:
        """The expression for the text without unit and brackets, its signs and blanks those of ASCII."""
        text = value
        if self.dashes:
            text = f"regexp_replace({text}, '([0-9][.,])[-\u2010-\u2015\u2212]{{1,2}}', '\\1')"
        if self.signs:
            text = f"translate({text}, '\u2212\u2013', '--')"
        if self.brackets:
            text = f"CASE WHEN {text} LIKE '(%)' THEN '-' || {text}[2:-2] ELSE {text} END"
            text = f"({text})"
        if self.unit:
            text = f"replace({text}, {quoted(self.unit)}, '')"
        if self.group == " " or self.unit:
            text = f"translate({text}, '\u00a0\u2009\u202f', '   ')"
        if self.group == "'":
            text = f"replace({text}, '\u2019', '''')"
        return f"regexp_replace(trim({text}), '^([+-]) +', '\\1')"


@dataclass(slots=True)
class Evidence:
    """What the digits of some numbers say about the marks between them: counts of values."""

    decimal_comma: int = 0  # can only have a decimal comma
    decimal_point: int = 0
    comma_groups: int = 0  # commas between thousands, and no other reading
    point_groups: int = 0
    comma_either: int = 0  # 1,234
    point_either: int = 0


def choose(values: Iterable[str], *, decimal: str = "", usual: str = "", delimiter: str = "") -> NumberStyle | None:
    """The style of a column's numbers, from some of its different values; None if they are no numbers.

    `decimal` is the mark that the visitor chose. `usual` is the one that other columns of the table prove. `delimiter`
    is that of the table: in a file with commas between cells, "1,234" had to be quoted, so it is written with care.
    """
    texts = [value.strip() for value in values]
    cells = [(text, CELL.fullmatch(text)) for text in texts if len(text) <= LONGEST]
    found = [(text, cell) for text, cell in cells if cell and not _is_address(cell["body"])]
    infinite = sum(INFINITE.fullmatch(text) is not None for text in texts)
    if not found or (len(found) + infinite) * 2 < len(texts):
        return None
    if all(_is_plain(text) for text, _ in found) and decimal != ",":
        bodies = [cell["body"] for _, cell in found if "." in cell["body"]]
        if plain := _plain_style(bodies, decimal, usual, delimiter):
            return plain
    unit = _unit([cell for _, cell in found])
    bodies = [cell["body"] for _, cell in found if unit is None or _unit_of(cell) in {"", unit}]
    if unit is None or _are_codes(bodies):
        return None
    mark, is_close, has_proof = _decimal(_evidence(bodies), decimal, usual, delimiter, unit)
    return NumberStyle(
        decimal=mark,
        group=_group(bodies, mark),
        unit=unit,
        brackets=any(cell["open"] and cell["close"] for _, cell in found),
        signs=any(sign in text for text, _ in found for sign in "\u2212\u2013"),
        dashes=any(cell["dash"] for _, cell in found),
        is_plain=False,
        is_close=is_close,
        has_proof=has_proof,
    )


def _plain_style(bodies: list[str], decimal: str, usual: str, delimiter: str) -> NumberStyle | None:
    """The style of numbers as DuckDB reads them; None if their points stand between thousands in the other columns."""
    either = [body for body in bodies if _is_either(body, ".")]
    is_open = bool(either) and len(either) == len(bodies)
    if is_open and usual == "," and not decimal:
        return None
    is_close = is_open and not decimal and delimiter not in {",", ""}
    return NumberStyle(has_proof=len(bodies) > len(either), is_close=is_close)


def _is_plain(text: str) -> bool:
    return re.fullmatch(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?", text) is not None


def _is_either(body: str, mark: str) -> bool:
    """True if the mark may stand before decimals as well as between thousands: 1.234."""
    return re.fullmatch(rf"[1-9]\d{{0,2}}{re.escape(mark)}\d{{3}}", body) is not None


def _unit_of(cell: re.Match[str]) -> str:
    return cell["pre"] or cell["suf"] or ""


def _unit(cells: list[re.Match[str]]) -> str | None:
    """The unit of the column; empty if it has none; None if letters beside the digits make codes of them."""
    units = Counter(_unit_of(cell) for cell in cells)
    [(unit, count)] = units.most_common(1)
    if not unit and len(units) > 1:
        [_, (unit, count)] = units.most_common(2)
        if not _is_sign(unit):  # only signs may be missing in most rows
            return "" if count * 10 < len(cells) else None
    if not unit or _is_sign(unit):
        return unit
    if count < ALONE * len(cells) or len({cell["body"] for cell in cells}) < 2:
        return None
    is_before = any(cell["pre"] for cell in cells)
    if is_before:
        return unit if {unit.upper(), unit.rstrip(".")} & (CODES | MONEY) else None
    return unit if unit in UNITS or unit.upper() in CODES or all(cell["gap"] for cell in cells if cell["suf"]) else None


def _is_sign(unit: str) -> bool:
    """True for signs of money, percent and degrees, which belong to numbers only."""
    return not unit[0].isalpha()


def _is_address(body: str) -> bool:
    """True for four groups of which none exceeds 255, and for versions: more than one point, but no thousands."""
    if body.count(".") < 2 or "," in body:
        return False
    groups = body.split(".")
    is_thousands = all(len(group) == 3 for group in groups[1:])
    return not is_thousands or (len(groups) == 4 and all(int(group) <= 255 for group in groups if group.isdigit()))


def _are_codes(bodies: list[str]) -> bool:
    """True if all numbers with two marks or more begin with three digits: a reference, not thousands."""
    long = [re.split(r"[.,' \u2019\u00a0\u2009\u202f]", body.rstrip(".,")) for body in bodies]
    long = [groups for groups in long if len(groups) > 2]
    return len(long) > 2 and len(long) * 2 > len(bodies) and all(len(groups[0]) == 3 for groups in long)


def _evidence(bodies: Iterable[str]) -> Evidence:
    found = Evidence()
    for body in bodies:
        commas, points = body.count(","), body.count(".")
        if commas and points:
            last_is_comma = body.rfind(",") > body.rfind(".")
            found.decimal_comma += last_is_comma
            found.decimal_point += not last_is_comma
        elif commas > 1:
            found.comma_groups += 1
        elif points > 1:
            found.point_groups += 1
        elif commas:
            either = _is_either(body, ",")
            found.comma_either += either
            found.decimal_comma += not either
        elif points:
            either = _is_either(body, ".")
            found.point_either += either
            found.decimal_point += not either
    return found


def _decimal(found: Evidence, chosen: str, usual: str, delimiter: str, unit: str) -> tuple[str, bool, bool]:
    """The decimal mark; whether that was close; whether a value proves it."""
    comma, point = found.decimal_comma + found.point_groups, found.decimal_point + found.comma_groups
    if chosen:
        return chosen, False, False
    if comma or point:
        return ("," if comma > point else "."), False, True
    if not found.comma_either and not found.point_either:
        return usual or ".", False, False
    if usual:
        return usual, False, False
    if unit in {"€", "EUR"} and not found.comma_either:
        return ",", True, False  # a sum of euros has no three decimals: 1.234 €
    return ".", delimiter not in {",", ""}, False


def _group(bodies: Iterable[str], decimal: str) -> str:
    """The mark between thousands; empty if there is none."""
    marks = Counter(mark for body in bodies for mark in set(body) if not mark.isdigit() and mark != decimal)
    if not marks:
        return ""
    mark = marks.most_common(1)[0][0]
    return " " if mark in SPACES else "'" if mark == "\u2019" else mark


def quoted(text: str) -> str:
    """The text as a literal of SQL."""
    return "'" + text.replace("'", "''") + "'"
