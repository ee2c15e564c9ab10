"""Signals of the work horse, for programs that watch runs from outside, as Sentry and OpenTelemetry do.

They are sent in the process that runs the task (of an isolated task: in its horse), by `send_robust`: an error of a
receiver is logged, and changes nothing. The sender is the name of the line. docs/operations.md shows receivers.
"""

from django.dispatch import Signal

# The task is about to be called. Gives `entry`, whose `trace` is the traceparent of its join.
run_started = Signal()
# The run is over, and its end is stored, unless the database has refused it. Gives `entry` as it is now; and `error`,
# the exception if our program is to blame, else None.
run_ended = Signal()
