"""The right to see an entry ends while its page is open: the socket is closed with 4003, and says nothing more."""

import contextlib
import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.utils import timezone
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection

from queueing import events
from queueing.models import Entry
from queueing.web.sign_in import SIGNED_IN_AT, USED_AT
from tests.support.clocks import QUICK
from tests.support.processes import Processes
from tests.support.visitors import Visitor, staff, url
from tests.support.web import Web

pytestmark = pytest.mark.django_db(transaction=True)

CLOCKS = QUICK | {"PRESENCE_TTL": 3, "CLOSE_GRACE": 10, "LOST_GRACE": 20}
LONG, SHORT = 600, 0.5


def _web(folder: Any, interval: float) -> Iterator[Web]:
    processes = Processes(folder)
    processes.use(CLOCKS | {"RIGHTS_INTERVAL": interval})
    yield Web(processes).wait()
    processes.stop()


@pytest.fixture(scope="module")
def web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A web process that asks for no right by itself, as far as a test can tell."""
    yield from _web(tmp_path_factory.mktemp("patient"), LONG)


@pytest.fixture(scope="module")
def asking_web(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """A web process that asks for the rights of its pages twice a second."""
    yield from _web(tmp_path_factory.mktemp("asking"), SHORT)


def read(ws: ClientConnection, seconds: float = 10) -> dict[str, Any]:
    """The next frame; the ticks of a page that has heard nothing for long are passed over."""
    frame: dict[str, Any] = {"type": "tick"}
    while frame["type"] == "tick":
        frame = json.loads(ws.recv(timeout=seconds))
    return frame


def rest_of(ws: ClientConnection) -> tuple[list[dict[str, Any]], int | None]:
    """All frames until the server closes this socket, and the code of the close."""
    frames: list[dict[str, Any]] = []
    try:
        while True:
            frames.append(read(ws))
    except ConnectionClosed as closed:
        return frames, closed.rcvd.code if closed.rcvd else None


def frames_of(ws: ClientConnection, seconds: float) -> list[dict[str, Any]]:
    """The frames that come until there was none for so many seconds."""
    frames: list[dict[str, Any]] = []
    with contextlib.suppress(TimeoutError):
        while True:
            frames.append(read(ws, seconds))
    return frames


def close_code(ws: ClientConnection) -> int | None:
    return rest_of(ws)[1]


# Ends that a signal tells


def log_out(looker: Visitor, _user: User) -> None:
    assert looker.client.post("/admin/logout/").status_code == 200


def change_the_password(_looker: Visitor, user: User) -> None:
    user.set_password("another long password")
    user.save()


def deactivate(_looker: Visitor, user: User) -> None:
    user.is_active = False
    user.save()


def retire(_looker: Visitor, user: User) -> None:
    user.is_staff = False
    user.save()


def take_the_permission(_looker: Visitor, user: User) -> None:
    user.user_permissions.clear()


def delete(_looker: Visitor, user: User) -> None:
    user.delete()


@pytest.mark.parametrize("end", [log_out, change_the_password, deactivate, retire, take_the_permission, delete])
def test_the_end_of_a_users_right_closes_the_socket(web: Web, end: Callable[[Visitor, User], None]) -> None:
    owner, looker = Visitor(), staff("view")
    entry = owner.join()
    with web.open(entry, owner) as mine, web.open(entry, looker) as ws:
        read(mine)
        read(ws)
        end(looker, User.objects.get())
        assert close_code(ws) == 4003
        assert looker.client.get(url(entry, "status.json")).status_code == 404
        events.publish(entry.code)
        assert read(mine)["type"] == "status"


def leave_the_group(user: User, _group: Group) -> None:
    user.groups.clear()


def empty_the_group(_user: User, group: Group) -> None:
    group.user_set.clear()


def take_the_groups_permission(_user: User, group: Group) -> None:
    group.permissions.clear()


def delete_the_group(_user: User, group: Group) -> None:
    group.delete()


@pytest.mark.parametrize("end", [leave_the_group, empty_the_group, take_the_groups_permission, delete_the_group])
def test_the_end_of_a_groups_right_closes_the_socket(web: Web, end: Callable[[User, Group], None]) -> None:
    looker, user = staff(), User.objects.get()
    group = Group.objects.create(name="lookers")
    group.permissions.set(Permission.objects.filter(codename="view_entry"))
    user.groups.add(group)
    entry = Visitor().join()
    with web.open(entry, looker) as ws:
        read(ws)
        end(user, group)
        assert close_code(ws) == 4003


def test_what_does_not_end_a_right_leaves_the_socket_open(web: Web) -> None:
    looker, user = staff("view"), User.objects.get()
    other = staff("view")
    entry = Visitor().join()
    with web.open(entry, looker) as ws:
        read(ws)
        user.first_name = "Ada"
        user.save()
        other.client.post("/admin/logout/")
        looker.client.get(url(entry))
        entry.start("w")
        events.publish(entry.code)
        while read(ws).get("status") != "running":
            pass


def test_a_change_of_another_user_makes_no_page_read_its_row(web: Web) -> None:
    owner, looker = Visitor(), staff("view")
    other = staff("view")
    user = User.objects.latest("pk")
    entry = owner.join()
    with web.open(entry, owner) as mine, web.open(entry, looker) as ws, web.open(entry, other) as ended:
        for page in (mine, ws, ended):
            read(page)
        entry.start("w")  # and no hint
        retire(other, user)
        assert close_code(ended) == 4003
        assert "running" not in {frame.get("status") for frame in frames_of(ws, 1)}


def test_the_user_who_made_an_entry_keeps_it_by_the_browser(web: Web) -> None:
    """Signing out ends the session's key. The page connects again, as the same visitor."""
    owner = staff()
    entry = owner.join()
    with web.open(entry, owner) as ws:
        read(ws)
        owner.client.post("/admin/logout/")
        assert owner.client.get(url(entry, "status.json")).status_code == 200
    with web.open(entry, owner) as ws:
        assert read(ws)["status"] == "waiting"


# Ends that no signal tells


def old_sign_in(looker: Visitor) -> None:
    session = looker.client.session
    session[SIGNED_IN_AT] -= 9 * 3600
    session.save()


def idle_sign_in(looker: Visitor) -> None:
    session = looker.client.session
    session[USED_AT] -= 2 * 3600
    session.save()


def deleted_session(looker: Visitor) -> None:
    Session.objects.filter(session_key=looker.client.cookies["sessionid"].value).delete()


def expired_session(looker: Visitor) -> None:
    rows = Session.objects.filter(session_key=looker.client.cookies["sessionid"].value)
    rows.update(expire_date=timezone.now() - timedelta(seconds=1))


def silent_change(_looker: Visitor) -> None:
    User.objects.update(is_active=False)


@pytest.mark.parametrize("end", [old_sign_in, idle_sign_in, deleted_session, expired_session, silent_change])
def test_a_right_is_asked_again_while_the_page_rests(asking_web: Web, end: Callable[[Visitor], None]) -> None:
    owner, looker = Visitor(), staff("view")
    entry = owner.join()
    with asking_web.open(entry, owner) as mine, asking_web.open(entry, looker) as ws:
        read(mine)
        read(ws)
        end(looker)
        assert close_code(ws) == 4003
        events.publish(entry.code)
        assert read(mine)["type"] == "status"


@pytest.mark.parametrize("end", [deleted_session, expired_session])
def test_a_visitors_page_ends_with_its_session(asking_web: Web, end: Callable[[Visitor], None]) -> None:
    owner = Visitor()
    entry = owner.join()
    with asking_web.open(entry, owner) as ws:
        read(ws)
        end(owner)
        assert close_code(ws) == 4003


def test_a_state_is_not_sent_to_a_right_that_is_over(web: Web) -> None:
    looker = staff("view")
    entry = Visitor().join()
    with web.open(entry, looker) as ws:
        read(ws)
        User.objects.update(is_active=False)
        entry.start("w")
        entry.succeed({"label": "secret"})
        events.publish(entry.code)
        frames, code = rest_of(ws)
    assert code == 4003
    assert not [frame for frame in frames if frame.get("status") != "waiting"]


def test_the_page_of_a_deleted_row_is_closed(web: Web) -> None:
    owner = Visitor()
    entry = owner.join()
    with web.open(entry, owner) as ws:
        read(ws)
        Entry.objects.all().delete()
        events.publish(entry.code)
        assert close_code(ws) == 4003
