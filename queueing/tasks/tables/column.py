"""One column: how its values are written, and the facts about them."""

from dataclasses import dataclass, field
from typing import Any

from queueing.tasks.tables.moments import DateStyle
from queueing.tasks.tables.numeric import NumberStyle

TOP = 20  # frequent values listed in profile.json
SHOWN = 100  # characters kept of a value
FALSE_AND_TRUE = ({"no", "yes"}, {"false", "true"}, {"n", "y"}, {"f", "t"})

type Json = dict[str, Any]
type Style = NumberStyle | DateStyle


@dataclass(slots=True)
class Column:
    """One column: the counts of its values, how they were read, and in the end the facts about them."""

    number: int  # of the column; the first one is 0
    name: str
    rows: int
    present: int = 0  # rows with a value
    distinct: int = 0  # different values, without those for "no value"
    is_estimated: bool = False  # `distinct` is, and `frequent` holds only values that occur in many rows
    shortest: int = 0  # characters
    longest: int = 0
    missing: dict[str, int] = field(default_factory=dict)  # words for "no value", with their counts
    frequent: list[tuple[str, int]] = field(default_factory=list)  # the most frequent values, with their counts
    sample: list[str] = field(default_factory=list)  # the values that the choice of a style looks at
    style: Style | None = None  # None: text
    missing_words: list[str] = field(default_factory=list)  # those of this column alone
    unread: dict[str, int] = field(default_factory=dict)  # the most frequent values that the style does not read
    facts: Json = field(default_factory=dict)

    def state(self, measured: Json) -> None:
        """Make the facts: the entry of this column in profile.json. `measured` are those about numbers or dates."""
        self.facts = {
            "name": self.name,
            "type": "empty",
            "rows": self.rows,
            "missing": self.rows - self.present,
            "missing_written_as": self.missing,
            "distinct": self.distinct,
        }
        if self.is_estimated:
            self.facts["distinct_is_estimate"] = True
        if not self.present:
            return
        top = [(value, n) for value, n in self.frequent if value not in self.missing_words][:TOP]
        if self.style is None:
            values = {value.lower() for value, _ in top}
            kind = "yes/no" if values in FALSE_AND_TRUE else "text"
            self.facts |= {"type": kind, "shortest": self.shortest, "longest": self.longest}
        self.facts |= measured | {"top": _listed(top)}
        if self.unread:
            self.facts["unread"] = _listed(list(self.unread.items())[:TOP])


def _listed(counted: list[tuple[str, int]]) -> list[Json]:
    return [{"value": value[:SHOWN], "count": n} for value, n in counted]
