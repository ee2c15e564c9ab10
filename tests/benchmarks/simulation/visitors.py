"""Visitors: they join, look, reload, fall silent, come back, leave, or never look."""

from queueing.conf import conf
from queueing.line import jobs
from queueing.line.keys import storing_key
from queueing.states import Absence
from tests.benchmarks.simulation.hosts import Hosts
from tests.benchmarks.simulation.scenario import RUNNING, SERVED, STEP, WAITING
from tests.benchmarks.simulation.world import NO_HOST, QUEUE, World, job_id

FIRST_LOOK = (0.2, 2.0)  # seconds from the join
RELOAD = (0.5, 3.0)  # seconds that a reload takes
SILENCE = (1.0, 100.0)  # seconds without a connection, of those who come back
NOTICED = 20.0  # seconds after which a host notices a silent connection, at most
LONGEST_RUN = 24 * 3600_000  # ms: the note on a running entry, as in `presence.GONE_TTL`


class Visitors:
    """All visitors of a game; each act has the number of one."""

    def __init__(self, world: World, hosts: Hosts) -> None:
        self.world, self.hosts = world, hosts
        self._due = 0.0  # joins that are due, with the fraction of one
        self._job = jobs.job_fields(QUEUE, job_id(0))

    def arrive(self) -> None:
        """Those who join in this step."""
        world, scenario = self.world, self.world.scenario
        in_rush = world.now <= scenario.rush
        self._due += STEP * (scenario.crowd / scenario.rush if in_rush else scenario.arrivals)
        while self._due >= 1:
            self._due -= 1
            world.joined += 1
            self._join(world.joined)

    def place(self, number: int) -> None:
        """The place of a row that was not looked at yet, as after the commit of a join."""
        job = self._job | {"description": job_id(number)}
        fields = [part for field in job.items() for part in field]
        arguments = (
            job_id(number),
            number,
            "unseen",
            round(conf.CLOSE_GRACE * 1000),
            self.world.keys.inbox,
            0,
            *fields,
        )
        self.world.call("place", *arguments, own_keys=[storing_key(QUEUE, job_id(number))])

    def _join(self, number: int) -> None:
        world, scenario = self.world, self.world.scenario
        world.status[number], world.away_at[number] = WAITING, world.now
        self.place(number)
        draw, last = world.random.random(), scenario.seconds
        if draw < scenario.never:
            return
        world.after(world.random.uniform(*FIRST_LOOK), self._open, number)
        draw, begin = draw - scenario.never, world.now + 5
        for share, act in (
            (scenario.reload, self._reload),
            (scenario.silent, self._fall_silent),
            (scenario.close, self._close),
            (scenario.vanish, self._vanish),
        ):
            if draw < share:
                world.at(world.random.uniform(begin, max(begin, last)), act, number)
                return
            draw -= share

    # Acts

    def _open(self, number: int) -> None:
        """The page is opened, for the first time or again."""
        if self._is_over(number):
            self.world.counts["came back too late"] += self.world.status[number] != SERVED
            return
        self.world.open[number] = 1
        self.hosts.connect(number)

    def _close(self, number: int) -> None:
        """Goodbye. A page that looks for another host cannot say it."""
        if self._is_over(number) or not self.world.open[number]:
            return
        has_host = self.world.host[number] != NO_HOST
        self._go(number)
        if has_host:
            self._tell(number, Absence.CLOSED)

    def _reload(self, number: int) -> None:
        self._close(number)
        self.world.after(self.world.random.uniform(*RELOAD), self._open, number)

    def _vanish(self, number: int) -> None:
        """The connection dies; its host notices it later."""
        if self._is_over(number) or not self.world.open[number]:
            return
        self._go(number)
        self.world.after(self.world.random.uniform(0, NOTICED), self._notice, number)

    def _fall_silent(self, number: int) -> None:
        self._vanish(number)
        self.world.after(self.world.random.uniform(*SILENCE), self._open, number)

    def _notice(self, number: int) -> None:
        """The host of a silent page gives it up, unless the page is open again, or the host itself is lost."""
        if not self.world.open[number] and self.world.host[number] != NO_HOST and not self._is_over(number):
            self._tell(number, Absence.LOST)

    def _go(self, number: int) -> None:
        self.world.open[number], self.world.away_at[number] = 0, self.world.now

    def _tell(self, number: int, absence: Absence) -> None:
        """The host tells Valkey that the last page of this entry has gone."""
        world = self.world
        world.host[number], world.gone[number], world.gone_at[number] = NO_HOST, 1, world.now
        grace = conf.CLOSE_GRACE if absence == Absence.CLOSED else conf.LOST_GRACE
        world.call("close", job_id(number), absence.value, round(grace * 1000), LONGEST_RUN)
        world.counts[f"absences told ({absence})"] += 1

    def _is_over(self, number: int) -> bool:
        return self.world.status[number] not in {WAITING, RUNNING}
