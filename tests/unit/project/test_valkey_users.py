"""The users of Valkey in docker-compose.yml, on a real server: what each may do, and what none may."""

import asyncio
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import NoPermissionError
from redis.retry import Retry
from rq import suspension

from queueing.keeper import mend
from queueing.line import epoch, hints, keys, presence, scripts
from queueing.line.keys import LineKeys, line_keys
from queueing.line.places import Line
from queueing.line.scripts import Ranked
from queueing.states import Absence
from queueing.work.worker import PresenceWorker
from tests.support import acl
from tests.support.servers import free_port, start_valkey
from tests.support.web import SERVERS

USERS = ["web", "worker", "keeper"]
# Keys that each process writes, in its own name or in a script: all of `keys.py`, with a name for what varies.
OURS = [
    *(getattr(line_keys("probe"), field.name) for field in fields(LineKeys)),
    *(re.sub(r"\{\w+\}", "a", key) for name, key in vars(keys).items() if name.isupper()),
    *("rq:queues", "rq:job:a"),
]
REFUSED = [
    *("FLUSHALL", "FLUSHDB", "CONFIG GET maxmemory", "CONFIG SET dir /tmp", "KEYS *", "SHUTDOWN NOSAVE", "MONITOR"),
    *("SAVE", "BGSAVE", "REPLICAOF NO ONE", "MODULE LIST", "ACL LIST", "ACL SETUSER web +@all"),
    *("SCRIPT FLUSH", "FUNCTION LIST", "CLIENT LIST", "CLIENT KILL ID 1", "SLOWLOG GET", "LATENCY RESET", "SWAPDB 0 1"),
    *(
        "MIGRATE 127.0.0.1 1 a 0 1",
        "RESTORE a 0 a",
        "SORT a",
        "CLUSTER INFO",
        "FAILOVER",
        "SET another 1",
        "GET another",
    ),
    *("EVAL return(redis.call('GET','another')) 0", "FUNCTION FLUSH", "SUBSCRIBE another", "PUBLISH another 1"),
]
NOT_WEB = [("INFO server", ["worker", "keeper"]), ("SCAN 0", ["keeper"])]


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    (default,) = [rule for rule in acl.rules() if rule.startswith("user default ")]
    users = acl.write_users(tmp_path_factory.mktemp("users"), default=default)
    port = free_port()
    server = start_valkey(port, "--aclfile", str(users))
    yield port
    server.terminate()
    server.wait(10)


def client(port: int, user: str) -> redis.Redis:
    """A client as each process makes it: from an address with a password that is percent-encoded."""
    return redis.Redis.from_url(acl.signed_in(f"redis://127.0.0.1:{port}/0", user))


def test_nobody_without_a_password_may_do_more_than_ask_for_an_answer(port: int) -> None:
    anybody = redis.Redis(port=port)
    assert anybody.ping()
    for command in ("GET rq:suspended", "INFO", "PUBLISH asgi__group__x 1", "EVAL return(1) 0"):
        with pytest.raises(NoPermissionError):
            anybody.execute_command(*command.split())
    for user in USERS:
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port, username=user, password="wrong", retry=Retry(NoBackoff(), 0)).ping()


@pytest.mark.parametrize("command", REFUSED)
@pytest.mark.parametrize("user", USERS)
def test_no_process_may_do_harm(user: str, command: str, port: int) -> None:
    with pytest.raises((NoPermissionError, redis.ResponseError), match=r"(?i)no permission|acl failure|NOPERM"):
        client(port, user).execute_command(*command.split(" "))


@pytest.mark.parametrize(("command", "allowed"), NOT_WEB)
def test_few_ask_the_server_for_all(command: str, allowed: list[str], port: int) -> None:
    for user in allowed:
        client(port, user).execute_command(*command.split())
    for user in set(USERS) - set(allowed):
        with pytest.raises(NoPermissionError):
            client(port, user).execute_command(*command.split())


@pytest.mark.parametrize("key", OURS)
@pytest.mark.parametrize("user", USERS)
def test_every_process_may_write_the_keys_of_the_line(user: str, key: str, port: int) -> None:
    signed_in = client(port, user)
    signed_in.set(key, 1)
    assert signed_in.eval("return redis.call('DEL', KEYS[1])", 1, key) == 1


@pytest.mark.parametrize(
    "key", ["rq:wip:probe", "rq:failed:probe", "rq:worker:w", "rq:workers", "rq:suspended", "rq:cron"]
)
def test_web_may_not_write_the_books_of_the_workers(key: str, port: int) -> None:
    with pytest.raises(NoPermissionError):
        client(port, "web").set(key, 1)


def test_commands_of_workers_come_from_workers_and_from_the_page_of_the_workers(port: int) -> None:
    for user in ("worker", "web"):
        client(port, user).publish("rq:pubsub:w", "{}")
    with pytest.raises(NoPermissionError):
        client(port, "keeper").publish("rq:pubsub:w", "{}")


def test_the_channel_layer_takes_an_address_with_a_password(port: int) -> None:
    async def travels() -> object:
        layer = hints.HintLayer(hosts=[{"address": acl.signed_in(f"redis://127.0.0.1:{port}/0", "web")}])
        channel = await layer.new_channel()
        await layer.group_add("entry.a", channel)
        client(port, "worker").publish("asgi__group__entry.a", layer.serialize({"type": hints.PAGE_CLOSED}))
        message = await asyncio.wait_for(layer.receive(channel), 10)
        await layer.flush()
        return message

    assert asyncio.run(travels()) == {"type": hints.PAGE_CLOSED}


def test_the_users_file_has_one_user_a_line(tmp_path: Path) -> None:
    assert [rule.split()[1] for rule in acl.rules()] == ["default", *USERS]
    assert all(">${" not in rule for rule in acl.rules())


@pytest.mark.parametrize(
    ("command", "user"),
    [
        *((command, "web") for command in SERVERS.values()),
        (("manage.py", "rqworker", "probe"), "worker"),
        (("manage.py", "rqworker-pool"), "worker"),
        (("manage.py", "keeper"), "keeper"),
        (("manage.py", "purge_stale"), "keeper"),
    ],
)
def test_a_process_of_the_tests_signs_in_as_in_the_containers(command: tuple[str, ...], user: str) -> None:
    assert acl.user_of(command) == user


def test_a_process_that_nobody_knows_has_no_user() -> None:
    with pytest.raises(ValueError, match="no process"):
        acl.user_of(("-m", "tests.flood"))


@pytest.mark.django_db  # a claim reads the levers, of which there is no copy
@pytest.mark.parametrize("user", USERS)
def test_every_process_may_run_all_scripts_of_the_line(user: str, port: int, settings: Any) -> None:
    signed_in = client(port, user)
    line = Line("probe", signed_in)
    jobs = [f"{user}{number}" for number in range(4)]
    for job_id, score in zip(jobs, (1.0, 2.0, 3.0, 4.0), strict=True):
        assert line.reserve(job_id, "address").refusal == ""
        assert line.place(job_id, score, address="address") == "unseen"
    scripts.beat(signed_in, line.keys, jobs[:3], 60)
    signed_in.set(line.keys.epoch, epoch.run_id(client(port, "keeper")))
    assert line.claim("w").job_id == jobs[0]
    assert [claim.job_id for claim in line.claims().values()] == [jobs[0]]
    line.end_claim("w", jobs[0], started="attempt 1")
    assert line.claim("w").job_id == jobs[1]
    assert line.release("w", jobs[1]) == "line"
    scripts.close(signed_in, line.keys, jobs[1], Absence.CLOSED, grace=0, gone_ttl=60)
    scripts.hold(signed_in, line.keys, first=0, window=10, grace=10)
    signed_in.set(keys.WATCH, 1)
    assert (jobs[1], Absence.CLOSED) in scripts.drop(signed_in, line.keys, least_watch=1, window=10)
    line.restore([Ranked(jobs[1], 2)])
    epoch.begin_restoring(signed_in, "probe")
    assert epoch.begin_epoch(signed_in, "probe", "here")
    presence.inspect("probe", jobs[1], None, signed_in)
    line.standing(jobs[1], 2)
    line.counts(0)
    for job_id in line.all_ids():
        line.remove(job_id)
    line.delete_jobs(jobs)


@pytest.mark.django_db(transaction=True)
def test_a_worker_may_do_what_rq_does(port: int) -> None:
    """A worker's life, with a foreign job that it refuses, one that fails, and RQ's maintenance."""
    worker = PresenceWorker(["probe"], name="signed-in", connection=client(port, "worker"))
    worker.register_birth()
    queue = worker.line_queues[0]
    queue.enqueue("tests.support.foreign.note", "x", job_id="refused")
    queue.enqueue("tests.support.foreign.note", "x", job_id="started", unique=True)
    found = worker.dequeue_job_and_maintain_ttl(None)
    assert found is not None
    worker.execute_job(*found)
    assert worker.connection.hget("rq:job:refused", "status") == b"failed"
    job = queue.job_to_run("started")
    execution = worker.prepare_execution(job)
    worker.maintain_heartbeats(job, execution)
    worker.handle_job_failure(job, queue, exc_string="failed", execution=execution)
    worker.run_maintenance_tasks()
    assert worker.last_cleaned_at is not None
    suspension.suspend(worker.connection)
    suspension.resume(worker.connection)
    worker.teardown()
    assert worker.outage._since is None


def test_the_keeper_may_mend(port: int, settings: Any) -> None:
    admin = client(port, "worker")
    for key in ("rq:wip:probe", "rq:workers", line_keys("probe").line, line_keys("probe").version):
        admin.delete(key)
        admin.set(key, "rubbish")
    assert mend.mend(client(port, "keeper")) == 4
    assert epoch.run_id(client(port, "keeper"))
    assert list(client(port, "keeper").scan_iter(match="presence:*")) is not None
