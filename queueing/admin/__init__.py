"""The admin: what staff see and do, in Django's own clothes. Workers own the rows, so no form here writes any.

entries.py   the list of entries, and one entry's page
listing.py   the newest entries of a filter, in bounded time
search.py    what the search box looks through
filters.py   the filters beside the list
columns.py   the columns of the list
timeline.py  what happened to one entry
failures.py  failures grouped by their error
export.py    the entries of a filter as CSV
acts.py      the actions: question, progress, outcome
board.py     the lines as they are now, for the start page, too
trends.py    the last hour of each line beside the hour before
lines.py     the page of the lines: the board in full
levers.py    the levers of a line
line.py      the page of one line: now, and what was
living.py    the entries of a line in their order
charts.py    the past of a line as numbers for pictures
workers.py   the workers and their commands
base.py      parts that the pages share
"""

from queueing.admin import entries, levers
from queueing.web import rights, sign_in  # both listen to signals of users, in every process

__all__ = ["entries", "levers", "rights", "sign_in"]
