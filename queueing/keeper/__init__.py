"""The keeper process: once a second, everything that nobody else does.

round.py      the round: hold, drop, recover, and the steps below
reachable.py  the servers of the lines, of which some may be away
holding.py    the way through a line to those whose presence ran out
reconcile.py  rows against places: after a flush, or when one was lost
later.py      entries that are put off: their places, when the time has come
steering.py   the levers of the lines: copies in Redis, times to open, what runs
survey.py     lines and workers, from which the facts of each line are made
recent.py     the latest runs and ends of a line, with the turnaround of its workers
mend.py       keys in Redis that somebody else has written
remembering.py  the moments at which the memory of the lines is written
timeline.py   what scripts and horses noted, into the timelines
purge.py      deletes what is over, and what belongs to nobody
"""
