"""Dates, moments and times of day as people write them.

`choose` looks at some values of a column and decides how its dates are written. `DateStyle.sql` reads all of them.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from queueing.tasks.tables import spoken
from queueing.tasks.tables.numeric import quoted
from queueing.tasks.tables.spoken import Rule

LONGEST = 100  # characters; a longer cell is no date
YEARS = (1000, 9999)  # plausible years; a two-digit year read with a four-digit format lies outside
FIRST = {"%d": "day", "%m": "month", "%y": "year", "%Y": "year"}
NAME = r"[^\W\d_]{3,9}"

SLASHED = (("%d/%m/%y", "day/month/year"), ("%m/%d/%y", "month/day/year"))
DASHED = (("%d-%m-%y", "day-month-year"), ("%m-%d-%y", "month-day-year"))
# The form of a day, the formats that may read it, and their order in words. With two, the visitor's own order, or the
# values, or the first one decides.
DAYS: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = (
    (r"\d{4}-\d{1,2}-\d{1,2}", (("%Y-%m-%d", "year-month-day"),)),
    (r"\d{4}/\d{1,2}/\d{1,2}", (("%Y/%m/%d", "year/month/day"),)),
    (r"\d{4}\.\d{1,2}\.\d{1,2}", (("%Y.%m.%d", "year.month.day"),)),
    (r"\d{8}(?=T)", (("%Y%m%d", "year month day"),)),
    (r"\d{1,2}\.\d{1,2}\.\d{4}", (("%d.%m.%Y", "day.month.year"),)),
    (r"\d{1,2}\.\d{1,2}\.\d{2}", (("%d.%m.%y", "day.month.year"),)),
    (r"\d{1,2}/\d{1,2}/\d{4}", (("%d/%m/%Y", "day/month/year"), ("%m/%d/%Y", "month/day/year"))),
    (r"\d{1,2}/\d{1,2}/\d{2}", (*SLASHED, ("%y/%m/%d", "year/month/day"))),
    (r"\d{1,2}-\d{1,2}-\d{4}", (("%d-%m-%Y", "day-month-year"), ("%m-%d-%Y", "month-day-year"))),
    (r"\d{1,2}-\d{1,2}-\d{2}", (*DASHED, ("%y-%m-%d", "year-month-day"))),
    (rf"\d{{1,2}} {NAME} \d{{4}}", (("%d %b %Y", "day month year"), ("%d %B %Y", "day month year"))),
    (rf"\d{{1,2}}\.? {NAME} \d{{2}}", (("%d %b %y", "day month year"),)),
    (rf"\d{{1,2}}-{NAME}-\d{{4}}", (("%d-%b-%Y", "day-month-year"), ("%d-%B-%Y", "day-month-year"))),
    (rf"\d{{1,2}}-{NAME}-\d{{2}}", (("%d-%b-%y", "day-month-year"),)),
    (rf"\d{{1,2}}/{NAME}/\d{{4}}", (("%d/%b/%Y", "day/month/year"),)),
    (r"\d{1,2}[^\W\d_]{3}\d{4}", (("%d%b%Y", "day month year"),)),
    (rf"{NAME} \d{{1,2}}, \d{{4}}", (("%b %d, %Y", "month day, year"), ("%B %d, %Y", "month day, year"))),
    (rf"{NAME} \d{{1,2}} \d{{4}}", (("%b %d %Y", "month day year"), ("%B %d %Y", "month day year"))),
    (rf"{NAME} {NAME} \d{{1,2}} \d{{4}}", (("%a %b %d %Y", "weekday month day year"),)),
    (rf"{NAME}, \d{{1,2}} {NAME} \d{{4}}", (("%a, %d %b %Y", "weekday, day month year"),)),
    (rf"{NAME}, {NAME} \d{{1,2}}, \d{{4}}", (("%A, %B %d, %Y", "weekday, month day, year"),)),
)
DAY = re.compile("|".join(f"(?P<d{number}>{form})" for number, (form, _) in enumerate(DAYS)))
ZONE = r"(?P<zone> ?(?:Z|UTC|GMT|[+-]\d{2}(?::?\d{2})?))?"
TIME = re.compile(
    r"(?P<between>T|, | +|:(?=\d\d:\d\d:))?(?P<compact>\d{6})?(?P<clock>\d{1,2}:\d{2})?(?P<seconds>:\d{2})?"
    rf"(?P<fraction>[.,]\d{{1,9}})?(?P<half> ?[AaPp][Mm])?{ZONE}"
)
CLOCK = re.compile(rf"\d{{1,2}}:\d{{2}}(?P<seconds>:\d{{2}})?(?P<fraction>[.,]\d{{1,9}})?(?P<half> ?[AaPp][Mm])?{ZONE}")
DAY_LENGTH = 86_400_000_000  # microseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class DateStyle:
    """How the dates or moments of one column are written."""

    day: str  # format of the day; "" for times of day
    order: str  # in words: "day/month/year"
    times: tuple[str, ...]  # formats of what follows the day; "" for a date alone
    other: str = ""  # a second format of the day that reads all of them, too
    rules: tuple[Rule, ...] = ()  # that make the text plain; see spoken.py

    @property
    def type_name(self) -> str:
        if not self.day:
            return "time"
        return "date and time" if any(self.times) else "date"

    @property
    def first(self) -> str:
        """The part of a day that comes first: "day", "month" or "year"."""
        return FIRST[self.day[:2]]

    @property
    def first_of_other(self) -> str:
        return FIRST[self.other[:2]]

    @property
    def has_zone(self) -> bool:
        return any("%z" in time for time in self.times)

    @property
    def timespec(self) -> str:
        """The precision of the times, as in datetime.isoformat."""
        if any("%f" in time for time in self.times):
            return "microseconds"
        return "seconds" if any("%S" in time for time in self.times) else "minutes"

    @property
    def written_as(self) -> str:
        """The order in words, and what the page shows the moments in."""
        return f"{self.order}, shown in UTC" if self.has_zone else self.order

    def sql(self, value: str, *, day: str = "") -> str:
        """The SQL expression for microseconds since 1970 in UTC (of a day: since midnight), a DOUBLE; or NULL."""
        text, formats = spoken.sql(value, self.rules), [(day or self.day) + time for time in self.times]
        if self.has_zone:
            text = f"regexp_replace({text}, ' ?(Z|UTC|GMT)$', '+00:00')"
            text = f"regexp_replace({text}, ' ([+-][0-9:]+)$', '\\1')"
        if any("%f" in time for time in self.times):
            text = f"regexp_replace({text}, ':([0-9][0-9])[.,]([0-9]{{1,6}})[0-9]*', ':\\1.\\2')"
        if not self.day:
            formats, text = [f"%Y-%m-%d {time}" for time in self.times], f"'1970-01-01 ' || {text}"
        moment = f"try_strptime({text}, [{', '.join(map(quoted, formats))}])"
        if not self.day:  # in UTC it may be on the day before or after
            return f"((epoch_us({moment}) + {DAY_LENGTH}) % {DAY_LENGTH})::DOUBLE"
        return f"CASE WHEN year({moment}) BETWEEN {YEARS[0]} AND {YEARS[1]} THEN epoch_us({moment})::DOUBLE END"


def choose(values: Iterable[str], *, first: str = "") -> DateStyle | None:
    """The style of a column's dates, from some of its different values; None if they are no dates.

    `first` is "day", "month" or "year" if the visitor chose an order. All readings stay open until a value refutes one.
    """
    made_plain = [spoken.plain(text) for value in values if len(text := value.strip()) <= LONGEST]
    texts, rules = [text for text, _ in made_plain], spoken.rules_of(rule for _, used in made_plain for rule in used)
    found = [parts for text in texts if (parts := _parts(text))]
    if not found or len(found) * 2 < len(texts):
        return _times_of_day(texts, rules)
    [(form, _)] = Counter(number for number, _, _ in found).most_common(1)
    days = [day for number, day, _ in found if number == form]
    times = tuple(dict.fromkeys(time for number, _, time in found if number == form))
    formats = DAYS[form][1]
    fits = Counter({format_: sum(_reads(day, format_) for day in days) for format_, _ in formats})
    best = max(formats, key=lambda item: fits[item[0]])
    if first and len(formats) > 1:
        best = next((item for item in formats if item[1].startswith(first)), best)
    if fits[best[0]] * 2 < len(texts):
        return None
    others = [format_ for format_, order in formats if order != best[1] and fits[format_] == fits[best[0]]]
    other = "" if first else "".join(others[:1])
    return DateStyle(day=best[0], order=best[1], times=times, other=other, rules=rules)


def _parts(text: str) -> tuple[int, str, str] | None:
    """The form of the day, the day, and the format of what follows; None if the text is no date."""
    if not (found := DAY.match(text)):
        return None
    for number in range(len(DAYS)):
        if (day := found[f"d{number}"]) is not None:
            time = _time_format(text[found.end() :])
            return None if time is None else (number, day, time)
    return None


def _time_format(rest: str) -> str | None:
    """The format of a time behind a day; "" for none; None if it is no time."""
    if not rest:
        return ""
    found = TIME.fullmatch(rest)
    if not found or not found["between"] or bool(found["compact"]) == bool(found["clock"]):
        return None
    if found["compact"]:
        return found["between"] + "%H%M%S" + ("%z" if found["zone"] else "")
    return found["between"] + _clock_format(found) + ("%z" if found["zone"] else "")


def _clock_format(found: re.Match[str]) -> str:
    clock = "%I:%M" if found["half"] else "%H:%M"
    clock += ":%S" if found["seconds"] else ""
    clock += ".%f" if found["fraction"] and found["seconds"] else ""
    if found["half"]:
        clock += " %p" if found["half"].startswith(" ") else "%p"
    return clock


@lru_cache(maxsize=4096)
def _reads(day: str, format_: str) -> bool:
    try:
        datetime.strptime(day, format_)  # noqa: DTZ007  # a day has no zone
    except ValueError:
        return False
    return True


def _times_of_day(texts: list[str], rules: tuple[Rule, ...]) -> DateStyle | None:
    found = [match for text in texts if (match := CLOCK.fullmatch(text))]
    if not found or len(found) * 2 < len(texts):
        return None
    formats = tuple(dict.fromkeys(_clock_format(match) + ("%z" if match["zone"] else "") for match in found))
    return DateStyle(day="", order="hours:minutes", times=formats, rules=rules)
