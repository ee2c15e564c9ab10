"""The site of a soak: web processes, workers, a keeper and a Valkey of its own, with links that can be cut."""

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from queueing.work import horse
from tests.soak.ledger import Ledger
from tests.soak.links import TO_WEB, Link
from tests.soak.machines import Machines
from tests.soak.supervisor import Supervisor
from tests.support import servers
from tests.support.browser.proxy import Proxy
from tests.support.clocks import QUICK, HostClock, can_set_clocks, preloaded
from tests.support.fork_server import ForkServer
from tests.support.processes import Processes
from tests.support.waiting import wait_for
from tests.support.web import SERVERS, is_listening

# Seconds by which a busy machine may be late: two processes note a time each, and either may have waited for a core.
LATE = float(os.environ.get("LATE") or 1.5)
# The relations of the defaults, but quicker; and no limits for one address, from which all visitors come.
SETTINGS: dict[str, Any] = QUICK | {
    "PRESENCE_TTL": LATE,
    "CLOSE_GRACE": 1.5 + LATE,
    "LOST_GRACE": 4.5 + LATE,
    "MAX_ATTEMPTS": 6,
    "ADDRESS_BURST": 10_000,
    "ADDRESS_RATE": 60_000,
    "ADDRESS_UNSEEN": 1_000,
    "ADDRESS_IN_ORDER": 10_000,
    "MAX_ENTRIES_PER_ADDRESS": 0,
    "MAX_BYTES_PER_ADDRESS": 0,
    "MIN_FREE_DISK": 1024**2,
    "MIN_FREE_INODES": 100,
}


class Site:
    """The processes by their names, and the links between them. Each has the clock of a host of its own."""

    def __init__(self, ledger: Ledger, machines: Machines, *, webs: int = 2, workers: int = 2) -> None:
        self.ledger, self.machines = ledger, machines
        self.valkey, self.database = machines.valkey, machines.database
        folder = Path(tempfile.mkdtemp(dir=servers.FOLDER))
        self.processes = Processes(folder)
        self.processes.use(SETTINGS)
        epoch = time.time() - time.monotonic()
        self.processes.environment |= {"TMPDIR": str(machines.temporary), "PROBE_EPOCH": str(epoch)}
        self.web_ports = [servers.free_port() for _ in range(webs)]
        self.visitors = [Link([Proxy(port)], TO_WEB) for port in self.web_ports]  # the links to the web processes
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.logs: dict[str, Path] = {}  # of the running processes
        self.started: dict[str, float] = {}  # the times of their starts
        self._starting = threading.Lock()  # a fault and the supervisor may start processes
        names = [*(f"web {n}" for n in range(webs)), "keeper", *(f"worker {n}" for n in range(workers))]
        self.clocks: dict[str, HostClock] = {}
        if can_set_clocks():
            self.clocks = {name: HostClock(folder / f"{name}.clock") for name in names}
            self.processes.server = ForkServer(preloaded())
        for name in names:
            self.start(name)
        for port in self.web_ports:
            wait_for(partial(is_listening, port), 60)
        self.supervisor = Supervisor(self)

    @property
    def ports(self) -> list[int]:
        return [link.ports[0] for link in self.visitors]

    def start(self, name: str) -> None:
        """Start the process of this name."""
        role, _, number = name.partition(" ")
        commands = {
            "web": (*SERVERS["daphne"], str(self.web_ports[int(number or 0)])),
            "keeper": ("manage.py", "keeper"),
            "worker": ("manage.py", "rqworker", "probe"),
        }
        clock = self.clocks[name].variables if name in self.clocks else {}
        with self._starting:
            self.started[name] = time.time()
            process = self.processes.start(*commands[role], REDIS_URL=self.valkey.url_for(role), **clock)
            self.logs[name] = self.processes.folder / f"{len(self.processes.running) - 1}.log"
            self.running[name] = process
        self.ledger.note(f"{name} is started: pid {process.pid}, {self.logs[name].name}")

    def last_words(self, name: str) -> str:
        """The last line of the log of this process."""
        lines = self.logs[name].read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "")

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
        self.supervisor.stop()
        for name in ("worker", "keeper", "web"):
            for each in self.names(name):
                self.running[each].send_signal(signal.SIGTERM)
        late, deadline = [], time.monotonic() + 60
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
        self.supervisor.stop()
        self.processes.stop()
        for link in (*self.visitors, *self.valkey.links.values()):
            link.stop()
