"""The site under attack: `make run` in a folder of its own, watched from outside."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

from tests.support.paths import ROOT
from tests.support.servers import free_port

HOST = "127.0.0.1"
LOOK = 0.5  # seconds between two looks at memory and disk
PROBE = 0.2  # seconds between two questions to /healthz


class Site:
    """A running site: its port, and what was seen of it."""

    def __init__(self, folder: Path, port: int, run: int) -> None:
        self.folder, self.port, self.run = folder, port, run
        self.memory: dict[str, int] = defaultdict(int)  # peak of the resident bytes of one process, by its role
        self.disk = 0  # peak of the bytes below var/
        self.health: list[float] = []  # seconds of each answer of /healthz
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=watch, daemon=True) for watch in (self._look, self._probe)]

    def forget(self) -> None:
        """Begin the figures anew."""
        self.memory.clear()
        self.disk = 0
        self.health.clear()

    def watch(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._ended.set()
        for thread in filter(threading.Thread.is_alive, self._threads):
            thread.join()

    def processes(self) -> Iterator[tuple[str, psutil.Process]]:
        """The processes of the site, each with its role."""
        with suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.run).children(recursive=True):
                with suppress(psutil.Error):
                    yield _role(process), process

    def _look(self) -> None:
        while not self._ended.wait(LOOK):
            for role, process in self.processes():
                with suppress(psutil.Error):
                    self.memory[role] = max(self.memory[role], process.memory_info().rss)
            self.disk = max(self.disk, _bytes_below(self.folder / "var"))

    def _probe(self) -> None:
        while not self._ended.wait(PROBE):
            began = time.monotonic()
            with suppress(OSError, http.client.HTTPException):
                connection = http.client.HTTPConnection(HOST, self.port, timeout=30)
                connection.request("GET", "/healthz")
                connection.getresponse().read()
                connection.close()
            self.health.append(time.monotonic() - began)


@contextmanager
def running_site() -> Iterator[Site]:
    """A copy of this folder's files, served as `make run` serves it; nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="client-queue-flood-") as name:
        folder = Path(name) / "site"
        _copy(folder)
        port = free_port()
        environment = {**os.environ, "DEBUG": "1", "PORT": str(port), "RUN_IN": ""}
        with (Path(name) / "log").open("wb") as log:
            run = subprocess.Popen(
                [sys.executable, "-m", "config.run"],
                cwd=folder,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        site = Site(folder, port, run.pid)
        try:
            _wait_until_ready(site, run, Path(name) / "log")
            site.watch()
            yield site
        finally:
            site.end()
            run.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                run.wait(30)
            if target := os.environ.get("FLOOD_LOG"):
                shutil.copy(Path(name) / "log", target)


def _copy(folder: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def _wait_until_ready(site: Site, run: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline and run.poll() is None:
        with suppress(OSError, http.client.HTTPException):
            connection = http.client.HTTPConnection(HOST, site.port, timeout=5)
            connection.request("GET", "/readyz")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.3)
    raise RuntimeError(f"The site is not ready:\n{log.read_text()[-3000:]}")


def _role(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    if "rqworker" in command:
        parent = process.parent()
        grandparent = parent.parent() if parent else None
        is_horse = grandparent is not None and "rqworker" in " ".join(grandparent.cmdline())
        return "horse" if is_horse else "worker"
    for mark, role in (("valkey", "valkey"), ("keeper", "keeper"), ("check", "checker"), ("serve", "web")):
        if mark in command:
            return role
    return "web" if "daphne" in command else "run"


def _bytes_below(folder: Path) -> int:
    """The bytes that the files below a folder take on the disk. Files and folders may go meanwhile."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(root) / name).lstat().st_blocks * 512
    return total
