"""The result that the page shows, in words and charts, made from the profile.

It is stored in `Entry.result`, so it is kept small: the whole profile is the file profile.json.
"""

from queueing.tasks.tables.card import card, overview
from queueing.tasks.tables.words import Json, counted, doubt, read_as, short, were

COLUMNS = 60  # columns shown with all of their facts; profile.json has all
MORE = 140  # further columns shown with a line each
ROWS, CELL = 10, 40  # rows shown, of the beginning and of each part that was set apart; characters of a cell
ODD = 5  # rows shown of those that do not fit
APART = {
    "totals": "Totals",
    "footer": "Lines below the table",
    "second table": "A second table",
    "comments": "Comments",
    "headers": "The header once more",
}


def page(profile: Json) -> Json:
    """The summary, the doubts and notes, the columns, and some of the rows."""
    columns = profile["columns"]
    return {
        "rows": counted(profile["rows"], "row"),
        "columns": counted(len(columns), "column"),
        "delimiter": profile["delimiter"],
        "encoding": profile["encoding"],
        "read": read_as(profile["encoding"], profile["delimiter"], profile["decimal_mark"]),
        "doubts": [
            {"choice": found["choice"], "read_as": found["read_as"], "sentence": doubt(found)}
            for found in profile["doubts"]
        ],
        "notes": _notes(profile),
        "cards": [card(column) for column in columns[:COLUMNS]],
        "more": [overview(column) for column in columns[COLUMNS : COLUMNS + MORE]],
        "sample": {
            "names": [short(column["name"], CELL) for column in columns[:COLUMNS]],
            "rows": _cells(profile["sample"]),
        },
        "odd": [
            {"row": f"{odd['row']:,}", "fields": counted(odd["fields"], "field"), "text": short(odd["text"], 100)}
            for odd in profile["odd_rows"][:ODD]
        ],
        "apart": [
            {"title": short(part["what"]), "count": _shown_of(part), "rows": _cells(part["rows"])}
            for part in _apart(profile)
        ],
    }


def _apart(profile: Json) -> list[Json]:
    """The parts of the file that were not read as rows of the table, the titles above it first."""
    titles = [[title] for title in profile["titles"]]
    above = [{"what": "Lines above the table", "rows": titles, "count": profile["titles_above"]}] if titles else []
    return above + [part | {"what": APART.get(part["what"], part["what"])} for part in profile["apart"]]


def _shown_of(part: Json) -> str:
    shown, count = min(len(part["rows"]), ROWS), part["count"]
    return counted(count, "row") if shown >= count else f"the first {shown} of {counted(count, 'row')}"


def _cells(rows: list[list[str]]) -> list[list[str]]:
    return [[short(cell, CELL) for cell in row[:COLUMNS]] for row in rows[:ROWS]]


def _notes(profile: Json) -> list[str]:
    """One sentence for each defect of the table, and for each limit of the figures."""
    columns = profile["columns"]
    titles, unreadable, stray = (profile[key] for key in ("titles_above", "unreadable_characters", "stray_marks"))
    totals = profile.get("rows_called_total", 0)
    notes = {
        "There are no rows under the header.": not profile["rows"],
        "The first row was read as data, so the columns go by their numbers.": not profile["header"],
        f"{counted(titles, 'line')} above the table {were(titles)} passed over.": titles,
        **_ragged(profile),
        f"{counted(totals, 'row')} {were(totals)} named like totals and do not add up, so they count as rows.": totals,
        f"{counted(stray, 'quotation mark')} {were(stray)} never closed, and read as part of the text.": stray,
        f"{counted(unreadable, 'character')} could not be read and {were(unreadable)} replaced.": unreadable,
        f"The mark {profile.get('quote')} was read as the quotation mark.": profile["quote"] not in {"", '"'},
        "A backslash was read as the mark before a quotation mark that belongs to the text.": profile.get("escape"),
        f"The first {COLUMNS} of {len(columns):,} columns are shown here with their facts; profile.json has all.": (
            len(columns) > COLUMNS
        ),
    }
    return [sentence for sentence, applies in notes.items() if applies]


def _ragged(profile: Json) -> dict[str, int]:
    """The sentences about rows that do not have a field for each column."""
    few, many = profile["short_rows"], profile["long_rows"]
    return {
        f"{counted(few, 'row')} had fewer fields than there are columns: the others count as missing.": few,
        f"{counted(many, 'row')} had more fields than there are columns: those were left out.": many,
    }
