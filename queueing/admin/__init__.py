"""The admin: what staff see and do, in Django's own clothes. Workers own the rows, so no form here writes any.

entries.py   the list of entries, and one entry's page
listing.py   the newest entries of a filter, in bounded time
search.py    what the search box looks through
filters.py   the filters beside the list
columns.py   the columns of the list
timeline.py  what happened to one entry
failures.py  failures grouped by their error
export.py    the entries of a filter as CSV
acts.py     the actions: question, progress, outcome
board.py     the lines as they are now, for the start page, too
lines.py     the page of the lines
workers.py   the workers and their commands
base.py      parts that the pages share
"""

from queueing import admin_lines
from queueing.admin import entries
from queueing.web import rights, sign_in  # both listen to signals of users, in every process

__all__ = ["admin_lines", "entries", "rights", "sign_in"]
