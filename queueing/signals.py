"""Signals for programs that watch from outside: runs, as Sentry and OpenTelemetry do, and what becomes of entries.

They are sent by `send_robust`: an error of a receiver is logged, and changes nothing. The sender is the name of the
line. docs/operations/errors-and-traces.md shows receivers.

Those of a run are sent in the process that runs the task (of an isolated task: in its horse). Those of entries are sent
after the row has moved, in whatever process moved it. A process that is killed at that moment sends none, and some ends
are told twice: whoever must not miss one asks the rows.
"""

from django.dispatch import Signal

# The task is about to be called. Gives `entry`, whose `trace` is the traceparent of its join.
run_started = Signal()
# The run is over, and its end is stored, unless the database has refused it. Gives `entry` as it is now; and `error`,
# the exception if our program is to blame, else None.
run_ended = Signal()

# The entry has ended, in any way but that of the next signal. Gives `entry`.
entry_finished = Signal()
# The keeper has dropped waiting entries whose visitors were away for too long. Gives `codes` and `reason`.
entry_dropped = Signal()
# Entries are held because their visitors went away; or are back in their places. Sent by the keeper, a round later.
# Gives `codes` and `at`.
entry_held = Signal()
entry_returned = Signal()
