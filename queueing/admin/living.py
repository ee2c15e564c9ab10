"""The living line: the entries that wait, in their order, a page at a time."""

from typing import NamedTuple

from django.urls import reverse
from django.utils.html import format_html

from queueing import site_time
from queueing.admin import columns, search
from queueing.admin.base import NOTHING, Cell, Row, duration
from queueing.line.standings import Where
from queueing.models import Entry

PAGE = 50
MOST_PAGES = 10_000
COLUMNS = {
    "place": "Place",
    "presence": "Presence",
    "file": "File",
    "waited": "Waited",
    "who": "Visitor",
}


class Stretch(NamedTuple):
    """One page of a line."""

    rows: list[Row]
    page: int  # from 1
    has_more: bool


def stretch(queue: str, page: int, term: str = "") -> Stretch:
    """The entries on this page that have the term.

    Entries whose page was not looked at are not in the line, and neither are those that are put off.
    """
    page = min(max(page, 1), MOST_PAGES)
    rows = Entry.objects.waiting().due().filter(queue=queue).exclude(needs_presence=True, seen_at=None)
    rows = search.search(rows, term).in_order().without_large_columns().select_related("user")
    found = list(rows[(page - 1) * PAGE : page * PAGE + 1])
    shown = found[:PAGE]
    columns.add_stands(shown)  # without Redis, places and presence are left out
    return Stretch([_row(entry) for entry in shown], page, len(found) > PAGE)


def _row(entry: Entry) -> Row:
    texts = {
        "place": _place(entry),
        "presence": _presence(entry),
        "file": format_html(
            '<a href="{}">{}</a>',
            reverse("admin:queueing_entry_change", args=[entry.pk]),
            entry.input_name or entry.code.hex[:8],
        ),
        "waited": duration(site_time.now() - entry.joined_at),
        "who": columns.who(entry),
    }
    return Row(f"entry-{entry.pk}", [Cell(name, label, texts[name]) for name, label in COLUMNS.items()])


def _place(entry: Entry) -> str:
    stand = columns.stand_of(entry)
    return str(stand.ahead + 1) if stand and stand.where == Where.LINE else NOTHING


def _presence(entry: Entry) -> str:
    """A dot, as on the visitor's page: filled for those who are there, a ring for those who may come back."""
    stand = columns.stand_of(entry)
    kind = stand.where.value if stand and stand.where else "unknown"
    return format_html('<span class="dot {}" aria-hidden="true"></span>{}', kind, columns.presence(entry))
