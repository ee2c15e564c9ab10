"""Two lines, each on its own Valkey: what is away of one of them concerns the other in nothing."""

import json
import logging
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest
import redis
from django.core.management.base import CommandError

from queueing import serving
from queueing.admin import board, trends
from queueing.conf import conf
from queueing.exceptions import VisitorLeft
from queueing.keeper.round import Keeper
from queueing.line import allowance, clients, keys, levers, presence, workers
from queueing.line.allowance import LEAST, LeftAlone, allow_waiting
from queueing.line.clients import RedisError, connection
from queueing.line.places import Line, get_line
from queueing.line.scripts import as_text
from queueing.line.servers import are_several, servers
from queueing.line.standings import Listed, Where, ids_in, stands
from queueing.line.workers import note_heartbeat
from queueing.models import Entry
from queueing.states import Absence, Reason, Status
from queueing.testing.presence import go, watch_since
from queueing.web import lobby as lobbies
from queueing.web.lobby import Lobby
from queueing.work.attempt import Attempt
from queueing.work.worker import PresenceWorker
from tests.support.commands import run_command
from tests.support.connections import forget_connections
from tests.support.entries import status_of
from tests.support.lobby import Page
from tests.support.metrics import parse, scrape
from tests.support.own_line import on_own_valkey, open_line, url_of
from tests.support.own_valkey import OwnValkey
from tests.support.visitors import FORM, Visitor, staff

pytestmark = pytest.mark.django_db(transaction=True)

Join = Callable[..., Entry]


@pytest.fixture(autouse=True)
def with_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a web process. Django's client calls no ASGI application."""
    monkeypatch.setattr(serving, "_has_sockets", True)


@pytest.fixture
def own(valkey: redis.Redis, settings: Any, request: pytest.FixtureRequest) -> Iterator[OwnValkey]:
    """The Valkey of the line "tables". All else is at REDIS_URL."""
    if "hang" in request.node.name:  # the others need no limit that a slow machine might reach
        settings.REDIS_TIMEOUT = 0.3
    with on_own_valkey(settings, "tables") as made:
        watch_since(conf.LOST_GRACE + 1)
        yield made


@pytest.fixture
def shared(valkey: redis.Redis, settings: Any) -> Iterator[OwnValkey]:
    """The Valkey of REDIS_URL. The line "tables" is on that of the test run."""
    made, url = OwnValkey(), settings.REDIS_URL
    forget_connections()
    settings.RQ_QUEUES = settings.RQ_QUEUES | {"tables": settings.RQ_QUEUES["tables"] | {clients.OWN: url}}
    settings.REDIS_URL = url_of(made)
    watch_since(conf.LOST_GRACE + 1)
    yield made
    forget_connections()
    made.client.close()
    if made.process.poll() is None:
        made.kill()


def entry_in(queue: str, **columns: Any) -> Entry:
    """An entry that waits in this line, and whose page is open."""
    made = Entry.objects.create(queue=queue, task_path=f"queueing.tasks.{queue}.task", visitor=uuid.uuid4(), **columns)
    made.see()
    get_line(queue).place(made.job_id, made.score)
    presence.beat(queue, [made.job_id], 60)
    return made


def names_in(client: redis.Redis) -> set[str]:
    return {as_text(key) for key in cast("list[bytes]", client.keys("*"))}


def test_lines_at_one_address_share_one_client(valkey: redis.Redis) -> None:
    assert connection("probe") is connection("tables") is connection()
    assert not are_several()
    assert [server.lines for server in servers()] == [("documents", "tables", "probe")]


def test_the_queues_of_rq_tell_which_lines_have_a_redis_of_their_own(settings: Any) -> None:
    queues: dict[str, dict[str, Any]] = {
        "here": {"URL": settings.REDIS_URL},
        "there": {"URL": "redis://there.example/0"},
        "led": {"URL": "sentinel://one,two/primary"},
        "in parts": {"HOST": "localhost", "PORT": 6379, "DB": 0},
    }
    clients.spell_out(queues)
    settings.RQ_QUEUES = queues
    found = {name: clients.own_address(name) for name in queues}
    assert found == {"here": "", "there": queues["there"]["URL"], "led": "sentinel://one,two/primary", "in parts": ""}


def test_all_of_a_line_is_on_its_own_redis(own: OwnValkey, valkey: redis.Redis) -> None:
    entry = entry_in("tables")
    line = get_line("tables")
    assert line.claim("w").job_id == entry.job_id
    line.end_claim("w", entry.job_id, started="attempt 1")
    presence.close("tables", entry.job_id, Absence.CLOSED)
    levers.publish(connection("tables"), "tables")
    workers.note_end("tables", ["w"], "succeeded")
    Keeper(spares_leases=False).round()
    here, there = names_in(own.client), names_in(valkey)
    assert {"rq:line:tables:levers", "rq:line:tables:facts", keys.gone_key(entry.job_id), "queueing:runs:w"} <= here
    of_fixtures = {"rq:line:tables:levers", "rq:line:tables:epoch"}
    assert {name for name in there if "tables" in name} <= of_fixtures
    assert keys.KEEPER in there - here


def test_a_redis_that_hangs_leaves_the_others_of_a_request_some_time(own: OwnValkey) -> None:
    own.hang()
    with allow_waiting(0.2) as mine:
        with pytest.raises(LeftAlone):
            connection("tables").ping()
        assert mine.left <= 0
        assert connection().ping()
        with pytest.raises(LeftAlone):
            connection("tables").ping()
    assert allowance.circuit.admits()
    began = time.monotonic()
    with allow_waiting(5), pytest.raises(LeftAlone):  # the next request is spared
        connection("tables").ping()
    assert time.monotonic() - began < LEAST + 1


# The keeper


@pytest.fixture(params=["killed", "hanging"])
def away(request: pytest.FixtureRequest, own: OwnValkey) -> Callable[[], None]:
    """Take the Valkey of the line "tables" away."""
    return own.kill if request.param == "killed" else own.hang


def test_the_keeper_goes_on_with_the_lines_of_another_redis(
    own: OwnValkey, away: Callable[[], None], join: Join, line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    entry_in("tables")
    gone, leaving = join("gone"), join("leaving")
    keeper = Keeper(spares_leases=False)
    keeper.round()
    go(gone, Absence.CLOSED)
    line.client.zadd(line.keys.due, {gone.job_id: 1})
    go(leaving)
    away()
    counts = keeper.round()
    assert (counts["dropped"], counts["held"]) == (1, 1)
    assert status_of(gone) == Status.ABANDONED
    assert line.client.exists(keys.KEEPER)
    keeper.round(), keeper.round()
    said = [record.getMessage() for record in caplog.records if "the Redis of" in record.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("keeper: the Redis of tables is away (")


def test_nobody_is_dropped_when_it_comes_back_empty(own: OwnValkey, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("queueing.keeper.reachable.PAUSE", 0)
    monkeypatch.setattr("queueing.keeper.reconcile.FLUSH_PAUSE", 0)
    entry, keeper, line = entry_in("tables"), Keeper(spares_leases=False), get_line("tables")
    keeper.round()
    own.kill()
    keeper.round()
    own.start()
    own.client.delete(line.keys.epoch)
    keeper.round(), keeper.round()  # it sees the flush, gives the place back, and finds that no page is back yet
    assert line.held_ids() == [entry.job_id]
    own.client.zadd(line.keys.due, {entry.job_id: 1})
    assert keeper.round()["dropped"] == 0  # nobody watches there
    assert status_of(entry) == Status.WAITING
    watch_since(conf.LOST_GRACE + 1)
    own.client.zadd(line.keys.due, {entry.job_id: 1})
    assert keeper.round()["dropped"] == 1
    entry.refresh_from_db()
    assert entry.reason == Reason.LOST


def test_lines_go_on_while_the_redis_of_redis_url_is_away(shared: OwnValkey, settings: Any) -> None:
    """The round ends with the error, since its sign cannot be left."""
    entry, keeper = entry_in("tables"), Keeper(spares_leases=False)
    go(entry)
    keeper.round()
    connection("tables").zadd(get_line("tables").keys.due, {entry.job_id: 1})
    shared.kill()
    with pytest.raises(RedisError):
        keeper.round()
    assert status_of(entry) == Status.ABANDONED
    assert board.now_of(["tables", "probe"])["tables"]["present"] == "0"
    assert board.SHARED_AWAY in board.notices()
    found = parse(scrape(settings))
    assert found.of("queueing_ready", part="redis") == 0
    assert found.all_of("queueing_line_reached") == {"documents": 0, "tables": 1, "probe": 0}
    assert found.of("queueing_held_entries", line="tables") == 0
    assert "queueing_stored_bytes" not in found.names


# Web processes


async def test_only_the_pages_of_a_line_that_is_away_are_sent_away(own: OwnValkey, line: Line) -> None:
    made = {queue: Lobby(clients.own_address(queue)) for queue in ("tables", "probe")}
    pages = {queue: Page(Entry(id=1, code=uuid.uuid4(), queue=queue)) for queue in made}
    for queue, lobby in made.items():
        await lobby.page_opened(pages[queue], is_owner=False)
        lobby._beaten_at -= conf.PRESENCE_TTL + 1  # as long ago as this
    own.kill()
    await made["probe"].pulse()
    with pytest.raises(RedisError):
        await made["tables"].pulse()
    await made["probe"].tick()
    with pytest.raises(RedisError):
        await made["tables"].tick()
    assert pages["tables"].told() == ["elsewhere"]
    assert "elsewhere" not in pages["probe"].told()
    for lobby in made.values():
        await lobby.stop()


async def test_each_redis_is_watched_from_the_start(own: OwnValkey, valkey: redis.Redis) -> None:
    valkey.delete(keys.WATCH)
    own.client.delete(keys.WATCH)
    made = lobbies.start()
    assert lobbies.get_lobby("tables") is not lobbies.get_lobby("probe") is lobbies.get_lobby("documents")
    for lobby in made.values():
        await lobby.pulse()
    assert valkey.exists(keys.WATCH)
    assert own.client.exists(keys.WATCH)
    for lobby in made.values():
        await lobby.stop()
    lobbies._lobbies.clear()


def test_joins_are_refused_only_where_the_line_is_away(own: OwnValkey, away: Callable[[], None]) -> None:
    away()
    assert Visitor().client.post("/join/tables/", {"sample": "yes"}).status_code == 503
    assert Visitor().send().status_code == 303
    page = Visitor().client.get("/").content.decode()
    assert page.count("The line cannot be seen right now") == 1
    assert Visitor().client.get(FORM).status_code == 200


def test_a_join_at_an_own_redis_counts_the_budgets_at_redis_url(own: OwnValkey, valkey: redis.Redis) -> None:
    assert Visitor().client.post("/join/tables/", {"sample": "yes"}).status_code == 303
    assert own.client.zcard(keys.line_keys("tables").unseen) == 1
    assert valkey.exists(keys.STORED)
    assert not own.client.exists(keys.STORED)


def test_a_site_with_a_line_away_is_ready_and_says_which(own: OwnValkey, away: Callable[[], None]) -> None:
    Keeper(spares_leases=False).round()
    worker_of("probe", "documents")
    away()
    answer = Visitor().client.get("/readyz")
    parts = answer.json()
    assert parts.pop("lines") == {"documents": "open", "tables": "away", "probe": "open"}
    assert (answer.status_code, parts) == (200, dict.fromkeys(parts, True))


def worker_of(*queues: str) -> None:
    worker = PresenceWorker(list(queues), name=uuid.uuid4().hex, connection=connection(queues[0]))
    worker.register_birth()
    with connection(queues[0]).pipeline() as pipe:
        note_heartbeat(pipe, worker.name)
        pipe.execute()


def test_metrics_have_the_lines_that_can_be_reached(own: OwnValkey, settings: Any) -> None:
    own.kill()
    found = parse(scrape(settings))
    assert found.of("queueing_line_reached", line="tables") == 0
    assert found.of("queueing_line_reached", line="probe") == 1
    assert found.of("queueing_present_entries", line="probe") == 0
    assert found.of("queueing_ready", part="redis") == 1


# Staff


def test_staff_see_the_other_lines(own: OwnValkey, join: Join, away: Callable[[], None]) -> None:
    join()
    worker_of("tables")
    worker_of("probe")
    away()
    found = board.now_of(["documents", "tables", "probe"])
    assert found["tables"] == board.NOTHING_KNOWN
    assert (found["probe"]["present"], found["probe"]["workers"]) == ("1", "0 busy<small>1 idle</small>")
    assert found[trends.ALL]["present"] == board.NO_NUMBER
    assert "The Redis of tables does not answer" in board.notices()
    looker = staff("lines", "view", "steer")
    now = looker.client.get("/admin/queueing/line/board.json").json()
    assert not now["away"]
    assert now["parts"]["probe:present"] == "1"
    table = looker.client.get("/admin/queueing/entry/workers/").content.decode()
    assert "The Redis of tables does not answer" in table
    assert "probe" in table
    assert "Live data unavailable" not in looker.client.get("/admin/queueing/line/page/probe/").content.decode()
    assert "Live data unavailable" in looker.client.get("/admin/queueing/line/page/tables/").content.decode()
    assert looker.client.get("/admin/queueing/entry/failures/").status_code == 200


def test_lists_have_the_entries_that_can_be_known(own: OwnValkey, join: Join, line: Line) -> None:
    mine, lost = join(), entry_in("tables")
    listed = [Listed(entry.queue, entry.job_id, int(entry.score)) for entry in (lost, mine)]
    assert [stand and stand.where for stand in stands(listed)] == [Where.LINE, Where.LINE]
    own.kill()
    assert [stand and stand.where for stand in stands(listed)] == [None, Where.LINE]
    assert ids_in(["tables", "probe"], Where.LINE, 10) == ([mine.job_id], 1, ["tables"])
    looker = staff("view")
    page = looker.client.get("/admin/queueing/entry/").content.decode()
    assert "The Redis of tables cannot be reached: presence and places are left out." in page
    page = looker.client.get("/admin/queueing/entry/?presence=line").content.decode()
    assert "The Redis of tables cannot be reached, so the list leaves out who is there." in page


def test_the_command_line_tells_the_lines_that_can_be_reached(own: OwnValkey) -> None:
    own.kill()
    words = run_command("queue_stats").splitlines()
    assert words[1] == "tables: its Redis does not answer, so nothing is known; no place is lost."
    assert words[2].startswith("probe: 0 present")
    assert json.loads(run_command("queue_stats", "--json"))[1] == {"queue": "tables", "away": True}
    run_command("line", "pause", "probe")
    with pytest.raises(CommandError, match="Redis does not answer"):
        run_command("line", "pause", "tables")


def test_the_word_to_all_workers_goes_to_each_redis(own: OwnValkey, valkey: redis.Redis) -> None:
    run_command("rqsuspend")
    assert workers.suspensions() == {"documents": True, "probe": True, "tables": True}
    assert board.notices().endswith(board.SUSPENDED)
    run_command("rqresume")
    assert set(workers.suspensions().values()) == {False}
    own.client.set(levers.SUSPENDED, 1)
    assert "All workers of tables are told to take nothing" in board.notices()
    own.kill()
    with pytest.raises(CommandError, match="The Redis of tables does not answer; all other lines are paused"):
        run_command("rqsuspend")
    assert workers.are_suspended("probe")


@pytest.mark.parametrize("command", ["rqworker", "rqworker-pool", "rqscheduler"])
@pytest.mark.parametrize("lines", [(), ("tables", "probe")])
def test_a_worker_for_lines_of_two_addresses_is_refused(command: str, lines: tuple[str, ...], own: OwnValkey) -> None:
    groups = "tables; probe" if lines else "documents, probe; tables"
    with pytest.raises(CommandError, match=f"Start one for each of these groups: {groups}\\.$"):
        run_command(command, *lines)


def test_checks_name_the_lines(own: OwnValkey, settings: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL)
    own.kill()
    from django.core.checks import run_checks

    messages = {message.id: f"{message.msg} {message.hint}" for message in run_checks(include_deployment_checks=True)}
    assert messages["queueing.I103"].startswith("The Redis of tables does not answer from here")
    assert "correct its address in RQ_QUEUES" in messages["queueing.I103"]
    assert "queueing.E113" not in messages
    settings.RQ_QUEUES = settings.RQ_QUEUES | {"probe": {"HOST": "localhost", "PORT": 6379, "DB": 0}}
    messages = {message.id: message.msg for message in run_checks()}
    assert messages["queueing.E113"].startswith("RQ_QUEUES['probe'] has no URL")


def test_a_site_stays_ready_while_a_line_comes_back(own: OwnValkey) -> None:
    """Its places are on their way, and its workers have not given a heartbeat yet."""
    Keeper(spares_leases=False).round()
    worker_of("probe", "documents")
    own.client.flushall()
    answer = Visitor().client.get("/readyz")
    assert (answer.status_code, answer.json()["lines"]["tables"]) == (200, "away")
    open_line(own, "tables")
    own.begin_epochs()
    assert Visitor().client.get("/readyz").json()["workers"] is False  # there is none
    own.client.set(keys.COUNTING, 1)
    answer = Visitor().client.get("/readyz")
    assert (answer.status_code, answer.json()["lines"]["tables"]) == (200, "open")


def test_a_task_looks_for_its_visitor_although_no_hint_can_be_sent(
    shared: OwnValkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("queueing.work.attempt.TASK_REDIS_TIMEOUT", 10.0)  # the one that is there may be slow
    entry = entry_in("tables")
    assert entry.start("w")
    go(entry)
    connection("tables").set(keys.gone_key(entry.job_id), "1:1:closed")
    shared.kill()
    attempt = Attempt(entry)
    with pytest.raises(VisitorLeft):
        attempt.report(0.5, "half")
    assert attempt.absence == Absence.CLOSED
