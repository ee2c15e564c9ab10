"""Every URL and socket, asked by every kind of client: see `matrix.py`."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from websockets.exceptions import InvalidStatus

from queueing.models import Entry, EntryEvent, EntryFile
from queueing.web.routing import websockets
from tests.security.matrix import CLIENTS, Row, routes, rows
from tests.support.processes import Processes
from tests.support.visitors import Visitor, finished, staff
from tests.support.web import Web

pytestmark = pytest.mark.django_db(transaction=True)

OTHER_METHODS = ("PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
# The statuses of a refusal.
REFUSALS = {302, 400, 403, 404, 405}


class Stage:
    """An ended entry and a waiting one of the owner, another visitor's entry, and a client of each kind."""

    def __init__(self) -> None:
        self.owner, self.other = Visitor(), Visitor()
        self.waiting = self.owner.join()
        self.ended = finished(self.owner)
        self.other.join()
        self.group, self.user = Group.objects.create(name="g"), User.objects.create_user("u")

    def client(self, kind: str) -> Visitor:
        makers: dict[str, Callable[[], Visitor]] = {
            "owner": lambda: self.owner,
            "other": lambda: self.other,
            "anonymous": Visitor,
            "staff": staff,
            "view": lambda: staff("view"),
            "change": lambda: staff("change"),
            "both": lambda: staff("view", "change"),
            "member": lambda: staff("view", "change", is_staff=False),
            "root": self._root,
        }
        return makers[kind]()

    def path(self, route: str) -> str:
        """An address of this route, for the owner's entries."""
        entry = self.ended if any(part in route for part in ("result/", "files/")) else self.waiting
        values = {
            "<uuid:code>": str(entry.code),
            "<str:name>": "answer.txt",
            "<slug:name>": "probe",
            "^(?P<app_label>queueing|auth)/$": "queueing/",
            "(?P<url>.*)$": "nothing/",
            "<id>": str(self.user.pk),
            "<path:content_type_id>/<path:object_id>": f"{ContentType.objects.get_for_model(Entry).pk}/{entry.pk}",
        }
        owner = self.group.pk if "group" in route else self.user.pk if "auth/user" in route else entry.pk
        for pattern, value in (values | {"<path:object_id>": str(owner)}).items():
            route = route.replace(pattern, value)
        return "/" + route.replace("^", "")

    @staticmethod
    def _root() -> Visitor:
        visitor = Visitor()
        visitor.client.force_login(User.objects.create_superuser("root"))
        return visitor


def ask(visitor: Visitor, method: str, path: str) -> int:
    answer = visitor.client.generic(method, path)
    answer.close()
    return int(answer.status_code)


def everything() -> list[Any]:
    """The rows that a refused request must not touch; sessions and the log of the admin are not among them."""
    return [list(model.objects.order_by("pk").values()) for model in (Entry, EntryFile, EntryEvent, Group)]


def test_every_url_is_in_the_matrix() -> None:
    asked = {(row.route, row.method) for row in rows()}
    assert asked == {(route, method) for route in routes() for method in ("GET", "POST")}


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.method} {row.route}")
def test_each_client_gets_what_the_matrix_says(row: Row) -> None:
    found, stage = {}, Stage()
    for kind in CLIENTS:
        client = stage.client(kind)
        before = everything()
        found[kind] = ask(client, row.method, stage.path(row.route))
        if everything() != before:  # the next client finds what this one found
            assert found[kind] not in REFUSALS - {302}, f"{kind} was refused, and changed something"
            _empty()
            stage = Stage()
    assert found == row.statuses


@pytest.mark.parametrize("route", routes())
def test_no_other_method_gets_further_than_a_look(route: str) -> None:
    gets = {row.route: row.statuses for row in rows() if row.method == "GET"}
    stage = Stage()
    for kind in CLIENTS:
        client = stage.client(kind)
        before = everything()
        for method in OTHER_METHODS:
            status = ask(client, method, stage.path(route))
            assert status in REFUSALS | {gets[route][kind]}, f"{method} by {kind}: {status}"
        assert everything() == before, kind


def test_no_post_is_taken_without_its_token() -> None:
    stage = Stage()
    for row in rows():
        if row.method == "POST" and row.statuses["owner"] not in REFUSALS - {302}:
            visitor = Visitor(enforce_csrf_checks=True)
            visitor.client.cookies = stage.owner.client.cookies
            assert ask(visitor, "POST", stage.path(row.route)) == 403, row.route
    stage.waiting.refresh_from_db()
    assert stage.waiting.is_live


def test_the_socket_is_for_the_owner_and_for_staff_with_the_permission(processes: Processes) -> None:
    assert [str(route.pattern) for route in websockets.routes] == ["ws/entry/<uuid:code>/", ""]
    stage, web = Stage(), Web(processes).wait()
    let_in = set()
    for kind in CLIENTS:
        client = stage.client(kind)
        visitor = client if "sessionid" in client.client.cookies else None
        with suppress(InvalidStatus), web.open(stage.waiting, visitor) as socket:
            socket.recv(timeout=10)
            let_in.add(kind)
    assert let_in == {"owner", "view", "both", "root"}


def _empty() -> None:
    for model in (Entry, User, Group, Session):
        model.objects.all().delete()
