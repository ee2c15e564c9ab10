"""The page's socket against a real daphne: what it is told, what it is refused, and what its end means."""

import json
import socket
import struct
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Any

import pytest
import redis
from django.db import connection
from rq.utils import as_text
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from queueing import ending, events
from queueing.line import clients, keys
from queueing.line.places import Line, get_line
from queueing.models import Entry
from tests.support.clocks import QUICK
from tests.support.entries import end_is_seen
from tests.support.processes import Processes
from tests.support.servers import free_port, start_valkey
from tests.support.slow import slow
from tests.support.visitors import Visitor, presence_of, staff, url
from tests.support.waiting import wait_for
from tests.support.web import Web

pytestmark = pytest.mark.django_db(transaction=True)

MAX_PAGES = 3
# A beat may be late on a busy machine.
CLOCKS = QUICK | {"PRESENCE_TTL": 3, "CLOSE_GRACE": 10, "LOST_GRACE": 20, "MAX_PAGES_PER_ENTRY": MAX_PAGES}
FIRST = {"type", "status", "position", "ahead", "held_ahead", "keep_seconds", "eta_seconds", "progress", "message"}


@pytest.fixture(scope="module", params=["daphne", *slow("uvicorn")])
def web(request: Any, django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One web process for the whole module: starting one takes longer than most of the tests."""
    processes = Processes(tmp_path_factory.mktemp("web"))
    processes.use(CLOCKS)
    yield Web(processes, request.param).wait()
    processes.stop()


@pytest.fixture
def second_web(processes: Processes) -> Web:
    processes.use(CLOCKS)
    return Web(processes).wait()


@pytest.fixture(autouse=True)
def clocks(settings: Any) -> None:
    settings.QUEUEING = CLOCKS


def read(ws: ClientConnection) -> dict[str, Any]:
    frame: dict[str, Any] = json.loads(ws.recv(timeout=10))
    return frame


def read_until(ws: ClientConnection, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The next frame like that; what else is said meanwhile is passed over."""
    while not condition(frame := read(ws)):
        pass
    return frame


def absence_of(line: Line, entry: Entry) -> str:
    return as_text(line.client.hget(line.keys.absence, entry.job_id) or "lost")


def is_held(line: Line, entry: Entry) -> bool:
    return entry.job_id in line.held_ids()


def forget_presence(entry: Entry) -> None:
    """Delete the presence that joining gave; from now on only a page counts."""
    clients.connection().delete(keys.PRESENCE.format(job_id=entry.job_id))


def reset(ws: ClientConnection) -> None:
    """End the connection as a crashed machine does: no close frame, no goodbye of any kind."""
    ws.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    ws.socket.shutdown(socket.SHUT_RDWR)


def test_an_open_socket_tells_the_state_and_keeps_the_visitor_present(web: Web, line: Line) -> None:
    visitor = Visitor()
    entry = visitor.join()
    forget_presence(entry)
    with web.open(entry, visitor) as ws:
        first = read(ws)
        assert first.keys() >= FIRST
        assert (first["type"], first["status"], first["position"]) == ("status", "waiting", 1)
        assert "You are next" in first["html"]
        assert first.items() >= visitor.client.get(url(entry, "status.json")).json().items()
        forget_presence(entry)
        wait_for(lambda: presence_of(entry) > 1, 5)
    wait_for(lambda: is_held(line, entry), 5)


def test_staff_get_the_part_of_the_page_without_advice_for_the_owner(web: Web) -> None:
    visitor = Visitor()
    entry = visitor.join()
    for who, shown in ((visitor, True), (staff("view"), False)):
        with web.open(entry, who) as ws:
            assert ("Keep this page open" in read(ws)["html"]) is shown


def test_a_page_that_has_the_status_gets_no_html(web: Web) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor, "?have=waiting") as ws:
        assert "html" not in read(ws)
    with web.open(entry, visitor, "?have=%FF") as ws:
        assert "html" in read(ws)


def test_nothing_is_promised_to_a_page_that_cannot_be_counted(web: Web, valkey: redis.Redis) -> None:
    """A first frame says that all is well: its page would be back at once, again and again."""
    visitor = Visitor()
    entry = visitor.join()
    valkey.config_set("maxmemory", 1)  # Redis answers, and takes nothing in
    try:
        with web.open(entry, visitor) as ws, pytest.raises(ConnectionClosed) as closed:
            read(ws)
    finally:
        valkey.config_set("maxmemory", 0)
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4013


# The first look at the end


def is_over(frame: dict[str, Any]) -> bool:
    return frame.get("status") == "succeeded"


def succeed(entry: Entry) -> None:
    assert entry.succeed({"label": "x"})
    events.publish(entry.code)


def test_the_end_is_seen_by_an_owner_whose_open_page_is_told(web: Web) -> None:
    visitor = Visitor()
    entry = visitor.join()
    entry.start("w")
    with web.open(entry, visitor) as ws:
        assert read(ws)["status"] == "running"
        succeed(entry)
        read_until(ws, is_over)
        wait_for(lambda: end_is_seen(entry))  # behind the frame


def test_the_end_is_seen_by_an_owner_who_comes_later_and_by_nobody_else(web: Web) -> None:
    visitor, looker = Visitor(), staff("view")
    entry = visitor.join()
    entry.start("w")
    with web.open(entry, visitor) as ws:
        read(ws)
    wait_for(lambda: presence_of(entry) == 0)
    with web.open(entry, looker) as of_staff:
        read(of_staff)
        succeed(entry)
        read_until(of_staff, is_over)
    with web.open(entry, looker, "?have=running") as of_staff:
        assert is_over(read(of_staff))
    assert not end_is_seen(entry)
    with web.open(entry, visitor, "?have=running") as ws:
        assert is_over(read(ws))
    wait_for(lambda: end_is_seen(entry))


def test_the_end_is_not_seen_by_a_page_that_is_sent_away(web: Web) -> None:
    """Staff have all pages of the entry that this process keeps, and the row's end comes without a hint."""
    visitor, looker = Visitor(), staff("view")
    entry = visitor.join()
    entry.start("w")
    with ExitStack() as pages:
        for _ in range(MAX_PAGES):
            read(pages.enter_context(web.open(entry, looker, "?have=running")))
        with web.open(entry, visitor, "?have=running") as ws, pytest.raises(ConnectionClosed):
            read(ws)
        assert entry.succeed({"label": "x"})
    assert not end_is_seen(entry)


@pytest.mark.parametrize("query", ["", "?have=running", "?have=succeeded"])
def test_the_socket_of_an_ended_entry_is_closed_behind_its_last_frame(web: Web, query: str) -> None:
    """It also needs no seat: there may be more of them than pages of one entry."""
    visitor = Visitor()
    entry = visitor.join()
    entry.start("w")
    with ExitStack() as pages:
        open_pages = [pages.enter_context(web.open(entry, visitor)) for _ in range(MAX_PAGES)]
        for ws in open_pages:
            read(ws)
        succeed(entry)
        late = [pages.enter_context(web.open(entry, visitor, query)) for _ in range(MAX_PAGES + 2)]
        for ws in open_pages + late:
            read_until(ws, is_over)
            with pytest.raises(ConnectionClosed) as closed:
                read(ws)
            assert closed.value.rcvd
            assert closed.value.rcvd.code == 1000


# Who is refused


def test_unknown_and_foreign_entries_are_refused_alike(web: Web) -> None:
    mine = Visitor()
    mine.join()
    foreign = Visitor().join()
    unknown = Entry(code=uuid.uuid4())
    answers = {
        web.refusal(entry, visitor)
        for entry in (foreign, unknown)
        for visitor in (mine, None, staff(), staff("change"))
    }
    assert len(answers) == 1
    assert answers.pop()[0] == 403


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://127.0.0.1:{port}",
        "http://127.0.0.1:1",
        "http://127.0.0.1",
        "http://localhost:{port}",
        "http://127.0.0.1:{port}@evil.example",
        "file://",
        "null",
        None,
    ],
)
def test_pages_of_other_sites_are_refused(web: Web, origin: str | None) -> None:
    visitor = Visitor()
    entry = visitor.join()
    given = origin.format(port=web.port) if origin is not None else None
    status, _ = web.refusal(entry, visitor, origin=given)
    assert status == 403


@pytest.mark.parametrize("origin", ["", "http://", "http://[", "http://x:notaport", "http://x:99999", "\u00e9"])
def test_a_malformed_origin_is_refused(web: Web, origin: str) -> None:
    visitor = Visitor()
    entry = visitor.join()
    status, _ = web.refusal(entry, visitor, origin=origin.encode().decode("latin-1"))
    assert status == 403


def test_another_host_is_refused_though_its_origin_fits(web: Web) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with socket.create_connection(("127.0.0.1", web.port)) as raw:
        raw.sendall(
            f"GET /ws/entry/{entry.code}/ HTTP/1.1\r\nHost: evil.example\r\nOrigin: http://evil.example\r\n"
            f"Cookie: {visitor.cookie}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b" 403 " in raw.recv(1000)


def test_an_unknown_path_is_refused(web: Web) -> None:
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws://127.0.0.1:{web.port}/ws/nothing/", origin=Origin(f"http://127.0.0.1:{web.port}"), proxy=None),
    ):
        pass
    assert refused.value.response.status_code == 403


def test_staff_look_without_being_counted(web: Web) -> None:
    entry = Visitor().join()
    forget_presence(entry)
    with web.open(entry, staff("view")) as ws:
        assert read(ws)["status"] == "waiting"
        assert presence_of(entry) == 0


# What a page may say


@pytest.mark.parametrize("frame", ["{", "[1]", '{"type": "leave"}', "", b"\xff\x00", "x" * 16_000])
def test_whatever_a_page_says_it_stays_present(web: Web, frame: str | bytes) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        read(ws)
        ws.send(frame)
        assert read_until(ws, lambda answer: answer["type"] == "error")["message"] == "This socket only sends."
        forget_presence(entry)
        wait_for(lambda: presence_of(entry) > 1, 5)


def test_only_the_first_of_many_frames_is_answered(web: Web) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        for _ in range(20):
            ws.send("x")
        ws.ping().wait(10)  # all of them have arrived
        ending.leave(entry)
        frames = [read(ws)]
        while frames[-1].get("status") != "cancelled":
            frames.append(read(ws))
        assert [frame["type"] for frame in frames].count("error") == 1


@pytest.fixture
def entry_table(transactional_db: None) -> Iterator[Callable[[str, str], None]]:
    """Renames the table of entries."""

    def rename(before: str, after: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"ALTER TABLE {before} RENAME TO {after}")

    yield rename
    if "elsewhere" in connection.introspection.table_names():
        rename("elsewhere", "queueing_entry")


def test_a_socket_whose_entry_cannot_be_read_is_sent_away(
    web: Web, line: Line, entry_table: Callable[[str, str], None]
) -> None:
    """A 403 would say that the entry is not this visitor's."""
    visitor = Visitor()
    entry = visitor.join()
    entry_table("queueing_entry", "elsewhere")
    with web.open(entry, visitor) as ws, pytest.raises(ConnectionClosed) as closed:
        read(ws)
    assert closed.value.rcvd
    assert closed.value.rcvd.code == 4013
    entry_table("elsewhere", "queueing_entry")
    with web.open(entry, visitor) as ws:
        assert read(ws)["status"] == "waiting"


def test_a_page_too_many_is_sent_away_and_the_others_stay(web: Web, line: Line) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with ExitStack() as pages:
        sockets = [pages.enter_context(web.open(entry, visitor)) for _ in range(MAX_PAGES)]
        for ws in sockets:
            read(ws)
        with web.open(entry, visitor) as another, pytest.raises(ConnectionClosed) as closed:
            read(another)
        assert closed.value.rcvd
        assert closed.value.rcvd.code == 4013
        assert line.ids() == [entry.job_id]
        events.publish(entry.code)
        for ws in sockets:
            read(ws)


def test_a_huge_frame_ends_that_socket_and_no_other(web: Web, line: Line) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as other:
        with web.open(entry, visitor) as ws:
            read(ws)
            ws.send("x" * 100_000)
            with pytest.raises(ConnectionClosed):
                read_until(ws, lambda frame: False)
        forget_presence(entry)
        wait_for(lambda: presence_of(entry) > 1, 5)
        assert line.ids() == [entry.job_id]
        read(other)


# Its end


@pytest.mark.parametrize(("code", "absence"), [(4001, "closed"), (1000, "lost"), (1001, "lost")])
def test_only_the_pages_own_goodbye_is_a_goodbye(web: Web, line: Line, code: int, absence: str) -> None:
    """A browser sends 1001 also for a tab that the system has killed. In every case the entry is held from then on."""
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        read(ws)
        ws.close(code)
    wait_for(lambda: is_held(line, entry), 10)
    assert presence_of(entry) == 0
    assert absence_of(line, entry) == absence
    with web.open(entry, visitor) as ws:  # a reload: the very same place
        assert read(ws)["position"] == 1
        wait_for(lambda: line.ids() == [entry.job_id], 5)


def test_an_aborted_connection_is_lost(web: Web, line: Line) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        read(ws)
        reset(ws)
        wait_for(lambda: is_held(line, entry), 5)
        assert presence_of(entry) == 0
        assert absence_of(line, entry) == "lost"


def test_the_end_of_a_running_entrys_page_is_noted(web: Web, valkey: redis.Redis) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        read(ws)
        get_line("probe").claim("w")
        entry.start("w")
        events.publish(entry.code)
        read_until(ws, lambda frame: frame.get("status") == "running")
        ws.close(4001)
    gone = wait_for(lambda: valkey.get(keys.GONE.format(job_id=entry.job_id)), 5)
    assert gone.endswith(b":10000:closed")


def test_of_two_tabs_one_is_enough(web: Web, line: Line) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        read(ws)
        with web.open(entry, visitor) as other:
            read(other)
            notes = line.client.llen(line.keys.notes)
        forget_presence(entry)
        wait_for(lambda: presence_of(entry) > 1, 5)
        assert line.ids() == [entry.job_id]
        assert line.client.llen(line.keys.notes) == notes  # not even for a moment
    wait_for(lambda: is_held(line, entry), 5)


def test_of_two_web_processes_one_is_enough(web: Web, second_web: Web, line: Line) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        read(ws)
        with second_web.open(entry, visitor) as other:
            read(other)
        wait_for(lambda: line.client.llen(line.keys.notes) >= 2, 5)  # held and back
        wait_for(lambda: line.ids() == [entry.job_id], 5)
        wait_for(lambda: presence_of(entry) > 1, 5)
    wait_for(lambda: is_held(line, entry), 5)


def test_a_killed_web_process_leaves_a_key_that_runs_out(second_web: Web, line: Line) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with second_web.open(entry, visitor) as ws:
        read(ws)
        second_web.process.kill()
        second_web.process.wait(10)
        assert 0 < presence_of(entry) <= 3
        wait_for(lambda: presence_of(entry) == 0, 4)
        assert line.ids() == [entry.job_id]  # held by the next claim or the keeper


# Redis forgets


def test_after_a_flush_an_open_page_is_present_again_at_once(web: Web, valkey: redis.Redis) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        read(ws)
        wait_for(lambda: valkey.exists(keys.WATCH), 5)
        valkey.flushall()
        wait_for(lambda: presence_of(entry) > 0 and valkey.exists(keys.WATCH), 2.5)


def test_a_page_that_closed_while_redis_was_away_is_forgotten(processes: Processes) -> None:
    visitor, port = Visitor(), free_port()
    entry = visitor.join()
    server = start_valkey(port)
    processes.use(CLOCKS)
    web = Web(processes, REDIS_URL=f"redis://127.0.0.1:{port}/0").wait()
    with closing(redis.Redis(port=port)) as client:
        try:
            with web.open(entry, visitor) as ws:
                read(ws)
                wait_for(lambda: client.exists(keys.PRESENCE.format(job_id=entry.job_id)), 5)
                server.kill()
                server.wait(10)
            wait_for(lambda: "was not noted" in processes.logs())
            server = start_valkey(port)
            for _ in range(2):  # beats
                wait_for(lambda: client.exists(keys.WATCH), 10)
                assert not client.exists(keys.PRESENCE.format(job_id=entry.job_id))
                client.delete(keys.WATCH)
        finally:
            server.kill()
            server.wait(10)


def test_the_goodbye_of_a_page_without_a_socket_is_not_that_of_one_with_a_socket(web: Web, line: Line) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        read(ws)
        assert visitor.client.post(url(entry, "goodbye/")).status_code == 204
        wait_for(lambda: line.ids() == [entry.job_id] and presence_of(entry), 5)
        assert line.held_ids() == []


def test_a_web_process_watches_from_its_first_request_on(second_web: Web, valkey: redis.Redis) -> None:
    valkey.delete(keys.WATCH)
    answer = http_get(second_web.port, "/healthz")
    assert b"200 OK" in answer
    wait_for(lambda: valkey.exists(keys.WATCH), 5)


def http_get(port: int, path: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port)) as raw:
        raw.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: raw.recv(10_000), b""))


# What a page is told


def test_numbers_move_when_somebody_ahead_leaves(web: Web) -> None:
    ahead, visitor = Visitor(), Visitor()
    first, entry = ahead.join(), visitor.join()
    with web.open(entry, visitor) as ws:
        assert read(ws)["position"] == 2
        answer = ahead.client.post(url(first, "leave/"))
        assert answer.status_code == 303
        frame = read_until(ws, lambda frame: frame.get("position") == 1)
        assert (frame["ahead"], frame["held_ahead"]) == (0, 0)
        assert "html" not in frame


def test_numbers_move_when_somebody_ahead_closes_the_page(web: Web) -> None:
    ahead, visitor = Visitor(), Visitor()
    first, entry = ahead.join(), visitor.join()
    with web.open(entry, visitor) as ws:
        with web.open(first, ahead) as other:
            read(other)
            assert read(ws)["position"] == 2
        frame = read_until(ws, lambda frame: frame.get("position") == 1)
        assert (frame["ahead"], frame["held_ahead"]) == (0, 1)


def test_a_new_status_brings_its_part_of_the_page(web: Web) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        read(ws)
        ending.leave(entry)
        frame = read_until(ws, lambda frame: frame.get("status") == "cancelled")
        assert "You left the line" in frame["html"]


def test_a_status_that_the_page_has_brings_no_part_of_it(web: Web) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        assert "html" in read(ws)
        events.publish(entry.code)
        assert "html" not in read_until(ws, lambda frame: frame.get("status") == "waiting")


def test_a_hint_is_followed_by_newer_numbers(web: Web) -> None:
    """A hint's numbers are read beside the ticks, and may be older than those of the last tick."""
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        for _ in ("the whole state", "a newcomer's numbers"):
            read(ws)
        events.publish(entry.code)
        frames = [read(ws) for _ in ("the whole state", "the newest numbers")]
        assert [frame.get("position") for frame in frames] == [1, 1]


def test_a_hint_that_met_no_database_is_made_good(web: Web) -> None:
    visitor = Visitor()
    entry = visitor.join()
    with web.open(entry, visitor) as ws:
        read(ws)
        rename("queueing_entry", "queueing_away")
        try:
            events.publish(entry.code)
            wait_for(lambda: f"The row of entry {entry.code} could not be read" in web.logs())
        finally:
            rename("queueing_away", "queueing_entry")
        entry.cancel()  # and no hint, nor is a number new
        read_until(ws, lambda frame: frame.get("status") == "cancelled")


def rename(old: str, new: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ALTER TABLE {old} RENAME TO {new}")


def test_what_was_said_before_the_page_came_is_not_missed(web: Web) -> None:
    visitor = Visitor()
    entry = visitor.join()
    entry.start("w")  # and no hint
    with web.open(entry, visitor, "?have=waiting") as ws:
        frame = read(ws)
        assert frame["status"] == "running"
        assert "progress" in frame["html"]
