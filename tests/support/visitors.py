"""Visitors of the site, each with a browser (a session) of their own."""

import uuid
from typing import TYPE_CHECKING, Any

from django.contrib.auth.models import Permission, User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile

from queueing.line import clients, keys
from queueing.models import Entry, EntryFile
from queueing.testing import visitors
from queueing.web.visitor import SESSION_KEY

if TYPE_CHECKING:
    from django.test.client import _MonkeyPatchedWSGIResponse as Response

FORM = "/join/probe/"
OTHERS = {"content": "view_entry_content", "lines": "view_line", "steer": "change_line"}


def upload(content: bytes = b"a,b\n1,2\n", name: str = "a.csv") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, content_type="text/csv")


class Visitor(visitors.Visitor):
    """One browser; the line is the probe's, unless told otherwise."""

    def send(self, line: str = "probe", /, **fields: Any) -> "Response":
        """Send the form of the line; that of the probe with a file, unless told otherwise."""
        file = {"file": upload()} if line == "probe" else {}
        return super().send(line, **file | fields)

    def join(self, line: str = "probe", /, *, looks: bool = True, **fields: Any) -> Entry:
        """Join the line, and look at the entry's page as a browser does."""
        return super().join(line, looks=looks, **fields)

    def join_with_sample(self, queue: str) -> Entry:
        """Join a real task's line with the file that its form offers."""
        return super().join(queue, sample="yes")

    @property
    def name(self) -> uuid.UUID:
        """The value of `visitor` in entries of this browser."""
        return uuid.UUID(self.client.session[SESSION_KEY])

    @property
    def cookie(self) -> str:
        return f"sessionid={self.client.cookies['sessionid'].value}"


def staff(*permissions: str, is_staff: bool = True) -> Visitor:
    """Somebody who is signed in, with these permissions: on entries "view", "change", "content"; "lines", "steer"."""
    user = User.objects.create_user(f"user-{uuid.uuid4()}", is_staff=is_staff)
    codenames = [OTHERS.get(name, name if "_" in name else f"{name}_entry") for name in permissions]
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    visitor = Visitor()
    visitor.client.force_login(user)
    return visitor


def superuser() -> Visitor:
    visitor = Visitor()
    visitor.client.force_login(User.objects.create_superuser(f"root-{uuid.uuid4()}"))
    return visitor


def finished(visitor: Visitor) -> Entry:
    """An entry with a result and a file, as a worker leaves it."""
    entry = visitor.join()
    entry.start("w")
    file = EntryFile(entry=entry, attempt=1, name="answer.txt", content_type="text/html", size=2)
    file.file.save("answer.txt", ContentFile(b"42"), save=False)
    assert entry.succeed({"x": 1}, [file])
    return entry


def url(entry: Entry, page: str = "") -> str:
    return f"/entry/{entry.code}/{page}"


def presence_of(entry: Entry) -> float:
    """Seconds that the entry's visitor counts as present from now on; 0 when absent."""
    return max(0, clients.connection().pttl(keys.PRESENCE.format(job_id=entry.job_id))) / 1000
