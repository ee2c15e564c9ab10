"""Visitors of the site, each with a browser session of their own, without a browser: by Django's test client."""

import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.test import Client, TestCase
from django.urls import reverse

from queueing.conf import conf
from queueing.line import presence
from queueing.models import Entry
from queueing.registry import get_task
from queueing.states import Absence
from queueing.testing.lines import require_line

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Response

SEE_OTHER = 303


class Visitor:
    """One visitor. The options are those of Django's test client, which is `client`: it may be signed in, for example.

    Time does not pass by itself: the page that was opened last counts as open for POLL_TTL (25 s), and for PRESENCE_TTL
    after each `beat`.
    """

    def __init__(self, **options: Any) -> None:
        self.client = Client(**options)

    # The place

    def send(self, line: str, /, **fields: Any) -> "Response":
        """Send the form of this line, whatever comes of it; files are bytes in an upload of Django, as in its tests."""
        require_line(line)
        return self._post(reverse("queueing:join", args=[line]), {"code": uuid.uuid4()} | fields)

    def join(self, line: str, /, *, looks: bool = True, **fields: Any) -> Entry:
        """Join the line and open the entry's page, as a browser does by itself; without that look nobody is in a line.

        Raises AssertionError with the sentences of the form, if it was not taken. Raises TypeError for a field that
        the form does not have: a browser would not send it, and the form would say nothing.
        """
        _check_fields(line, fields)
        answer = self.send(line, **fields)
        assert answer.status_code == SEE_OTHER, _why(answer)
        entry = Entry.objects.get(code=_code_in(answer["Location"]))
        if looks:
            self.open(entry)
        return entry

    def again(self, entry: Entry) -> Entry:
        """Join again with the same input, and open that page."""
        answer = self._press(entry, "again")
        new = Entry.objects.get(code=_code_in(answer["Location"]))
        self.open(new)
        return new

    def leave(self, entry: Entry) -> None:
        """Leave the line, or stop the task, by the page's button."""
        self._press(entry, "leave")

    # The page

    def open(self, entry: Entry) -> str:
        """Open or reload the entry's page; returns its HTML. The owner is present from then on."""
        answer = self._get(entry, "entry")
        assert answer.status_code == 200, f"{answer.status_code} for the page of {entry}"
        return answer.content.decode()

    def poll(self, entry: Entry) -> dict[str, Any]:
        """Ask for the state as an open page without a socket does: `status`, `position`, `eta_seconds` and so on."""
        state: dict[str, Any] = self._get(entry, "status").json()
        return state

    def beat(self, entry: Entry) -> None:
        """The page is still open: its web process beats for it, as it does each HEARTBEAT_INTERVAL."""
        presence.beat(entry.queue, [entry.job_id], conf.PRESENCE_TTL)

    def close(self, entry: Entry) -> None:
        """Close the page. It says goodbye, so the place is kept for CLOSE_GRACE."""
        self._press(entry, "goodbye")

    def lose_connection(self, entry: Entry) -> None:
        """The page's connection ends without a goodbye, so the place is kept for LOST_GRACE."""
        presence.close(entry.queue, entry.job_id, Absence.LOST)

    def download(self, entry: Entry, name: str) -> bytes:
        """A file of the result."""
        answer = self._get(entry, "file", name)
        assert answer.status_code == 200, f"{answer.status_code} for the file {name!r} of {entry}"
        return b"".join(answer.streaming_content)  # type: ignore[attr-defined]  # files are streamed

    # Details

    def _press(self, entry: Entry, button: str) -> "Response":
        answer = self._post(reverse(f"queueing:{button}", args=[entry.code]), {})
        assert answer.status_code in {SEE_OTHER, 204}, _why(answer)
        return answer

    def _get(self, entry: Entry, page: str, *more: str) -> "Response":
        address = reverse(f"queueing:{page}", args=[entry.code, *more])
        with TestCase.captureOnCommitCallbacks(execute=True):
            return self.client.get(address, secure=settings.SECURE_SSL_REDIRECT)

    def _post(self, address: str, fields: dict[str, Any]) -> "Response":
        with TestCase.captureOnCommitCallbacks(execute=True):  # a test in a transaction commits nothing
            return self.client.post(address, fields, secure=settings.SECURE_SSL_REDIRECT)


def _check_fields(line: str, fields: dict[str, Any]) -> None:
    require_line(line)
    heavy_task = get_task(line)
    form, buttons = heavy_task.form, {"sample"} if heavy_task.sample else set[str]()
    if unknown := sorted(fields.keys() - form.base_fields.keys() - buttons):
        known = ", ".join(repr(name) for name in form.base_fields if name != "code") or "none"
        raise TypeError(
            f"The form of {line!r}, {form.__qualname__}, has no field {', '.join(map(repr, unknown))}. It has {known}."
        )
    for name in form.file_fields().keys() & fields.keys():
        check_upload(name, fields[name])


def check_upload(name: str, given: Any) -> None:
    """Raises TypeError for what Django's test client would send as a text."""
    for one in given if isinstance(given, list | tuple) else [given]:
        if not hasattr(one, "read"):
            raise TypeError(
                f'{name}={one!r} is no upload. Write {name}=ContentFile(b"…", name="a.txt"), with ContentFile of '
                "django.core.files.base."
            )


def _code_in(address: str) -> str:
    return address.rstrip("/").rsplit("/", 1)[-1]


def _why(answer: "Response") -> str:
    """The sentences of a form that was not taken, or of a page that refuses."""
    context = answer.context or {}
    form = context.get("form")
    if form is not None and form.errors:
        return f"{answer.status_code}: {form.errors.as_json()}"
    return f"{answer.status_code}: {context.get('refusal') or answer.content.decode()[:2000]}"
