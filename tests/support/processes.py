"""Real processes of the project, on the tests' own database and Valkey."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import psutil
from django.db import connection

from queueing.line import clients, keys
from queueing.work import horse, standby
from tests.support import acl
from tests.support.fork_server import ForkServer, can_fork, fork_server
from tests.support.paths import ROOT
from tests.support.waiting import wait_for


class Processes:
    """Real processes of the project, on the tests' database and Valkey."""

    # False: each command is a new interpreter, for tests that look at memory, or at what the kernel tells of a process.
    is_forked = True

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: list[subprocess.Popen[bytes]] = []
        self.prefix: list[str] = []  # a command before each command, as setpriv
        self.server: ForkServer | None = None  # one that forks all commands, in place of the usual one
        self.environment = os.environ | {
            "DJANGO_SETTINGS_MODULE": "tests.settings",
            "DATABASE_URL": _current_database_url(),
            "PYTHONUNBUFFERED": "1",
        }

    def use(self, values: dict[str, Any]) -> None:
        """QUEUEING settings of the processes started from now on."""
        self.environment |= {f"QUEUEING_{name}": str(value) for name, value in values.items()}

    def start(self, *command: str, **environment: str) -> subprocess.Popen[bytes]:
        variables = self.environment | environment
        for name, url in variables.items() if acl.IS_ON else ():
            if name.startswith("REDIS_URL") and url.startswith("redis://127.0.0.1:"):
                variables[name] = acl.signed_in(url, acl.user_of(command))
        with (self.folder / f"{len(self.running)}.log").open("wb") as log:
            process = self._started(command, variables, log)
        self.running.append(process)
        return process

    def _started(
        self, command: tuple[str, ...], variables: dict[str, str], log: IO[bytes]
    ) -> "subprocess.Popen[bytes]":
        if self.server is not None:
            return self.server.fork(command, variables, log)
        if self.is_forked and not self.prefix and can_fork(variables):
            return fork_server().fork(command, variables, log)
        return subprocess.Popen(
            [*self.prefix, sys.executable, *command],
            cwd=ROOT,
            env=variables,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def manage(self, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        return self.start("manage.py", *arguments, **environment)

    def worker(self, *queues: str, **environment: str) -> subprocess.Popen[bytes]:
        """A worker that is ready to claim."""
        before = set(clients.connection().smembers("rq:workers"))
        process = self.manage("rqworker", *(queues or ("probe",)), **environment)
        born = wait_for(lambda: set(clients.connection().smembers("rq:workers")) - before).pop()
        wait_for(lambda: clients.connection().hget(born, "state") in {b"idle", b"busy"})
        return process

    def keeper(self) -> subprocess.Popen[bytes]:
        process = self.manage("keeper")
        wait_for(lambda: clients.connection().exists(keys.KEEPER))
        return process

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in sorted(self.folder.glob("*.log")))

    def stop(self) -> None:
        for process in self.running:
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
            process.wait(10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # the workers of a pool
        if self.server is not None:
            self.server.end()


def horse_of(worker: subprocess.Popen[bytes]) -> psutil.Process:
    """The process that works on this worker's job, or the last one that it has started, as soon as there is one."""
    return horses_of(worker)[-1]


def horses_of(worker: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """The horse of this worker, and what it has forked, as soon as there is one."""
    found: list[psutil.Process] = wait_for(lambda: _named(worker, horse.NAME))
    return found


def has_horse(worker: subprocess.Popen[bytes]) -> bool:
    """True if the worker has a process that works on a job."""
    return bool(_named(worker, horse.NAME))


def standby_of(worker: subprocess.Popen[bytes]) -> psutil.Process:
    """The process that waits for this worker's next job, as soon as there is one."""
    found: list[psutil.Process] = wait_for(lambda: _named(worker, standby.NAME))
    return found[0]


def is_at_rest(worker: subprocess.Popen[bytes]) -> bool:
    """True if the worker has no process but the one that stands by."""
    return all(name == standby.NAME for _, name in _family(worker))


def is_tidy(folder: Path) -> bool:
    """True if a worker's tasks have left nothing in this folder for temporary files: that of its standby is empty."""
    found = list(folder.iterdir())
    try:
        return len(found) <= 1 and not any(any(scratch.iterdir()) for scratch in found)
    except FileNotFoundError:  # the worker has deleted it meanwhile
        return False


def _named(worker: subprocess.Popen[bytes], name: str) -> list[psutil.Process]:
    return [process for process, its_name in _family(worker) if its_name == name]


def _family(worker: subprocess.Popen[bytes]) -> list[tuple[psutil.Process, str]]:
    """The processes below the worker, each with its name, at one moment."""
    found = []
    for process in psutil.Process(worker.pid).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            found.append((process, process.name()))
    return found


def is_dead(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


def _current_database_url() -> str:
    if connection.vendor == "sqlite":
        return f"sqlite:///{connection.settings_dict['NAME']}"
    given, _, _ = os.environ["DATABASE_URL"].partition("?")
    _, mark, query = os.environ["DATABASE_URL"].partition("?")
    return f"{given.rpartition('/')[0]}/{connection.settings_dict['NAME']}{mark}{query}"
