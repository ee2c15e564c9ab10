"""The truth of a game: the rows, the pages, the hosts, and the agenda of what comes next.

Visitors are numbers from 1 on, in the order of joining. A number is the score of the entry, and makes its job id.
"""

import math
import random
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import batched

import redis

from queueing.conf import conf
from queueing.line import scripts
from queueing.line.keys import line_keys, presence_key
from queueing.line.levers import Levers
from queueing.line.places import get_line
from tests.benchmarks.simulation.clock import set_clock
from tests.benchmarks.simulation.referee import Referee
from tests.benchmarks.simulation.scenario import STEP, WAITING, Scenario

QUEUE = "bench"
NO_HOST = -1
BATCH = 250  # ids in one beat, as in the Lobby
Event = tuple[Callable[[int], object], int]


class World:
    """The truth, and the Valkey that has to follow it."""

    def __init__(self, scenario: Scenario, client: redis.Redis) -> None:
        self.scenario, self.client, self.keys, self.line = scenario, client, line_keys(QUEUE), get_line(QUEUE)
        self.random = random.Random(scenario.seed)  # noqa: S311  # the same game each time
        self.now, self.step = 0.0, 0
        self.agenda: dict[int, list[Event]] = defaultdict(list)
        self.counts: Counter[str] = Counter()
        most = scenario.crowd + math.ceil(scenario.arrivals * scenario.seconds) + 1
        self.joined = 0  # the number of the last visitor
        self.status = bytearray(most)
        self.open = bytearray(most)  # the visitor has the page open, also while it looks for another host
        self.seen = bytearray(most)  # the page was looked at
        self.gone = bytearray(most)  # Valkey was told of the absence, or the presence key ran out
        self.claimed = bytearray(most)
        self.attempt = bytearray(most)
        self.host = array("b", [NO_HOST]) * most  # that believes the page to be open
        self.beat_at = array("d", [-math.inf]) * most  # a beat of its own; those of the host's pulse come on top
        self.away_at = array("d", [-math.inf]) * most  # when the visitor went, or fell silent
        self.gone_at = array("d", [-math.inf]) * most  # since when `gone` is true
        self.alive = list(range(scenario.hosts))  # web hosts
        self.comers: list[int] = []  # whose page was opened in this step
        self.pipe = client.pipeline(transaction=False)
        self.emptied_at = -math.inf
        self.referee = Referee(self)

    def begin(self) -> None:
        self.client.flushall()
        set_clock(self.client, 0)
        self.steer()
        self.client.set(self.keys.epoch, self.client.info("server")["run_id"])

    def steer(self) -> None:
        """The line is open: the copy that a worker or a join writes when it finds none."""
        self.client.set(self.keys.levers, Levers().as_text())

    def go_on(self, arrive: Callable[[], None]) -> None:
        """The next step, up to what visitors do in it. `arrive` adds those who join."""
        self.step += 1
        self.now = self.step * STEP
        set_clock(self.pipe, self.now)
        arrive()
        for act, number in self.agenda.pop(self.step, ()):
            act(number)
        self.send()
        self.beat(self.comers)
        self.comers = []

    def at(self, seconds: float, act: Callable[[int], object], number: int = 0) -> None:
        """An event at this time of the game, in the first step that is not before it."""
        self.agenda[max(self.step + 1, math.ceil(seconds / STEP))].append((act, number))

    def after(self, seconds: float, act: Callable[[int], object], number: int = 0) -> None:
        self.at(self.now + seconds, act, number)

    # Valkey

    def call(self, verb: str, *arguments: object, own_keys: Sequence[str] = ()) -> None:
        """A script whose reply is not needed before the next step."""
        scripts._call(self.pipe, verb, self.keys, *arguments, extra_keys=own_keys)

    def send(self) -> None:
        if len(self.pipe):
            self.pipe.execute()

    def beat(self, numbers: Iterable[int]) -> None:
        """Beats for these pages, as a host makes them."""
        for batch in batched(numbers, BATCH):
            back = scripts.beat(self.client, self.keys, map(job_id, batch), conf.PRESENCE_TTL)
            self.counts["places taken up again"] += len(back)
            for number in batch:
                self.beat_at[number], self.gone[number], self.seen[number] = self.now, 0, 1
                self.referee.note_present(number)

    def expire(self, numbers: Iterable[int]) -> None:
        """The presence keys of these entries have run out."""
        for batch in batched(numbers, 1000):
            self.pipe.delete(*(presence_key(job_id(number)) for number in batch))
            for number in batch:
                self.gone[number], self.gone_at[number] = 1, self.now
                self.counts["presence keys that ran out"] += 1

    def waiting(self) -> list[int]:
        """The rows that wait, in the order of the line."""
        return [number for number in range(1, self.joined + 1) if self.status[number] == WAITING]


def job_id(number: int) -> str:
    return f"{number:032x}"


def number_of(job: str) -> int:
    return int(job, 16)
