"""Recognises texts that are missing values, numbers or dates."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import polars as pl

# Words for "no value", as written by databases, R, pandas and spreadsheets. Blank cells are missing too.
MISSING = ("NA", "N/A", "n/a", "#N/A", "NULL", "null", "NaN", "nan")
FALSE_AND_TRUE = ({"no", "yes"}, {"false", "true"}, {"n", "y"}, {"f", "t"})

# A number has no leading zero (00123 is a code) and at most 15 digits before the decimal mark: a longer one is an
# identifier, and float64 could not hold it exactly.
WHOLE = r"(?:0|[1-9]\d{{0,14}}|[1-9]\d{{0,2}}(?:{group}\d{{3}}){{1,4}})"
NUMBER = rf"^[+-]?(?:{WHOLE}(?:{{mark}}\d*)?|{{mark}}\d+)(?:[eE][+-]?\d{{{{1,3}}}})?$"
DATE_LIKE = r"^(\d{1,4}[-/. ]\w{1,9}[-/. ]\d{2,4}(\b|T)|[A-Z][a-z]{2,8} \d{1,2}, \d{4})"

DAYS = {
    "%Y-%m-%d": "year-month-day",
    "%Y/%m/%d": "year/month/day",
    "%Y.%m.%d": "year.month.day",
    "%d.%m.%Y": "day.month.year",
    "%d.%m.%y": "day.month.year",
    "%d/%m/%Y": "day/month/year",
    "%m/%d/%Y": "month/day/year",
    "%d/%m/%y": "day/month/year",
    "%m/%d/%y": "month/day/year",
    "%d-%m-%Y": "day-month-year",
    "%m-%d-%Y": "month-day-year",
    "%d %b %Y": "day month year",
    "%d-%b-%Y": "day-month-year",
    "%d %B %Y": "day month year",
    "%b %d, %Y": "month day, year",
    "%B %d, %Y": "month day, year",
}
TIMES = ("", " %H:%M:%S", " %H:%M", "T%H:%M:%S", "T%H:%M", " %I:%M %p", " %I:%M:%S %p")
FRACTIONS = ("%.f", "%.f%#z")  # fractions of a second, and a time zone; slower, so tried last
YEARS = (1000, 9999)  # plausible years; a two-digit year read with a four-digit format lies outside
SAMPLE = 500  # values on which the formats are tried


@dataclass(frozen=True, slots=True)
class Numbers:
    """Reads numbers, with or without thousands separators. `decimal` is their decimal mark."""

    decimal: str = "."

    def read(self, values: pl.Series) -> pl.Series:
        """The texts as Float64; null where a text is not a number."""
        group = "." if self.decimal == "," else ","
        pattern = NUMBER.format(group=rf"\{group}", mark=rf"\{self.decimal}")
        fits = pl.when(pl.col("v").str.contains(pattern)).then(pl.col("v"))
        plain = fits.str.replace_all(group, "", literal=True).str.replace(self.decimal, ".", literal=True)
        number = plain.cast(pl.Float64, strict=False)
        return pl.select(v=values).select(pl.when(number.is_finite()).then(number)).to_series()


@dataclass(frozen=True, slots=True)
class Dates:
    """Reads dates, with or without a time, in one format of strptime (chrono's dialect of it)."""

    format: str

    @property
    def order(self) -> str:
        """The order of day, month and year in words: "day/month/year"."""
        return next(words for day, words in DAYS.items() if self.format.startswith(day))

    @property
    def has_time(self) -> bool:
        return self.format not in DAYS

    def read(self, values: pl.Series) -> pl.Series:
        """The texts as milliseconds since 1970 in UTC (Float64); null where a text is not such a date."""
        moments = values.str.to_datetime(self.format, strict=False, time_unit="ms", time_zone="UTC")
        moment = pl.col("moment")
        plausible = pl.when(moment.dt.year().is_between(*YEARS)).then(moment.to_physical().cast(pl.Float64))
        return pl.select(moment=moments).select(plausible).to_series()


def date_format(values: pl.Series) -> Dates | None:
    """The format that reads the most of a sample of the values; None if each reads less than half of it."""
    sample = values.sample(min(len(values), SAMPLE), seed=1)
    if sample.str.contains(DATE_LIKE).sum() * 2 < len(sample):
        return None
    formats = [day + time for day, time in product(DAYS, TIMES)]
    dates, share = _best(sample, formats)
    if share < 0.5:
        to_the_second = [text for text in formats if text.endswith("%S")]
        dates, share = _best(sample, [text + fraction for text, fraction in product(to_the_second, FRACTIONS)])
    return dates if share >= 0.5 else None


def _best(sample: pl.Series, formats: Sequence[str]) -> tuple[Dates, float]:
    """The format that reads the most, the first one of equals; and the share of the sample that it reads."""
    candidates = [Dates(text) for text in formats]
    counts = [dates.read(sample).count() for dates in candidates]
    most = max(counts)
    return candidates[counts.index(most)], most / len(sample)
