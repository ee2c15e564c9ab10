"""A visit, a flush and the commands of staff, where each process signs in to Valkey as its own user."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from queueing.line import epoch
from queueing.states import Status
from tests.support import acl
from tests.support.connections import forget_connections
from tests.support.entries import status_of
from tests.support.probe import entered, hold
from tests.support.processes import Processes
from tests.support.servers import free_port, start_valkey
from tests.support.visitors import Visitor, url
from tests.support.waiting import wait_for
from tests.support.web import Web


@pytest.fixture
def address(settings: Any, tmp_path: Path) -> Iterator[str]:
    """A Valkey with the users of docker-compose.yml. The pages of this process sign in as web."""
    port = free_port()
    server = start_valkey(port, "--aclfile", str(acl.write_users(tmp_path)))
    address = f"redis://127.0.0.1:{port}/0"
    forget_connections()
    settings.REDIS_URL = acl.signed_in(address, "web")
    yield address
    forget_connections()
    server.terminate()
    server.wait(10)


@pytest.mark.slow
def test_a_site_lives_on_the_rights_of_its_users(address: str, processes: Processes) -> None:
    admin = redis.Redis.from_url(address)
    users = {name: {"REDIS_URL": acl.signed_in(address, name)} for name in acl.PASSWORDS}
    keeper = processes.manage("keeper", **users["keeper"])
    worker = processes.manage("rqworker", "probe", **users["worker"])
    web = Web(processes, **users["web"]).wait()
    wait_for(lambda: epoch.read_epoch(admin, "probe"))
    visitor, other, gate = Visitor(), Visitor(), hold("running")
    running, leaver, waiting = visitor.join(label="running"), other.join(label="leaver"), visitor.join(label="waiting")
    wait_for(lambda: entered("running"))
    with web.open(running, visitor) as page:
        page.recv(timeout=10)
    other.client.post(url(leaver, "leave/"))
    assert status_of(leaver) == Status.CANCELLED
    admin.flushall()
    wait_for(lambda: epoch.read_epoch(admin, "probe"))
    gate.unlink()
    wait_for(lambda: status_of(running) == Status.SUCCEEDED)
    assert visitor.client.get(url(running, "result/")).status_code == 200
    assert visitor.client.get(url(waiting)).status_code == 200  # a look, which brings it back into the line
    wait_for(lambda: status_of(waiting) == Status.SUCCEEDED)
    for command in ("purge_stale", "queue_stats", "rqstats"):
        assert processes.manage(command, **users["keeper"]).wait(30) == 0
    state = visitor.client.get("/readyz").json()
    assert state["redis"]
    assert state["keeper"]
    assert [process.poll() for process in (keeper, worker, web.process)] == [None, None, None]
    assert "permission" not in processes.logs().lower()
