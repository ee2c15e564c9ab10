"""Dates as other languages write them, put into the form that DuckDB reads: "5. März 2024" is "5 Mar 2024".

The names of months are those of Django's translations.
"""

import re
from collections.abc import Iterable
from functools import cache, lru_cache

from django.utils import translation
from django.utils.dates import MONTHS, MONTHS_3, MONTHS_ALT, MONTHS_AP

from queueing.tasks.tables.numeric import quoted

LANGUAGES = ("en", "de", "fr", "es", "it", "nl", "pt", "sv", "da", "nb", "pl")  # no word is two months among them
MORE = {
    1: ("jänner", "janv"),
    2: ("févr", "feber"),
    3: ("mrz",),
    6: ("giugn",),
    7: ("juil",),
    9: ("sept", "setiembre", "set"),
}
ENGLISH = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
# Abbreviations of time zones, with their distance from UTC. Of two with one name, one is taken.
ZONES = {
    "EST": "-05:00", "EDT": "-04:00", "CST": "-06:00", "CDT": "-05:00", "MST": "-07:00", "MDT": "-06:00",
    "PST": "-08:00", "PDT": "-07:00", "AKST": "-09:00", "AKDT": "-08:00", "HST": "-10:00", "BRT": "-03:00",
    "WET": "+00:00", "WEST": "+01:00", "BST": "+01:00", "CET": "+01:00", "CEST": "+02:00", "MEZ": "+01:00",
    "MESZ": "+02:00", "EET": "+02:00", "EEST": "+03:00", "MSK": "+03:00", "TRT": "+03:00", "SAST": "+02:00",
    "IST": "+05:30", "SGT": "+08:00", "HKT": "+08:00", "JST": "+09:00", "KST": "+09:00", "AEST": "+10:00",
    "AEDT": "+11:00", "NZST": "+12:00", "NZDT": "+13:00",
}  # fmt: skip
BESIDE = r"[\s\d.,/-]"

type Rule = tuple[str, str]  # a pattern and its replacement, for Python and DuckDB alike

# Ordinals, the dot behind a day or an abbreviation, and the words between the parts of a date.
WORDS: tuple[Rule, ...] = (
    (r"^(\d{1,2})\. ?([^\d\s])", r"\1 \2"),
    (r"(\d)(?:st|nd|rd|th|er|º|°)([ ,])", r"\1\2"),
    (r"([^\d\s.,]{3,})\.([ ,-])", r"\1\2"),
    (r" (?:de|del|di|of) ", " "),
    # JavaScript's "GMT+0100 (CET)", and what mail writes.
    (r"(\d) ?(?:GMT|UTC)([+-]\d{2}:?\d{2})(?: \([^()]*\))?$", r"\1\2"),
    (r"([+-]\d{4}) \([^()]*\)$", r"\1"),
)


@cache
def _months() -> tuple[Rule, ...]:
    """A rule for each month: all of its names become its English abbreviation."""
    rules = []
    for number, english in enumerate(ENGLISH, 1):
        names = set(MORE.get(number, ()))
        for language in LANGUAGES:
            with translation.override(language):
                some = (MONTHS[number], MONTHS_3[number], MONTHS_ALT[number], MONTHS_AP[number])
                names |= {str(name).casefold().rstrip(".") for name in some}
        names.discard(english.lower())
        longest_first = "|".join(sorted(map(re.escape, names), key=lambda name: (-len(name), name)))
        rules.append((rf"(^|{BESIDE})(?:{longest_first})({BESIDE}|$)", rf"\1{english}\2"))
    return tuple(rules)


@cache
def _zones() -> tuple[Rule, ...]:
    return tuple((rf"(\d) ?{name}$", rf"\1{offset}") for name, offset in ZONES.items())


@cache
def _any_month() -> re.Pattern[str]:
    return re.compile("|".join(pattern for pattern, _ in _months()), re.IGNORECASE)


@lru_cache(maxsize=4096)
def plain(text: str) -> tuple[str, tuple[Rule, ...]]:
    """The text in the form that DuckDB reads, and the rules that changed it."""
    used = list[Rule]()
    if re.search(r"\d", text) and re.search(r"[^\W\d_]|º|°", text):
        for rule in WORDS:
            text = _changed(text, rule, used)
        for rule in _months() if _any_month().search(text) else ():
            text = _changed(text, rule, used)
        for rule in _zones() if re.search(r"\d ?[A-Za-z]{3,4}$", text) else ():
            text = _changed(text, rule, used)
    return text, tuple(used)


def _changed(text: str, rule: Rule, used: list[Rule]) -> str:
    """The text after a rule, which is put to those that were used if it changed something."""
    changed = re.sub(*rule, text, flags=re.IGNORECASE)
    if changed != text:
        used.append(rule)
    return changed


def rules_of(used: Iterable[Rule]) -> tuple[Rule, ...]:
    """The rules for a column, from those that some of its values need: one month asks for all of them."""
    wanted = set(used)
    if wanted & set(_months()):
        wanted |= set(_months())
    return tuple(rule for rule in (*WORDS, *_months(), *_zones()) if rule in wanted)


def sql(value: str, rules: Iterable[Rule]) -> str:
    """The SQL expression for the plain text."""
    for pattern, replacement in rules:
        value = f"regexp_replace({value}, {quoted(pattern)}, {quoted(replacement)}, 'gi')"
    return value
