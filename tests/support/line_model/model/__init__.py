"""The line in plain Python.

Time is data: a deadline, a claim, a lease or a result is past its time when a test has said so.

members.py  Member: an entry or a foreign job, with the state of its row and of its keys
places.py   Places: the line, held places and claims
pages.py    what visitors do: join, beat, close, look, leave, keep
workers.py  what workers do: claim, start, finish, release
keeper.py   the keeper's round
faults.py   a flush of Redis
"""

from tests.support.line_model.model.faults import Faults
from tests.support.line_model.model.keeper import Keeper
from tests.support.line_model.model.pages import Pages


class LineModel(Pages, Keeper, Faults):
    """One line with its rows, and the memory of its keeper."""
