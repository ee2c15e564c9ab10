"""The proxies of docker-compose.yml and docs/operations.md, as real programs in front of a web process."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT
from tests.support.servers import free_port
from tests.support.waiting import wait_for
from tests.support.web import is_listening

PROXIES = ["caddy", "nginx", "haproxy"]
# Durations and numbers that a test need not wait for.
QUICKER = {
    "15s": "2s",
    "client_body_timeout 30s": "client_body_timeout 3s",
    "visitors 200": "visitors 10",
    "gt 200": "gt 10",
}


def program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin")


def caddyfile() -> str:
    """As compose gives it to the container."""
    compose: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    return str(compose["services"]["proxy"]["environment"]["CADDYFILE"]).replace("$$", "$")


def example(language: str) -> str:
    """The example in the documentation."""
    found = re.search(rf"```{language}\n(.*?)```", (ROOT / "docs" / "operations.md").read_text(), re.DOTALL)
    assert found
    return found[1]


class Proxy:
    """A proxy that listens on a port of its own, with the configuration of the project."""

    def __init__(self, name: str, folder: Path, web: int) -> None:
        self.port, self.folder = free_port(), folder
        self.environment = os.environ | {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        self.environment["SITE"] = f"http://127.0.0.1:{self.port}"
        self.path = folder / f"{name}.conf"
        text = getattr(self, f"_{name}")(f"127.0.0.1:{web}")
        for old, new in QUICKER.items():
            text = text.replace(old, new)
        self.path.write_text(text)
        options: dict[str, list[str]] = {
            "caddy": ["run", "--adapter", "caddyfile", "--config", str(self.path)],
            "nginx": ["-p", str(folder), "-c", str(self.path)],
            "haproxy": ["-db", "-f", str(self.path)],
        }
        command = [str(program(name)), *options[name]]
        with (folder / f"{name}.out").open("wb") as log:
            self.process = subprocess.Popen(command, env=self.environment, stdout=log, stderr=subprocess.STDOUT)

    def wait(self) -> "Proxy":
        wait_for(lambda: is_listening(self.port) or self.process.poll() is not None)
        assert self.process.poll() is None, "\n".join(path.read_text() for path in self.folder.glob("*.out"))
        return self

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def _caddy(self, web: str) -> str:
        text = re.sub(r"dynamic a web 8000 \{.*?\}", f"to {web}", caddyfile(), flags=re.DOTALL)
        assert web in text
        return text.replace("{", "{\n    admin off", 1)

    def _nginx(self, web: str) -> str:
        text = example("nginx").replace("127.0.0.1:8000", web)
        text, count = re.subn(r"# listen, server_name.*", f"listen 127.0.0.1:{self.port};", text)
        assert count == 1
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        folders = "".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds)
        outer = f"daemon off; master_process off; pid {self.folder}/nginx.pid; error_log stderr;"
        return f"{outer} events {{}} http {{ access_log off; {folders} {text} }}"

    def _haproxy(self, web: str) -> str:
        text, count = re.subn(r"bind .*", f"bind 127.0.0.1:{self.port}", example("haproxy"))
        assert count == 1
        return text.replace("127.0.0.1:8000", web).replace("X-Forwarded-Proto https", "X-Forwarded-Proto http")
