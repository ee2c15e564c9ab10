"""Sentinels lead every client to the primary: one client, and whole sites through each kind of failover."""

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from channels.layers import channel_layers, get_channel_layer
from redis.exceptions import RedisError

from queueing import events, landlock, sandbox
from queueing.line import clients, keys
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import stay
from tests.support import certificates, probe
from tests.support.available import SERVICE, Available, Node
from tests.support.connections import forget_connections
from tests.support.entries import status_of
from tests.support.pages import Page
from tests.support.probe import entered, hold
from tests.support.processes import Processes
from tests.support.visitors import Visitor, url
from tests.support.waiting import wait_for
from tests.support.web import Web

LANDLOCK = max(0, landlock.version(sandbox.LIBC))
LONGEST = 15  # seconds from the new primary until everything goes on
FAULTS = ["killed", "killed before it could tell", "stopped", "cut off", "isolated"]


@pytest.fixture
def available(settings: Any, transactional_db: None) -> Iterator[Available]:
    made = Available()
    settings.REDIS_URL = made.url
    settings.CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "queueing.line.hints.HintLayer",
            "CONFIG": {"hosts": [{"address": made.url, "socket_timeout": 2.0}]},
        }
    }
    forget_connections()
    yield made
    forget_connections()
    channel_layers.backends.clear()
    made.stop()


def takes_a_write(name: str) -> bool:
    with suppress(RedisError):
        return bool(clients.connection().set(name, 1))
    return False


async def test_clients_subscribers_and_event_loops_follow_a_primary_that_still_answers(available: Available) -> None:
    """It is cut off from the others together with a sentinel, which goes on naming it."""
    on_loop = clients.async_connection()
    await on_loop.set("before", 1)
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add("group", channel)
    heard = clients.connection().pubsub()
    heard.subscribe("commands")
    clients.connection().set("before", 1)  # over another connection
    available.replicate()
    before = available.begin("isolated")
    after, _ = await asyncio.to_thread(available.wait_for_another, before)
    await asyncio.to_thread(wait_for, lambda: takes_a_write("after") and after.client.get("after"), LONGEST)

    async with asyncio.timeout(LONGEST):
        while not await loop_follows(on_loop, after):
            pass
    await asyncio.to_thread(wait_for, lambda: subscriber_follows(heard, after), LONGEST)
    assert events._send("group", {"type": "entry.changed"}, clients.connection(), "in a test")
    async with asyncio.timeout(LONGEST):
        assert await layer.receive(channel) == {"type": "entry.changed"}
    heard.close()
    for sentinel in available.sentinels:
        sentinel.kill()
    clients.connection().connection_pool.disconnect()
    await on_loop.connection_pool.disconnect()
    assert clients.connection().set("without sentinels", 1)
    assert await on_loop.set("without sentinels", 1)
    await on_loop.aclose()
    await layer.flush()


async def loop_follows(on_loop: Any, after: Node) -> bool:
    """True if this client of an event loop and the channel layer have reached the new primary."""
    await on_loop.set("of the loop", 1)
    await asyncio.sleep(0.05)
    subscribed = after.client.pubsub_numsub("asgi__group__group")[0][1]
    return bool(after.client.get("of the loop") and subscribed)


def subscriber_follows(heard: Any, after: Node) -> bool:
    heard.get_message(timeout=0.1)
    return bool(after.client.pubsub_numsub("commands")[0][1])


class Site:
    """Web, keeper and worker; an entry that runs; and visitors who wait behind it with their pages open."""

    def __init__(self, processes: Processes, urls: dict[str, str]) -> None:
        processes.use({"PRESENCE_TTL": 15})  # as shipped: longer than a failover, so that pages stay where they are
        self.urls, self.processes = urls, processes
        self.keeper = processes.manage("keeper", REDIS_URL=urls["keeper"])
        wait_for(lambda: clients.connection().exists(keys.KEEPER))
        self.web = Web(processes, REDIS_URL=urls["web"]).wait()
        self.gate = hold("running")
        self.labels, self.pages = ["running"], [self._join("running")]
        self.worker = processes.manage("rqworker", "probe", REDIS_URL=urls["worker"])
        wait_for(lambda: entered("running"))
        for label in "abcd":
            self.join(label)
        wait_for(lambda: clients.connection().exists(keys.WATCH))

    def _join(self, label: str) -> Page:
        """Join, however often it is refused."""
        visitor = Visitor()
        wait_for(lambda: visitor.send(label=label).status_code == 303, 60)
        return Page(self.web, Entry.objects.latest("pk"), visitor)

    def join(self, label: str) -> float:
        """Join as soon as possible; returns the moment at which the place was confirmed."""
        page, confirmed_at = self._join(label), time.time()
        self.labels.append(label)
        self.pages.append(page)
        return confirmed_at

    def is_ready(self) -> bool:
        """True if this process and the keeper reach the primary. Other lines have no workers here."""
        parts = self.pages[0].visitor.client.get("/readyz").json()
        return all(parts[part] for part in ("redis", "keeper", "places"))

    def stop(self) -> None:
        for page in self.pages:
            page.close()


def moments() -> dict[str, float]:
    """When the task was entered, by label; each label once."""
    lines = [line.split() for line in probe.log_path().read_text().splitlines()]
    assert len({name for name, *_ in lines}) == len(lines), "a task was entered twice"
    return {name: float(at) for name, _, _, at in lines}


def live_through(available: Available, site: Site, fault: str) -> None:
    """A failover while an entry runs and others wait; then all that was confirmed comes to its end, in order."""
    named_at, joined_at, ready_at = fail_over(available, site, fault)
    wait_for(lambda: all(map(entered, site.labels)), 60)
    wait_for(lambda: all(status_of(page.entry) == Status.SUCCEEDED for page in site.pages))
    at = moments()
    seconds = [at["a"] - named_at, joined_at - named_at, ready_at - named_at]
    print(f"{fault}: seconds until the first start, the first join, readiness: {seconds}")  # noqa: T201
    assert max(seconds) < LONGEST
    assert list(at) == site.labels  # in the order of joining
    assert [page.entry.attempt for page in site.pages] == [1] * len(site.pages)
    wait_for(lambda: all('"succeeded"' in page.last for page in site.pages), LONGEST)  # the pages have heard of it
    assert clients.connection().exists(keys.KEEPER)
    alive = (site.keeper, site.worker, site.web.process)
    assert [process.poll() for process in alive] == [None] * 3
    for page in site.pages:
        assert page.visitor.client.get(url(page.entry, "result/")).status_code == 200


def fail_over(available: Available, site: Site, fault: str) -> tuple[float, float, float]:
    """The moments at which another primary was named, a newcomer was confirmed, and the site was ready."""
    available.replicate()
    if fault == "killed before it could tell":  # the replica lacks those who joined last, and what the pages said
        available.wire.cut(*(server.number for server in available.servers))
        for label in ("late", "later"):
            site.join(label)
    before = available.begin(fault)
    site.gate.unlink()  # its result is stored while Redis is away
    wait_for(lambda: status_of(site.pages[0].entry) == Status.SUCCEEDED)
    _, named_at = available.wait_for_another(before)
    joined_at = site.join("newcomer")
    wait_for(lambda: entered("a") and site.is_ready(), 60)
    ready_at = time.time()
    if not fault.startswith("killed"):  # while it takes itself for the primary
        available.end(fault, before)
        site.join("beside")
    return named_at, joined_at, ready_at


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_site_lives_through_a_failover(available: Available, processes: Processes, fault: str) -> None:
    site = Site(processes, dict.fromkeys(("web", "worker", "keeper"), available.url))
    live_through(available, site, fault)
    site.stop()


@pytest.mark.slow
def test_a_site_lives_through_a_failover_over_tls_with_users(
    processes: Processes, settings: Any, tmp_path: Path
) -> None:
    certificates.write(tmp_path)
    door = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    door.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    available = Available(tls=door, has_users=True)
    urls = {user: available.url_of(user, tmp_path / "ca.pem") for user in ("web", "worker", "keeper")}
    settings.REDIS_URL = urls["web"]
    forget_connections()
    site = Site(processes, urls)
    live_through(available, site, "stopped")
    for command in ("queue_stats", "rqstats", "purge_stale"):
        assert processes.manage(command, REDIS_URL=urls["keeper"]).wait(60) == 0
    site.stop()
    forget_connections()
    available.stop()
    words = processes.logs()
    assert "word" not in words.replace("password", "")
    assert "p/ss" not in words
    assert "permission" not in words.lower()


@pytest.mark.skipif(LANDLOCK < 1, reason="needs Landlock")
@pytest.mark.slow
def test_an_isolated_task_knows_no_way_to_the_servers_or_the_sentinels(
    processes: Processes, settings: Any, join: Callable[..., Entry]
) -> None:
    available = Available(has_users=True)
    settings.REDIS_URL = processes.environment["REDIS_URL"] = available.url_of("worker")
    forget_connections()
    entry = join("spy", deeds=["peers", "ask redis"])
    stay(entry)
    processes.manage("rqworker", "probe", PROBE_ISOLATED="1")
    wait_for(lambda: status_of(entry) == Status.SUCCEEDED)
    found = entry.result
    forget_connections()
    available.stop()
    assert isinstance(found, dict)
    assert found["ask redis"] == "BadAddress"
    assert "REDIS_URL" in found["peers"]
    for secret in ("asker-word", "worker:p", str(available.sentinels[0].port), SERVICE):
        assert secret not in found["peers"]
