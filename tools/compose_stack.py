"""The containers of docker-compose.yml, started by podman-compose.

Where podman-compose 1.6 with podman 4 differs from docker compose, this module does the part of docker compose:

- It knows one `--scale` of a command: the numbers come from a second file.
- Health is asked by timers of systemd, which may be missing: this asks, and starts a service when those that it depends
  on are as `depends_on` wants them. `--no-deps` keeps podman from its own, stricter dependencies.
- A service whose image has changed is not replaced: this stops and removes its containers, and lets it make new ones.
- Only one service is built: each would build the same image.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from tools.containers import podman
from tools.walk import ROOT, WalkFailed, free_port

PODMAN_COMPOSE = "podman-compose==1.6.0"
PASSWORDS = (
    "SECRET_KEY",
    "POSTGRES_PASSWORD",
    "VALKEY_WEB_PASSWORD",
    "VALKEY_WORKER_PASSWORD",
    "VALKEY_KEEPER_PASSWORD",
)
SCALE = {"web": 2, "worker": 3}
# Small limits, as some machines have; the default of podman may be more than the machine allows.
CONTAINERS_CONF = """[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
"""


def services() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    return found


def stages(wanted: dict[str, Any]) -> list[list[str]]:
    """The services in the order of `depends_on`: those of one stage depend on earlier stages only."""
    found: list[list[str]] = []
    left = dict(wanted)
    while left:
        ready = sorted(name for name, service in left.items() if not left.keys() & service.get("depends_on", {}).keys())
        if not ready:
            raise ValueError(f"{', '.join(left)} depend on each other.")
        found.append(ready)
        left = {name: service for name, service in left.items() if name not in ready}
    return found


class Stack:
    """The containers, and their only port."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.project = folder, f"composewalk{os.getpid()}"
        self.services, self.port = services(), free_port()
        (folder / "scale.yml").write_text(
            yaml.safe_dump({"services": {name: {"scale": number} for name, number in SCALE.items()}})
        )
        (folder / "containers.conf").write_text(CONTAINERS_CONF)
        given = {name: secrets.token_hex(32) for name in PASSWORDS}
        given |= {"HTTP_PORT": str(free_port()), "HTTPS_PORT": str(self.port)}
        (folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in given.items()))
        self.environment = os.environ | {"STORAGE_DRIVER": "vfs", "CONTAINERS_CONF": str(folder / "containers.conf")}
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        subprocess.run([folder / "venv/bin/pip", "install", "--quiet", PODMAN_COMPOSE], check=True, capture_output=True)

    # Services

    def up(self, *names: str, waits: bool = True) -> None:
        """The containers of these services; each when those that it depends on are ready."""
        for stage in stages(self.services):
            if chosen := [name for name in stage if name in names]:
                self._compose("up", "--detach", "--no-deps", *chosen)
                for container in [found for name in chosen if waits for found in self.containers(name)]:
                    until(partial(self.is_ready, container), f"{container} is ready")

    def stop(self, *names: str) -> None:
        """End and remove the containers of these services, each within its `stop_grace_period`."""
        for name in names:
            grace = str(self.services[name].get("stop_grace_period", "10s"))
            seconds = {"s": 1, "m": 60}[grace[-1]] * int(grace[:-1])
            found = self.containers(name)
            podman("stop", f"--time={seconds}", *found)
            podman("rm", *found)

    def is_ready(self, container: str) -> bool:
        state = self.inspect(container)["State"]
        if "healthcheck" not in self.services[container.split("_")[1]]:
            return (state["Status"], state["ExitCode"]) == ("exited", 0)
        return podman("healthcheck", "run", container, check=False).returncode == 0

    def has_come_back(self, container: str) -> bool:
        """True when the engine has started it again by itself, and it is well."""
        return int(self.inspect(container)["RestartCount"]) > 0 and self.is_ready(container)

    # Containers

    def containers(self, name: str) -> list[str]:
        return [f"{self.project}_{name}_{number}" for number in range(1, SCALE.get(name, 1) + 1)]

    def inspect(self, container: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(podman("inspect", container).stdout)[0]
        return found

    def kill(self, container: str) -> None:
        """SIGKILL to its first process, as by the kernel. After `podman kill` it would stay down."""
        os.kill(self.inspect(container)["State"]["Pid"], signal.SIGKILL)

    def run(self, name: str, *command: str) -> str:
        return podman("exec", self.containers(name)[0], *command).stdout

    def logs(self) -> str:
        found = podman("ps", "--all", "--format={{.Names}}", f"--filter=name={self.project}").stdout.split()
        done = [podman("logs", name, check=False) for name in found]
        return "\n".join(f"--- {name}\n{log.stdout}{log.stderr}" for name, log in zip(found, done, strict=True))

    def remove(self) -> None:
        """All that podman-compose has made, and nothing else: containers, pod, volumes, networks."""
        label = f"--filter=label=io.podman.compose.project={self.project}"
        found = podman("ps", "--all", "--quiet", label).stdout.split()
        podman("rm", "--force", "--time=0", *found, check=False)
        podman("pod", "rm", "--force", f"pod_{self.project}", check=False)
        for kind in ("volume", "network"):
            names = podman(kind, "ls", "--quiet", label).stdout.split()
            podman(kind, "rm", "--force", *names, check=False)

    def _compose(self, *arguments: str) -> None:
        files = (f"--file={ROOT / 'docker-compose.yml'}", f"--file={self.folder / 'scale.yml'}")
        command = [str(self.folder / "venv/bin/podman-compose"), f"--env-file={self.folder / '.env'}", *files]
        command += ["--project-name", self.project, *arguments]
        done = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False, cwd=ROOT)
        if done.returncode:
            raise WalkFailed(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


@contextmanager
def stack() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="compose-walk-") as folder:
        made = Stack(Path(folder))
        try:
            yield made
        except BaseException:
            with suppress(subprocess.CalledProcessError):
                print(made.logs())
            raise
        finally:
            made.remove()


def until(condition: Callable[[], Any], told: str, seconds: float = 180) -> Any:
    """Wait until the condition is true; returns its value. Raises WalkFailed."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise WalkFailed(f"After {seconds} s it is not so that {told}.")
        time.sleep(0.5)
    return value
