"""One game from the first join to the end."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import redis

from tests.benchmarks.simulation.clock import set_clock, simulated_scripts
from tests.benchmarks.simulation.hosts import Hosts
from tests.benchmarks.simulation.keeper import Keeper
from tests.benchmarks.simulation.scenario import STEP, Scenario
from tests.benchmarks.simulation.visitors import Visitors
from tests.benchmarks.simulation.workers import Workers
from tests.benchmarks.simulation.world import World


@dataclass(frozen=True, slots=True)
class Outcome:
    """The end of a game."""

    joined: int
    most_waiting: int
    counts: Counter[str]  # what happened
    faults: Counter[str]  # what must not happen
    longest_absence: float  # seconds, of a visitor who was claimed
    status: bytes  # of each row
    memory: int  # bytes of Valkey, at most
    scripts: int  # calls of scripts
    seconds: float  # that the game took


def play(scenario: Scenario, client: redis.Redis, edits: Mapping[str, tuple[str, str]] | None = None) -> Outcome:
    """Play the game on this Valkey, which is emptied. `edits` break a script on purpose."""
    began = time.perf_counter()
    with simulated_scripts(client, edits):
        return _Game(scenario, client).play(began)


class _Game:
    def __init__(self, scenario: Scenario, client: redis.Redis) -> None:
        self.scenario, self.client = scenario, client
        self.world = World(scenario, client)
        self.world.begin()
        self.hosts, self.workers = Hosts(self.world), Workers(self.world)
        self.visitors = Visitors(self.world, self.hosts)
        self.keeper = Keeper(self.world, self.visitors)
        self.most_waiting = self.memory = 0
        client.config_resetstat()

    def play(self, began: float) -> Outcome:
        self._plan_faults()
        rounds = round(1 / STEP)
        while self.world.now < self.scenario.seconds:
            self.world.go_on(self.visitors.arrive)
            self.hosts.go_on()
            self.workers.go_on()
            if self.world.step % rounds == 0:
                self.keeper.round()
            if self.world.step % (60 * rounds) == 0:
                self._measure()
        self._measure()
        self.world.referee.judge_end()
        calls = self.client.info("commandstats")["cmdstat_evalsha"]["calls"]
        return Outcome(
            self.world.joined,
            self.most_waiting,
            +self.world.counts,
            +self.world.referee.faults,
            self.world.referee.longest_absence,
            bytes(self.world.status),
            self.memory,
            calls,
            time.perf_counter() - began,
        )

    def _measure(self) -> None:
        self.most_waiting = max(self.most_waiting, self.world.line.count_entries())
        self.memory = max(self.memory, self.client.info("memory")["used_memory"])

    def _plan_faults(self) -> None:
        scenario, at = self.scenario, self.world.at
        if scenario.host_lost_at is not None:
            at(scenario.host_lost_at, lambda _: self.hosts.lose([0]))
        if scenario.emptied_at is not None:
            at(scenario.emptied_at, self._empty)
        if scenario.workers_lost_at is not None:
            at(scenario.workers_lost_at, lambda _: self.workers.lose())
        if scenario.keeper_away_at is not None:
            at(scenario.keeper_away_at, self._keeper_goes)
        if scenario.hosts_away_at is not None:
            back = scenario.hosts_away_at + scenario.hosts_away
            at(scenario.hosts_away_at, lambda _: self.hosts.lose(list(self.world.alive), until=back))

    def _empty(self, _: int) -> None:
        self.client.flushall()
        self.world.emptied_at = self.world.now
        set_clock(self.client, self.world.now)

    def _keeper_goes(self, _: int) -> None:
        self.keeper.away_until = self.world.now + self.scenario.keeper_away
