"""The result that the page shows, in words and charts, made from the profile.

It is stored in `Entry.result`, so it is kept small: the whole profile is the file profile.json.
"""

from queueing.tasks.tables.card import card
from queueing.tasks.tables.words import Json, counted, were

COLUMNS = 60  # columns shown; profile.json has all


def page(profile: Json) -> Json:
    """The summary, the notes, and a card for each of the first COLUMNS columns."""
    columns = profile["columns"]
    return {
        "rows": counted(profile["rows"], "row"),
        "columns": counted(len(columns), "column"),
        "delimiter": profile["delimiter"],
        "encoding": profile["encoding"],
        "notes": _notes(profile),
        "cards": [card(column) for column in columns[:COLUMNS]],
    }


def _notes(profile: Json) -> list[str]:
    """One sentence for each defect of the table, and for each limit of the figures."""
    columns = profile["columns"]
    titles, ragged, unreadable = profile["titles_above"], profile["ragged_rows"], profile["unreadable_characters"]
    notes = {
        "There are no rows under the header.": not profile["rows"],
        "The first row was read as data, so the columns go by their numbers.": not profile["header"],
        f"{counted(titles, 'line')} above the table {were(titles)} passed over.": titles,
        f"{counted(ragged, 'row')} had more or fewer fields than there are columns: what is missing counts as missing, "
        "what is too much was left out.": ragged,
        f"{counted(unreadable, 'character')} could not be read and {were(unreadable)} replaced.": unreadable,
        "Numbers were read with a decimal comma.": profile["decimal_mark"] == ",",
        "“About” and “at least” mark estimates: such a column has too many different values to keep them all.": not all(
            column["exact"] for column in columns
        ),
        f"The first {COLUMNS} of {len(columns):,} columns are shown here; profile.json has all.": len(columns)
        > COLUMNS,
    }
    return [sentence for sentence, applies in notes.items() if applies]
