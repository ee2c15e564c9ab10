"""The rows, which are the only truth: entries, the files of their results, their timelines, and the lines.

entry.py     Entry, and the verbs that move it
queryset.py  questions about many entries
files.py     EntryFile; where inputs and results are stored
timeline.py  EntryEvent
line.py      Line: what staff say about a line
memory.py    LineMinute, what happened in a line in a minute; LineEvent, what explains it
indexes.py   indexes and constraints of Entry
compiled.py  statements that are compiled once
moves.py     parts that the verbs share
trouble.py   the errors of the database
"""

from queueing import installed

installed.require()  # first: below, Django would raise an error about a class

from queueing.models.entry import Entry
from queueing.models.files import EntryFile, file_path, input_path, results_folder
from queueing.models.line import Line
from queueing.models.memory import Counted, LineEvent, LineMemory, LineMinute
from queueing.models.queryset import EntryQuerySet, code_of
from queueing.models.timeline import EntryEvent

__all__ = [
    "Counted",
    "Entry",
    "EntryEvent",
    "EntryFile",
    "EntryQuerySet",
    "Line",
    "LineEvent",
    "LineMemory",
    "LineMinute",
    "code_of",
    "file_path",
    "input_path",
    "results_folder",
]
