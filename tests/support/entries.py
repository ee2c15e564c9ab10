"""Rows as other processes left them."""

from queueing.models import Entry


def status_of(entry: Entry) -> str:
    """The status in the database now; the other fields are read again, too."""
    entry.refresh_from_db()
    return entry.status
