"""Every URL and socket, asked by every kind of client: see `matrix.py`."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from websockets.exceptions import InvalidStatus

from queueing import steering
from queueing.models import Entry, EntryEvent, EntryFile, Line
from queueing.web.routing import websockets
from tests.security.matrix import CLIENTS, routes, rows
from tests.support.processes import Processes
from tests.support.visitors import Visitor, finished, staff, superuser, url
from tests.support.web import Web

pytestmark = pytest.mark.django_db(transaction=True)

OTHER_METHODS = ("HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND")
# Statuses by which a request is refused, and changes nothing. A redirect to the sign-in is a refusal, too.
REFUSALS = {400, 403, 404, 405, 409, 422, 429, 503}
MAKERS: dict[str, Callable[[], Visitor]] = {
    "anonymous": Visitor,
    "staff": staff,
    "view": lambda: staff("view"),
    "content": lambda: staff("view", "content"),
    "change": lambda: staff("change"),
    "both": lambda: staff("view", "change"),
    "member": lambda: staff("view", "change", is_staff=False),
    "root": superuser,
}


class Stage:
    """An ended entry and a waiting one of the owner, another visitor's entry, and a client of each kind."""

    def __init__(self) -> None:
        owner, other = Visitor(), Visitor()
        self.waiting = owner.join()
        self.ended = finished(owner)
        assert owner.client.get(url(self.ended)).status_code == 200  # the first look at the end is noted in the row
        other.join()
        self.line = steering.row_of("probe")
        self.group, self.user = Group.objects.create(name="g"), User.objects.create_user("u")
        self.clients = {"owner": owner, "other": other} | {kind: make() for kind, make in MAKERS.items()}
        self._rows = everything()

    def ask(self, kind: str, method: str, route: str) -> Any:
        answer = self.clients[kind].client.generic(method, self.path(route))
        answer.close()
        return answer

    def has_changed(self) -> bool:
        return everything() != self._rows

    def path(self, route: str) -> str:
        """An address of this route, for the owner's entries."""
        entry = self.ended if any(part in route for part in ("result/", "files/", "delete/")) else self.waiting
        rows: dict[str, Any] = {"auth/group": self.group, "auth/user": self.user, "queueing/line": self.line}
        row = next((row for part, row in rows.items() if part in route), entry)
        values = {
            "^(?P<app_label>queueing|auth)/$": "queueing/",
            "(?P<url>.*)$": "nothing/",
            "^admin/r/": f"admin/r/{ContentType.objects.get(app_label='django_rq').pk}/1/",
            "<path:content_type_id>": str(ContentType.objects.get_for_model(Entry).pk),
            "<uuid:code>": str(entry.code),
            "<str:name>": "answer.txt",
            "<slug:name>": "tables" if "preview/" in route else "probe",  # the probe has no preview
            "<id>": str(self.user.pk),
            "<path:object_id>": str(row.pk),
            "<int:pk>": str(row.pk),
        }
        for pattern, value in values.items():
            route = route.replace(pattern, value)
        return f"/{route}"


def is_refusal(answer: Any) -> bool:
    return answer.status_code in REFUSALS or answer.get("Location", "").startswith("/admin/login/")


def everything() -> list[Any]:
    """The rows that a refused request must not touch; sessions and the log of the admin are not among them."""
    return [list(model.objects.order_by("pk").values()) for model in (Entry, EntryFile, EntryEvent, Group, Line)]


def test_every_url_is_in_the_matrix() -> None:
    asked = [(row.route, row.method) for row in rows()]
    assert asked == [(route, method) for route in routes() for method in ("GET", "POST")]


@pytest.mark.parametrize("route", routes())
def test_each_client_gets_what_the_matrix_says(route: str) -> None:
    stage = Stage()
    looks, posts = (row.statuses for row in rows() if row.route == route)
    assert {kind: stage.ask(kind, "GET", route).status_code for kind in CLIENTS} == looks
    for kind in CLIENTS:
        for method in OTHER_METHODS:
            answer = stage.ask(kind, method, route)
            is_known = answer.status_code in REFUSALS | {looks[kind], posts[kind]}
            assert is_known or (method == "OPTIONS" and not answer.content), f"{method} by {kind}: {answer.status_code}"
    assert not stage.has_changed()
    found = {}
    for kind in CLIENTS:
        answer = stage.ask(kind, "POST", route)
        found[kind] = answer.status_code
        if stage.has_changed():  # the next client finds what this one has found
            assert not is_refusal(answer), f"{kind} was refused, and changed something"
            _empty()
            stage = Stage()
    assert found == posts


def test_no_post_is_taken_without_its_token() -> None:
    stage = Stage()
    for row in rows():
        for kind in ("owner", "root"):
            if row.method == "POST" and row.statuses[kind] not in {404, 405}:
                stage.clients[kind].client.handler.enforce_csrf_checks = True
                assert stage.ask(kind, "POST", row.route).status_code == 403, row.route
    assert not stage.has_changed()


def test_the_socket_is_for_the_owner_and_for_staff_with_the_permission(processes: Processes) -> None:
    assert [str(route.pattern) for route in websockets.routes] == ["ws/entry/<uuid:code>/", ""]
    stage, web = Stage(), Web(processes).wait()
    let_in = set()
    for kind, client in stage.clients.items():
        visitor = client if "sessionid" in client.client.cookies else None
        with suppress(InvalidStatus), web.open(stage.waiting, visitor) as socket:
            socket.recv(timeout=60)
            let_in.add(kind)
    assert let_in == {"owner", "view", "content", "both", "root"}


def _empty() -> None:
    for model in (Entry, User, Group, Session):
        model.objects.all().delete()
