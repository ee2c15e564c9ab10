"""Web hosts: they beat for their pages, and say that they watch. A lost host leaves its pages to the others."""

import math
from collections.abc import Iterable

import numpy as np

from queueing.conf import conf
from queueing.line.keys import WATCH
from queueing.line.presence import watch_life
from tests.benchmarks.simulation.clock import UNTIL, milliseconds
from tests.benchmarks.simulation.scenario import RUNNING, WAITING
from tests.benchmarks.simulation.world import NO_HOST, World

RECONNECT = (1.0, 30.0)  # seconds until a page whose host is lost has another one
TICK = 1.0  # seconds between two looks at the watch, as in the Lobby


class Hosts:
    """All web hosts."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.pulsed_at = [-math.inf] * world.scenario.hosts
        self._ticked_at = -math.inf

    def connect(self, number: int) -> None:
        """A page finds a host, and is present; if there is none, it tries again."""
        world = self.world
        if not world.open[number]:
            return
        if not self.world.alive:
            world.after(world.random.uniform(*RECONNECT), self.connect, number)
            return
        world.host[number] = world.random.choice(self.world.alive)
        world.comers.append(number)

    def go_on(self) -> None:
        """Pulses of the hosts whose time has come; of all of them if nobody watches: Valkey was emptied."""
        world = self.world
        ticks = world.now - self._ticked_at >= TICK
        if ticks:
            self._ticked_at = world.now
        is_emptied = ticks and bool(self.world.alive) and not world.client.exists(WATCH)
        for host in self.world.alive:
            if is_emptied or world.now - self.pulsed_at[host] >= conf.HEARTBEAT_INTERVAL:
                self._pulse(host, sends=is_emptied or world.scenario.sends_all_beats)
        if self.pulsed_at and world.now - max(self.pulsed_at) > watch_life():
            world.client.delete(WATCH)

    def lose(self, hosts: Iterable[int], *, until: float | None = None) -> None:
        """These hosts die. Their pages run out, and look for others; at `until` the hosts are back."""
        world, lost = self.world, list(hosts)
        self.world.alive = [host for host in self.world.alive if host not in lost]
        for host in lost:
            pages = self._pages(host)
            world.counts["pages of lost hosts"] += len(pages)
            for number in pages:
                world.host[number] = NO_HOST
                last = max(world.beat_at[number], self.pulsed_at[host])
                world.at(last + conf.PRESENCE_TTL, self._run_out, number)
                if world.open[number]:
                    world.after(world.random.uniform(*RECONNECT), self.connect, number)
        if until is not None:
            world.at(until, lambda _: self.world.alive.extend(lost))

    def _run_out(self, number: int) -> None:
        """The presence key of a page that has lost its host, unless it has another one."""
        world = self.world
        if world.host[number] == NO_HOST and not world.gone[number]:
            world.expire([number])

    def _pulse(self, host: int, *, sends: bool) -> None:
        world = self.world
        if sends:
            world.beat(self._pages(host))
        self.pulsed_at[host] = world.now
        world.client.set(WATCH, milliseconds(world.now), nx=True)  # keeps the moment since which somebody watches
        world.client.set(UNTIL.format(key=WATCH), milliseconds(world.now + watch_life()))

    def _pages(self, host: int) -> list[int]:
        """The numbers of the live entries whose page this host believes to be open."""
        world = self.world
        hosts = np.frombuffer(world.host, dtype=np.int8)
        status = np.frombuffer(world.status, dtype=np.uint8)
        found: list[int] = np.flatnonzero((hosts == host) & ((status == WAITING) | (status == RUNNING))).tolist()
        return found
