"""What a list of the visitor's entries says about each."""

from django import template

from queueing.models import Entry
from queueing.web import snapshot

register = template.Library()


@register.filter
def in_a_list(entry: Entry) -> str:
    """The state of an entry in a few words: "3rd in line", "ready, kept for 58 minutes"."""
    return snapshot.in_a_list(entry)
