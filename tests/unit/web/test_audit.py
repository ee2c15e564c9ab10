"""The log of deeds: it names the actor and the address, no file, and is bounded."""

import logging
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.test import Client

from queueing.models import Entry
from queueing.web import audit
from tests.support.admin import do
from tests.support.levers import set_levers
from tests.support.visitors import Visitor, finished, staff, upload, url

pytestmark = pytest.mark.django_db(transaction=True)

ADDRESS = "192.0.2.77"
LIST = "/admin/queueing/entry/"
Join = Callable[..., Entry]


@pytest.fixture(autouse=True)
def _fresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """Brakes that have let nothing pass yet."""
    monkeypatch.setattr(audit, "_strangers", audit.Brake(each=10, together=300))
    monkeypatch.setattr(audit, "_looks", audit.Brake(each=1, together=10_000))


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Callable[[], list[str]]:
    """The lines of the log of deeds since the last call."""
    caplog.set_level(logging.INFO, "queueing.audit")

    def lines() -> list[str]:
        found = [record.getMessage() for record in caplog.records if record.name == "queueing.audit"]
        caplog.clear()
        return found

    return lines


def from_there(visitor: Visitor) -> Client:
    visitor.client.defaults["REMOTE_ADDR"] = ADDRESS
    return visitor.client


# Sign-ins


def test_sign_ins_and_their_failures_name_the_user_and_the_address(told: Callable[[], list[str]]) -> None:
    User.objects.create_superuser("root", password="right")
    client = Client(REMOTE_ADDR=ADDRESS)
    client.post("/admin/login/", {"username": "root", "password": "wrong"})
    assert told() == [f"A sign-in failed: name='root' from {ADDRESS}"]
    client.post("/admin/login/", {"username": "root", "password": "right"})
    assert told() == [f"'root' signs in from {ADDRESS}"]
    client.post("/admin/logout/")
    assert told() == [f"'root' signs out from {ADDRESS}"]


def test_a_name_cannot_write_a_line_of_its_own(told: Callable[[], list[str]]) -> None:
    Client(REMOTE_ADDR=ADDRESS).post("/admin/login/", {"username": "x\n'root' signs in\x1b[2J", "password": "p"})
    (line,) = told()
    assert "\n" not in line
    assert "\x1b" not in line


def test_a_flood_of_failures_is_bounded_and_told(told: Callable[[], list[str]], settings: Any) -> None:
    settings.QUEUEING = {"SIGN_IN_ATTEMPTS": 1000}
    client = Client(REMOTE_ADDR=ADDRESS)
    for number in range(30):
        client.post("/admin/login/", {"username": f"user{number}", "password": "wrong"})
    assert len(told()) == 10
    Client(REMOTE_ADDR="198.51.100.1").post("/admin/login/", {"username": "other", "password": "wrong"})
    assert told() == ["A sign-in failed: name='other' from 198.51.100.1"]
    audit._strangers._until = 0  # the period is over
    client.post("/admin/login/", {"username": "user", "password": "wrong"})
    assert told()[0] == "20 lines like the following were left out"


# Looks and moves by staff


@pytest.mark.parametrize(
    ("page", "name"),
    [
        ("", "entry"),
        ("status.json", "status"),
        ("result/", "result"),
        ("files/answer.txt", "file"),
        ("input/", "input"),
    ],
)
def test_looks_at_other_peoples_entries_are_told_once(page: str, name: str, told: Callable[[], list[str]]) -> None:
    owner = Visitor()
    entry = finished(owner)
    owner.client.get(url(entry, page)).close()
    assert told() == []
    looker = staff("view", "content")
    user = User.objects.get()
    for _ in range(3):
        from_there(looker).get(url(entry, page)).close()
    assert [line for line in told() if "signs in" not in line] == [
        f"'{user.username}' looks at entry {entry.code} ({name}) from {ADDRESS}"
    ]


def test_strangers_leave_no_look(told: Callable[[], list[str]]) -> None:
    entry = Visitor().join()
    Visitor().client.get(url(entry))
    Visitor().client.get(url(Entry(code=uuid.uuid4())))
    assert told() == []


@pytest.mark.parametrize("verb", ["leave", "keep"])
def test_moves_by_staff_are_told(verb: str, told: Callable[[], list[str]]) -> None:
    entry = Visitor().join()
    mover = staff("view", "change")
    user = User.objects.get()
    told()
    from_there(mover).post(url(entry, f"{verb}/"))
    assert told() == [f"'{user.username}' moves entry {entry.code} ({verb}) from {ADDRESS}"]


@pytest.mark.parametrize("verb", ["leave", "keep"])
def test_a_move_that_did_not_happen_is_not_told(verb: str, told: Callable[[], list[str]]) -> None:
    entry = finished(Visitor())
    mover = staff("view", "change")
    told()
    from_there(mover).post(url(entry, f"{verb}/"))
    assert told() == []


def test_a_deletion_is_told_when_something_was_deleted(told: Callable[[], list[str]]) -> None:
    entry, live = finished(Visitor()), Visitor().join()
    mover = staff("view", "change")
    user = User.objects.get()
    told()
    for one in (live, entry, entry):
        from_there(mover).post(url(one, "delete/"))
    assert told() == [f"'{user.username}' moves entry {entry.code} (delete) from {ADDRESS}"]


def test_the_admin_tells_who_looks_and_who_ends(told: Callable[[], list[str]], join: Join) -> None:
    entry, other = join("a"), join("b")
    mover = staff("view", "change")
    user = User.objects.get()
    told()
    client = from_there(mover)
    client.get(LIST)
    client.get(f"{LIST}{entry.pk}/change/")
    assert told() == [
        f"'{user.username}' looks at the entries (admin) from {ADDRESS}",
        f"'{user.username}' looks at entry {entry.code} (admin) from {ADDRESS}",
    ]
    do(mover, "end", entry, other)
    moved = [line for line in told() if "moves" in line]
    assert {line.split("moves ")[1] for line in moved} == {
        f"entry {one.code} (end) from {ADDRESS}" for one in (entry, other)
    }
    logged = LogEntry.objects.filter(user=user)
    assert {(row.object_id, row.change_message) for row in logged} == {
        (str(one.pk), "Ended.") for one in (entry, other)
    }


# Refused requests, as Django tells them


@pytest.fixture
def console() -> Iterator[list[str]]:
    """Records that the handler of the log lets pass, in a list."""
    lines: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    handler = Lines()
    handler.addFilter(audit.RequestLines())
    logging.getLogger().addHandler(handler)
    yield lines
    logging.getLogger().removeHandler(handler)


def test_a_refused_form_is_told_with_its_address(console: list[str]) -> None:
    strict = Visitor(enforce_csrf_checks=True)
    entry = Visitor().join()
    from_there(strict).post(url(entry, "leave/"))
    (line,) = [line for line in console if "CSRF" in line]
    assert line.endswith(f"from {ADDRESS}")


def test_refused_pages_are_told_with_their_address_and_without_names_of_files(console: list[str]) -> None:
    visitor = Visitor()
    entry = finished(visitor)
    from_there(visitor).get(url(entry, "files/my-secret-letter.txt"))
    (line,) = [line for line in console if "Not Found" in line]
    assert line == (f"Not Found: GET '/entry/<uuid:code>/files/<str:name>' from {ADDRESS}")


def test_a_flood_of_refused_pages_is_bounded(console: list[str]) -> None:
    set_levers(state="closed")
    client, visitor = Client(REMOTE_ADDR=ADDRESS), Visitor()
    for number in range(50):
        client.get(f"/nothing/{number}")
        client.get("/", headers={"Host": "evil.example"})
        visitor.send()  # 503
    assert 0 < len(console) <= 30
    assert not any("Traceback" in line for line in console)


def test_no_line_names_a_file_or_its_content(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    visitor = Visitor()
    entry = visitor.join(file=upload(b"secret-content,b\n1,2\n", "my-secret-letter.csv"))
    staff("view").client.get(url(entry))
    visitor.client.post(url(entry, "leave/"))
    assert entry.input_name == "my-secret-letter.csv"
    assert "secret" not in caplog.text
