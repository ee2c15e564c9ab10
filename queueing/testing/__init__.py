"""Helpers for tests of a site with the queue, and of its heavy tasks. docs/testing.md shows them in use.

visitors.py   Visitor: joins, opens the page, beats, closes it, loses the connection, leaves
lines.py      InProcessLine: claims and runs entries in the process of the test; the keeper's round
clock.py      Clock: lets time pass by moving stored times and deadlines
tasks.py      run_task, handed_in: a heavy task without an entry, without Redis and database
beginning.py  begin, end: an empty queue on the Redis of the tests' settings
presence.py   stay, go, watch_since: presence without a visitor's page
plugin.py     the fixtures of pytest; pytest finds them where the wheel is installed

Nothing is imitated: the forms, rows, scripts, claims, runs and rounds are those of the site. Visitors have no browser
and no sockets; the line has no worker process, so neither limits nor timeouts end a task.
"""
