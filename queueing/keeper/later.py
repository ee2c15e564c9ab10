"""Entries that are put off: those of a later start (`run_after`), and those whose task is tried again after a pause.

Such a row waits, and has no place in Redis. When its time has come, by the database's clock:

1. It gets the place that its row says: into the line if its visitor is there or it needs nobody, else held or unseen.
2. The row forgets the time. If the keeper dies before that, the next round does both again, and the place stays.
"""

from queueing import ending, events, joining
from queueing.line.places import Line
from queueing.models import Entry

MOST = 500  # in one round


def bring(line: Line) -> int:
    """Give the entries whose time has come their places; returns how many there were. Raises RedisError."""
    due = Entry.objects.waiting().due().filter(queue=line.name, not_before__isnull=False)
    brought = 0
    for entry in due.order_by("not_before")[:MOST]:
        if entry.attempt == 0 and not entry.seen_at:
            joining.place_from_row(entry)
        else:
            ending.release(entry, "")  # there is no claim
        if entry.bring():
            events.publish(entry.code)
            brought += 1
    return brought
