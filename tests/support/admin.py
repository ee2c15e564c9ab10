"""What staff press in the admin."""

import re
from html import unescape
from typing import TYPE_CHECKING

from queueing.models import Entry
from tests.support.visitors import Visitor

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Response

LIST = "/admin/queueing/entry/"
FIELD = re.compile(r'<input type="hidden" name="([^"]+)" value="([^"]*)">')


def page_of(entry: Entry) -> str:
    return f"{LIST}{entry.pk}/change/"


def ask(visitor: Visitor, name: str, *entries: Entry, query: str = "", whole: bool = False) -> "Response":
    """Tick these entries and choose the action; with `whole`, all that match the filter."""
    ticked = [entry.pk for entry in entries]
    data = {"action": name, "_selected_action": ticked, "select_across": int(whole), "index": 0}
    return visitor.client.post(f"{LIST}{query}", data)


def answer(visitor: Visitor, page: "Response") -> "Response":
    """Send the form of a question, or of a step."""
    text = page.content.decode()
    form = text[text.index('<form method="post"', text.index('id="content-main"')) :]
    target = re.search(r'action="([^"]+)"', form)
    assert target
    data: dict[str, list[str]] = {}
    for field, value in FIELD.findall(form):
        data.setdefault(field, []).append(unescape(value))
    return visitor.client.post(unescape(target[1]), data)


def do(visitor: Visitor, name: str, *entries: Entry, query: str = "", whole: bool = False) -> str:
    """Ask, say yes, and take every step; returns the list with the messages that follow."""
    page = ask(visitor, name, *entries, query=query, whole=whole)
    for _ in range(100):
        if page.status_code == 302:
            break
        page = answer(visitor, page)
    return visitor.client.get(page["Location"]).content.decode()
