"""Rows as other processes left them."""

from datetime import timedelta

from django.utils import timezone

from queueing.models import Entry
from queueing.states import Status


def status_of(entry: Entry) -> str:
    """The status in the database now; the other fields are read again, too."""
    entry.refresh_from_db()
    return entry.status


def end_is_seen(entry: Entry) -> bool:
    """True if the row in the database now says that the owner has seen the end."""
    entry.refresh_from_db()
    return entry.end_seen_at is not None


def ended(entry: Entry, status: Status, ago: timedelta) -> Entry:
    """Give the row a terminal status, without any of the steps that lead there."""
    Entry.objects.filter(pk=entry.pk).update(status=status, finished_at=timezone.now() - ago, slot=None)
    return entry
