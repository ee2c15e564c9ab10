"""The memory of the lines: what happened in each line in each minute, kept for HISTORY_TTL.

books.py     the minutes of some lines, locked, so that every event is added to them once
counting.py  entries into the minutes: joins, starts, ends, goodput and waste; and the deletion of counted entries
marks.py     events that explain the numbers: deploys, pauses, closures, flushes
rolling.py   old minutes become hours, and old hours go
reading.py   spans of a line for charts and tables, and the runs of this hour of other days

The latest minute of a line is open: it is in the line's own row, until a later one begins.

An event is in its minute exactly once, whatever dies. The entry's column `counted` says how far the entry is in the
minutes, and moves on in the transaction that writes them. So a repetition finds nothing to do, and an end that is noted
late is counted late. A row goes only in the transaction that counts the rest of it. Minutes are never made again from
the rows: rows are deleted after RESULT_TTL, and minutes stay.
"""
