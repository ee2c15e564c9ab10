"""Words for templates: the state of an entry in a list, and times."""

from datetime import datetime

from django import template

from queueing.models import Entry
from queueing.web import sentences, snapshot

register = template.Library()


@register.filter
def in_a_list(entry: Entry) -> str:
    """The state of an entry in a few words: "3rd in line", "ready, kept for 58 minutes"."""
    return snapshot.in_a_list(entry)


@register.filter
def time_of(moment: datetime | None) -> str:
    """The time of day, with the date if that is not today. The page's script writes it in the visitor's zone."""
    return sentences.time_of(moment) if moment else ""
