"""The cost of one visitor to Valkey, PostgreSQL and the processes: commands, bytes, statements, rows.

Counts come from the servers: Valkey's `INFO`, PostgreSQL's log of statements and its write-ahead log. They are the same
on a busy machine. CPU is the user and system time of the process named, not time on a clock.
"""

import asyncio
import json
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import psutil
from django.db import connection

from queueing import joining, registry
from queueing.history import counting
from queueing.joining import Owner
from queueing.keeper import reconcile
from queueing.keeper.round import Keeper
from queueing.line import clients, keys, positions, presence
from queueing.line.places import get_line
from queueing.line.scripts import Ranked
from queueing.models import Entry
from queueing.web.lobby import Lobby
from tests.benchmarks import processes, waiting
from tests.benchmarks.lobby import FACTS, PAGES, Counter
from tests.benchmarks.report import Row
from tests.support import servers
from tests.support.epochs import begin_epochs
from tests.support.standing import stand
from tests.support.visitors import Visitor

VISITORS, TASKS, LONG, RESTORED = 50, 50, 10_000, 20_000


@dataclass(slots=True)
class Spent:
    """The use of both servers in a while, for each of `number`."""

    number: int
    commands: float = 0.0  # with those that scripts call
    micros: float = 0.0  # CPU of Valkey
    carried: float = 0.0  # bytes in and out of Valkey
    statements: float = 0.0
    written: float = 0.0  # bytes of PostgreSQL's write-ahead log
    cpu: float = 0.0  # us of a process of ours


@contextmanager
def metered(number: int, *ours: psutil.Process) -> Iterator[Spent]:
    """Fills in what is spent inside, for each of `number`. `ours`: processes whose CPU counts, with their children."""
    spent, client = Spent(number), clients.connection()
    client.config_resetstat()
    cpu, log, wal, own = client.info("cpu"), _statements(), _written(), sum(map(_seconds, ours))
    yield spent
    info, now = client.info("stats"), client.info("cpu")
    calls = {name: stat["calls"] for name, stat in client.info("commandstats").items()}
    spent.commands = sum(n for name, n in calls.items() if not name.startswith("cmdstat_info")) / number
    spent.micros = sum(now[name] - cpu[name] for name in ("used_cpu_user", "used_cpu_sys")) / number * 1e6
    spent.carried = (info["total_net_input_bytes"] + info["total_net_output_bytes"]) / number
    spent.statements = (_statements() - log) / number
    spent.written = (_written() - wal) / number
    spent.cpu = (sum(map(_seconds, ours)) - own) / number * 1e6


def rows() -> Iterator[Row]:
    _log_statements()
    waiting.clear()
    yield from _joins()
    yield from _runs()
    yield from _long_line()
    yield from _restoring()
    yield from _size_of_a_row()


def _joins() -> Iterator[Row]:
    """The form, the join, the page: through the site's own views, each visitor with a session of its own."""
    Visitor(SERVER_NAME="127.0.0.1").join(label="warm")
    with metered(VISITORS, psutil.Process()) as spent:
        for number in range(VISITORS):
            Visitor(SERVER_NAME="127.0.0.1").join(label=str(number))
    yield from _told(
        "a join", spent, "Form, POST and the first look at the page, each through Django's test client in one process; "
        "each visitor has a new session, and hands in a small file."
    )  # fmt: skip
    task = registry.get_task("probe")
    with metered(VISITORS) as spent:
        for _ in range(VISITORS):
            joining.join(task, code=uuid.uuid4(), owner=Owner(uuid.uuid4()), options={"label": "x"})
    yield Row("... of these `joining.join`: statements", "", [spent.statements])
    yield Row("... of these `joining.join`: Valkey, commands", "", [spent.commands])


def _runs() -> Iterator[Row]:
    """A real worker works off entries that need nobody."""
    waiting.clear()
    with processes.running(("manage.py", "rqworker", waiting.QUEUE, "-v", "0")) as (worker,):
        _work_off(2)
        idle = 5.0
        with metered(1, psutil.Process(worker.pid)) as rest:
            time.sleep(idle)
        began = time.monotonic()
        with metered(TASKS, psutil.Process(worker.pid)) as spent:
            _work_off(TASKS)
        seconds = (time.monotonic() - began) / TASKS
    for name in ("commands", "micros", "carried", "statements", "written", "cpu"):
        setattr(spent, name, getattr(spent, name) - getattr(rest, name) / idle * seconds)
    yield from _told(
        "a claim, start and end", spent, f"{TASKS} entries without a visitor, on a real worker; each has its horse. "
        "The entries were made before, and an idle worker's own use is taken off. CPU: worker, horses and RQ."
    )  # fmt: skip


def _work_off(number: int) -> None:
    waiting.make(number)
    processes.wait_for(lambda: not Entry.objects.live().exists())


def _long_line() -> Iterator[Row]:
    """Pages of one web process at rest, and when the line moved."""
    waiting.clear()
    beat, tick, rank = asyncio.run(_pages())
    yield from _told("a beat", beat, f"One pulse of a Lobby with {PAGES:,} pages, for each page.", servers=False)
    yield Row(
        "a tick after a move, for each entry in the line: Valkey, CPU", "us", [tick.micros],
        meaning="Each web process with 100 pages or more reads the whole line when it moved, at most once a second.",
    )  # fmt: skip
    yield Row("a tick after a move, for each entry in the line: Valkey, bytes", "bytes", [tick.carried])
    yield Row(
        "the place of one page by its rank: Valkey, CPU", "us", [rank.micros],
        meaning="As web processes ask in a long line; nobody is held here.",
    )  # fmt: skip
    counting.count(until=float("inf"))
    keeper = Keeper()
    keeper.hold(get_line("probe"))
    with metered(PAGES) as spent:
        keeper.hold(get_line("probe"))
    yield Row(
        "the keeper's look at one entry: Valkey, CPU", "us", [spent.micros],
        meaning="`Keeper.hold` through a line in which everybody is present.",
    )  # fmt: skip


async def _pages() -> tuple[Spent, Spent, Spent]:
    line, lobby = get_line("probe"), Lobby()
    line.client.set(keys.facts_key("probe"), json.dumps(asdict(FACTS)))
    entries = [Entry(id=number, code=uuid.uuid4(), queue="probe") for number in range(1, PAGES + 1)]
    for entry in entries:
        stand(line, entry.job_id, entry.score, presence=600)
    await asyncio.gather(*(lobby.page_opened(Counter(entry), is_owner=True) for entry in entries))
    await lobby.pulse()
    asked = [Ranked(entry.job_id, entry.score) for entry in entries]
    with metered(PAGES, psutil.Process()) as beat:
        await lobby.pulse()
    with metered(PAGES) as tick:
        await positions.find(lobby.client, "probe", asked)
    few = asked[: positions.WHOLE_LINE - 10]
    with metered(50 * len(few)) as rank:
        for _ in range(50):
            await positions.find(lobby.client, "probe", few)
    await lobby.stop()
    return beat, tick, rank


def _restoring() -> Iterator[Row]:
    """Places that come back after a flush, as the keeper gives them."""
    waiting.clear()
    made = waiting.make(RESTORED)
    line = get_line(waiting.QUEUE)
    line.client.flushall()
    begin_epochs(line.client)
    presence.beat(waiting.QUEUE, [made[0].job_id], 60)
    began, before = time.perf_counter(), _seconds(psutil.Process())
    logging.getLogger("queueing").setLevel(logging.ERROR)  # the keeper logs each batch
    with metered(RESTORED) as spent:
        assert reconcile.restore(line, [entry.job_id for entry in made]) == RESTORED
    wall, own = time.perf_counter() - began, _seconds(psutil.Process()) - before
    yield Row(
        "rows that get their place back: a second of the keeper's CPU", "/s", [RESTORED / own],
        meaning=f"{RESTORED:,} rows after a flush. On the clock it was {RESTORED / wall:,.0f} a second.",
    )  # fmt: skip
    yield Row("... statements for 1,000 rows", "", [spent.statements * 1000])


def _size_of_a_row() -> Iterator[Row]:
    waiting.clear()
    table = Entry._meta.db_table
    before = _size(table)
    waiting.make(LONG)
    yield Row(
        "a waiting row in PostgreSQL, with its indexes", "bytes", [(_size(table) - before) / LONG],
        meaning=f"Growth of the table by {LONG:,} rows without a name, a file or options.",
    )  # fmt: skip


def _size(table: str) -> int:
    return int(_ask(f"SELECT pg_total_relation_size('{table}')"))


def _told(what: str, spent: Spent, meaning: str, *, servers: bool = True) -> Iterator[Row]:
    yield Row(f"{what}: Valkey, commands", "", [spent.commands], meaning=meaning)
    yield Row(f"{what}: Valkey, CPU", "us", [spent.micros])
    yield Row(f"{what}: Valkey, bytes", "bytes", [spent.carried])
    if servers:
        yield Row(f"{what}: statements", "", [spent.statements])
        yield Row(f"{what}: write-ahead log", "bytes", [spent.written])
    yield Row(f"{what}: CPU of the process", "us", [spent.cpu])


def _log_statements() -> None:
    with connection.cursor() as cursor:
        cursor.execute("ALTER SYSTEM SET log_statement = 'all'")
    _ask("SELECT pg_reload_conf()")
    processes.wait_for(lambda: _ask("SELECT 1") and _statements() > 0, every=0.1)


def _statements() -> int:
    """The statements that PostgreSQL was given until now, by its log."""
    log = (servers.FOLDER / "postgres" / "log").read_text(errors="replace")
    return sum("LOG:  statement:" in line or "LOG:  execute " in line for line in log.splitlines())


def _written() -> int:
    return int(_ask("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"))


def _ask(query: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(query)
        (value,) = cursor.fetchone()
    return value


def _seconds(process: psutil.Process) -> float:
    """User and system time of this process and of its children, those that have ended too."""
    try:
        times = process.cpu_times()
        alive = sum(map(_seconds, process.children()))
    except psutil.NoSuchProcess:  # it ends now, and counts as its parent's
        return 0.0
    return float(times.user + times.system + times.children_user + times.children_system + alive)
