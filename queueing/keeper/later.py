"""Entries that are put off: those of a later start (`run_after`), and those whose task is tried again after a pause.

Such a row waits, and has no place in Redis. When its time has come, by the database's clock:

1. The row forgets the time. Of several keepers one does this; a row that has moved meanwhile is left alone.
2. It gets the place that its row says: into the line if its visitor is there or it needs nobody, else held or unseen.
   If the keeper dies before that, the reconciler finds a waiting row without a place, and gives it one.
"""

import math
import time

from queueing import ending, events, joining
from queueing.keeper.reconcile import PLACE_FIELDS
from queueing.line.places import Line
from queueing.models import Entry

BATCH = 100  # ids that are read in one query


def bring(line: Line, *, until: float = math.inf) -> int:
    """Give the entries whose time has come their places; returns how many there were. Raises RedisError.

    Longest due first. Stops after the entry in which the monotonic clock reaches `until`.
    """
    due = Entry.objects.waiting().due().filter(queue=line.name, not_before__isnull=False).order_by("not_before", "id")
    brought = 0
    while pks := list(due.values_list("pk", flat=True)[:BATCH]):
        for pk in pks:
            brought += _bring(pk)
            if time.monotonic() >= until:
                return brought
    return brought


def _bring(pk: int) -> int:
    """Bring one entry, with its columns as they are now. 0: it was brought by another keeper, or does not wait."""
    brought = Entry.objects.filter(pk=pk).bring(PLACE_FIELDS)
    for entry in brought:
        if entry.attempt == 0 and not entry.seen_at:
            joining.place_from_row(entry)
        else:
            ending.release(entry, "")  # there is no claim
        events.publish(entry.code)
    return len(brought)
