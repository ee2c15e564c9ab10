"""Puts the queue into a new Django site by the blocks of docs/adopting.md, around the wheel in a new environment.

    python -m tools.adopt

The site has seven apps, templates and an API of its own. The packages come from PyPI, the wheel from this tree. The
commands are those of the document, with other folders and ports.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.error import URLError

from tools.walk import ROOT, WalkFailed, free_port, valkey

BLOCK = re.compile(r"^```(sh|python|html|ini)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
# The file of a block, in its first line.
FILE = re.compile(r"\A(?:#|<!--) (\S+\.\w+)(?: -->)?\n")
APPS = ("accounts", "blog", "catalogue", "orders", "search", "stock")  # the seventh is the document's

OF_SITE = {
    "templates/base.html": """<!doctype html><html lang="en"><link rel="icon" href="data:,">
<title>The site's own base</title>{% block content %}{% endblock %}""",
    "templates/place.html": """{% extends "base.html" %}{% load queue_look %}
{% block content %}<h1>The site's own page</h1>{% queue_card code %}{% endblock %}""",
    "templates/404.html": "<h1>The site's own 404</h1>",
    "blog/views.py": """
import json

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.csrf import csrf_exempt


def home(request: HttpRequest) -> HttpResponse:
    return render(request, "base.html")


def place(request: HttpRequest, code: str) -> HttpResponse:
    return render(request, "place.html", {"code": code})


@csrf_exempt
def api(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"type": request.content_type, "size": len(json.loads(request.body)["text"])})
""",
    "blog/sockets.py": """
from channels.generic.websocket import WebsocketConsumer


class Echo(WebsocketConsumer):
    def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        self.send(text_data)
""",
    "shop/urls.py": """
from django.contrib import admin
from django.urls import path

from blog import views

urlpatterns = [
    path("", views.home),
    path("api/", views.api),
    path("places/<uuid:code>/", views.place),
    path("admin/", admin.site.urls),
]
""",
}
SETTINGS = f"""
INSTALLED_APPS += {list(APPS)}
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
"""


class Site:
    """A site that takes the queue in."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.venv = folder / "site", folder / "venv"
        self.folder.mkdir()
        self.port, valkey_port = free_port(), free_port()
        self.processes: list[subprocess.Popen[bytes]] = []
        self.serves_static_files = False
        self.url = f"http://127.0.0.1:{self.port}"
        stack.enter_context(valkey(valkey_port, folder))
        self.replaced = {
            "/path/to/client-queue": shlex.quote(str(ROOT)),
            "127.0.0.1:6379": f"127.0.0.1:{valkey_port}",
            "8000": str(self.port),
        }

    def make(self) -> None:
        """A site as it is before the first step: Django's own start of it, with things of its own."""
        subprocess.run([sys.executable, "-m", "venv", self.venv], check=True)
        self.run("python -m pip install --quiet 'django>=6.1,<6.2'")
        self.run("python -m django startproject shop .")
        for name in APPS:
            self.run(f"python manage.py startapp {name}")
        for name, text in OF_SITE.items():
            self._write(name, text)
        self._append("shop/settings.py", SETTINGS)

    def step(self, kind: str, text: str) -> str:
        """One block of the document: commands, or a part of a file. Returns what the commands print."""
        if kind == "sh":
            return "".join(self.run(line) for line in text.strip().splitlines())
        match = FILE.match(text)
        assert match, text
        if (self.folder / match[1]).exists():
            self._append(match[1], self.here(text))
        else:
            self._write(match[1], self.here(text))
        return ""

    def here(self, text: str) -> str:
        """A text of the document, with the folders and ports of this site."""
        for there, here in self.replaced.items():
            text = text.replace(there, here)
        return text

    def run(self, line: str) -> str:
        """One command of the document; returns what it prints."""
        done = subprocess.run(
            ["/bin/sh", "-euc", self.here(line)],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise WalkFailed(f"{line}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def environment(self) -> dict[str, str]:
        """The variables of a shell in which the environment is active; pip finds PyPI as it does here."""
        kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "SSL_"))}
        path = f"{self.venv}/bin:/usr/local/bin:/usr/bin:/bin"
        return kept | {"PATH": path, "HOME": str(self.folder), "LANG": "C.UTF-8", "PYTHONUNBUFFERED": "1"}

    @contextmanager
    def running(self, commands: str) -> Iterator[None]:
        """The processes of the document, one a line; at the end each ends by itself at SIGTERM."""
        try:
            for number, line in enumerate(commands.strip().splitlines()):
                with (self.folder / f"process-{number}.log").open("wb") as log:
                    process = subprocess.Popen(
                        ["/bin/sh", "-euc", "exec env " + self.here(line)],
                        cwd=self.folder,
                        env=self.environment(),
                        stdout=log,
                        stderr=subprocess.STDOUT,
                        start_new_session=True,
                    )
                self.processes.append(process)
            self._wait_until_ready()
            yield
            for process in self.processes:
                os.killpg(process.pid, signal.SIGTERM)  # `runserver` has a child that serves
            for process in self.processes:
                process.wait(60)
        finally:
            for process in self.processes:
                if process.poll() is None:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait(10)

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()}" for path in sorted(self.folder.glob("*.log")))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and all(process.poll() is None for process in self.processes):
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/queue/readyz", timeout=5):
                    return
            except (URLError, OSError):
                time.sleep(0.5)
        raise WalkFailed(f"not ready\n{self.logs()}")

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def _append(self, name: str, text: str) -> None:
        with (self.folder / name).open("a") as file:
            file.write(f"\n{text}")


type Block = tuple[str, str]  # its kind, and its text


class Steps:
    """The blocks of the document by their part in it."""

    def __init__(self) -> None:
        found: list[Block] = BLOCK.findall((ROOT / "docs/adopting.md").read_text())
        processes, production, tests = (
            next(number for number, (_, text) in enumerate(found) if words in text)
            for words in ("manage.py runserver", "queueing.serve", "python -m pytest")
        )
        self.making, self.processes = found[:processes], found[processes][1]
        self.production = found[production][1]
        self.tests, self.extras = found[production + 1 : tests + 1], found[tests + 1 :]


@contextmanager
def adopted(*, extras: bool = False) -> Iterator[Site]:
    """A site that has taken the queue in by the document's steps, and runs it.

    With `extras` it has what the document calls worth adding, and the web process of production.
    """
    with ExitStack() as stack:
        site = Site(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="adopt-"))), stack)
        site.make()
        steps = Steps()
        for kind, text in steps.making + (steps.extras if extras else []):
            site.step(kind, text)
        commands = steps.processes
        if extras:
            commands = steps.production + commands.partition("\n")[2]
        site.serves_static_files = not extras  # `runserver` does
        with site.running(commands):
            yield site


def main() -> int:
    with adopted() as site:
        print(f"The site runs at http://127.0.0.1:{site.port}/queue/; Enter ends it.")
        input()
    return 0


if __name__ == "__main__":
    sys.exit(main())
