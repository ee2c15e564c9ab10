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
from tests.support.web import Door, is_listening

PROXIES = ["caddy", "nginx", "haproxy"]
# Durations and numbers that a test need not wait for, and the site's name.
QUICKER = {
    "15s": "2s",
    "client_body_timeout 30s": "client_body_timeout 3s",
    "visitors 200": "visitors 10",
    "gt 200": "gt 10",
    "health_interval 2s": "health_interval 500ms",
    "check inter 2s": "check inter 500ms",
    "fail_timeout=5s": "fail_timeout=1s",
    "queue.example": "127.0.0.1",  # the name that health checks use
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


class Proxy(Door):
    """A proxy that listens on a port of its own, with the configuration of the project, before these web processes."""

    def __init__(self, name: str, folder: Path, *webs: int | str) -> None:
        self.port, self.folder = free_port(), folder
        self.environment = os.environ | {"XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
        self.environment["SITE"] = f"http://127.0.0.1:{self.port}"
        self.path = folder / f"{name}.conf"
        text = getattr(self, f"_{name}")([web if isinstance(web, str) else f"127.0.0.1:{web}" for web in webs])
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
        assert self.process.poll() is None, self.said()
        return self

    def said(self) -> str:
        return "\n".join(path.read_text() for path in self.folder.glob("*.out"))

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(20)

    def _caddy(self, webs: list[str]) -> str:
        """As in compose; with several web processes, as in the documents."""
        if len(webs) == 1:
            text, count = re.subn(r"dynamic a web 8000 \{.*?\}", f"to {webs[0]}", caddyfile(), flags=re.DOTALL)
        else:
            several, found = re.subn(r"\bto .*", f"to {' '.join(webs)}", example("caddy"))
            inside = several.removeprefix("queue.example {\n")
            assert (found, inside == several) == (1, False)
            text, count = re.subn(r"reverse_proxy \{.*\}\n\}", inside, caddyfile(), flags=re.DOTALL)
        assert count == 1
        return text.replace("{", "{\n    admin off", 1)

    def _nginx(self, webs: list[str]) -> str:
        text = _multiplied(r"(?:    server 127\.0\.0\.1:8000.*\n)+", example("nginx"), webs)
        text, count = re.subn(r"listen 80;.*?site\.key;", f"listen 127.0.0.1:{self.port};", text, flags=re.DOTALL)
        assert count == 1
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        folders = "".join(f"{kind}_temp_path {self.folder}/{kind};" for kind in kinds)
        outer = f"daemon off; master_process off; pid {self.folder}/nginx.pid; error_log stderr;"
        return f"{outer} events {{}} http {{ access_log off; {folders} {text} }}"

    def _haproxy(self, webs: list[str]) -> str:
        text, count = re.subn(r"bind :80 .*\n    bind :443 .*", f"bind 127.0.0.1:{self.port}", example("haproxy"))
        assert count == 1
        for line in (r"    server web1 127\.0\.0\.1:8000\n", r"    server web1 127\.0\.0\.1:8000 track .*\n"):
            text = _multiplied(line, text, webs)
        return text


def _multiplied(line: str, text: str, webs: list[str]) -> str:
    """The text, with this line once for each web process."""
    found = re.findall(line, text)
    assert len(found) == 1
    lines = [
        found[0].replace("127.0.0.1:8000", web).replace("web1", f"web{number}") for number, web in enumerate(webs, 1)
    ]
    return text.replace(found[0], "".join(lines))
