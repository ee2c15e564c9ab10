"""The two sides that a crowd is played on: this site, and stock RQ. Real processes, and workers as many."""

import time
from collections.abc import Collection

import redis
import rq
from django.conf import settings

from queueing.conf import conf
from queueing.line.clients import connection
from queueing.line.places import get_line
from queueing.line.queue import get_queue
from queueing.models import Entry
from queueing.states import Status
from queueing.testing.presence import watch_since
from tests.benchmarks.erlang import Person
from tests.benchmarks.outcome import WORKERS, Outcome
from tests.benchmarks.rest import read_runs, rest
from tests.benchmarks.visits import Visit, visit
from tests.support.processes import Processes
from tests.support.waiting import wait_for
from tests.support.web import Web

END = 120.0  # seconds after which a crowd that has not been served is an error


class Ours:
    """A web process, a keeper, and workers."""

    def __init__(self, processes: Processes) -> None:
        self.folder = processes.folder
        self.web = Web(processes).wait()
        processes.keeper()
        for _ in range(WORKERS):
            processes.worker("probe")
        # As if web processes had been beating for long: who has left is dropped after CLOSE_GRACE, as on any day.
        watch_since(conf.LOST_GRACE + 60)

    def play(self, crowd: list[Person], silent: Collection[int] = ()) -> tuple[Outcome, list[Visit]]:
        log, turns, last = self.folder / f"ours-{time.time()}", self._turns(), self._last_entry()
        visits = visit(crowd, self.web.port, log, self._is_idle, silent)
        runs = read_runs(log)
        wait_for(lambda: self._turns() - turns >= len(runs))  # RQ counts a little later
        rows = Entry.objects.filter(id__gt=last, attempt__gt=0).values_list("kwargs", "last_attempted_at")
        outcome = Outcome(
            crowd,
            [one.arrived for one in visits],
            [one.left for one in visits],
            {kwargs["number"]: started.timestamp() for kwargs, started in rows if started},
            runs,
            self._turns() - turns - len(runs),
        )
        return outcome, visits

    def wait_for_the_dropped(self) -> None:
        """Wait until those who left are over, too: only then is the rate of leaving known."""
        wait_for(lambda: not Entry.objects.waiting().exists(), conf.CLOSE_GRACE + 20)

    def _is_idle(self) -> bool:
        """True if nobody is waiting whom the site takes for present, and nothing runs."""
        line = get_line("probe")
        return not line.client.zcard(line.keys.line) and not Entry.objects.filter(status=Status.RUNNING).exists()

    def _turns(self) -> int:
        """Work horses so far, by RQ's own count."""
        return sum(int(worker.successful_job_count) for worker in rq.Worker.all(queue=get_queue("probe")))

    def _last_entry(self) -> int:
        return Entry.objects.order_by("id").values_list("id", flat=True).last() or 0


class StockRQ:
    """Knows nobody's presence: who leaves is simply not there any more. Its workers fork for each job, as ours."""

    def __init__(self, processes: Processes) -> None:
        self.folder = processes.folder
        self.queue = rq.Queue("stock", connection=redis.Redis.from_url(settings.REDIS_URL))
        for _ in range(WORKERS):
            processes.start("-m", "tests.benchmarks.rest")
        wait_for(lambda: connection().scard("rq:workers:stock") == WORKERS)

    def play(self, crowd: list[Person]) -> Outcome:
        log = self.folder / f"rival-{time.time()}"
        begin, arrived = time.time() + 0.5, []
        for number, person in enumerate(crowd):
            time.sleep(max(0.0, begin + person.arrival - time.time()))
            arrived.append(time.time())
            self.queue.enqueue(rest, str(log), number, person.service, result_ttl=0)
        runs = wait_for(lambda: len(done := read_runs(log)) == len(crowd) and done, END)
        started = {run.number: run.began for run in runs}
        over = [come + person.patience for come, person in zip(arrived, crowd, strict=True)]
        left = [moment if started[number] > moment else None for number, moment in enumerate(over)]
        return Outcome(crowd, arrived, left, started, runs)
