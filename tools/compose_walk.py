"""Runs docker-compose.yml, whole: two web containers, three workers, a browser; an upgrade under waiting visitors; and
each container killed in turn.

    python -m tools.compose_walk [--before COMMIT] [--keep] [--forget]

The images are made on this machine (`tools/compose_images.py`), and podman-compose comes from PyPI into a folder of the
walk (`tools/compose_stack.py` says where it differs from docker compose). It takes ten to fifteen minutes on two cores.
It needs root, a clone with its history, and from Debian podman, runc, netavark, aardvark-dns, catatonit, iptables,
debootstrap, chromium.

The version before is COMMIT, or the state before the last migration came. The file that runs is always today's.
"""

import argparse
import os
import shutil
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from tools import compose_images
from tools.compose_images import SITE
from tools.compose_stack import Stack, stack, until
from tools.compose_visitors import AWAY, Visitor
from tools.containers import podman
from tools.machine import CHROMIUM
from tools.walk import ROOT, WalkFailed, code_of_tree

PROGRAMS = ("podman", "runc", "debootstrap", "iptables", "catatonit")
BESIDE_PODMAN = ("/usr/lib/podman/netavark", "/usr/lib/podman/aardvark-dns")
LINES = ("documents", "tables")
OURS = ("web", "worker", "keeper")
BEFORE, NOW = "localhost/client-queue-compose/before", "localhost/client-queue-compose/now"


def missing() -> str:
    """The means of the walk that this machine lacks, in one sentence; empty: none."""
    if os.geteuid() != 0:
        return "It needs root."
    lacks = [name for name in PROGRAMS if shutil.which(name) is None]
    lacks += [Path(path).name for path in BESIDE_PODMAN if not Path(path).exists()]
    lacks += [] if CHROMIUM.find() else [CHROMIUM.package]
    return f"It needs {', '.join(lacks)}." if lacks else ""


def version_before() -> str:
    """The commit before the last migration came."""
    newest = max(path.name for path in (ROOT / "queueing/migrations").glob("[0-9]*.py") if "squashed" not in path.name)
    asked = [
        "git",
        "log",
        "--first-parent",
        "--diff-merges=first-parent",
        "--diff-filter=A",
        "--format=%H",
        "-n1",
        "--no-patch",
    ]
    found = subprocess.run([*asked, "--", f"queueing/migrations/{newest}"], cwd=ROOT, check=True, capture_output=True)
    return f"{found.stdout.decode().strip()}^1"


class Walk:
    """The steps, and the visitors whose entries were acknowledged so far."""

    def __init__(self, stack: Stack, page: Page) -> None:
        self.stack, self.page = stack, page
        self.url = f"https://localhost:{stack.port}"
        self.visitors: list[Visitor] = []
        self.refusals: list[int] = []
        self.began = time.monotonic()

    def say(self, text: str) -> None:
        print(f"{time.monotonic() - self.began:5.0f} s  {text}", flush=True)

    # Visitors

    @cached_property
    def trust(self) -> ssl.SSLContext:
        """The authority of the proxy, which makes one for a name like localhost."""
        return ssl.create_default_context(
            cadata=self.stack.run("proxy", "cat", "/data/caddy/pki/authorities/local/root.crt")
        )

    def join(self, line: str) -> None:
        """A new visitor, who tries until the site has acknowledged the entry."""
        visitor = Visitor(self.url, self.trust)

        def is_in() -> bool:
            try:
                return visitor.join(line)
            except AWAY:
                self.refusals.append(0)
                return False

        until(is_in, f"a visitor could join {line}")
        self.refusals += visitor.refusals
        self.visitors.append(visitor)

    def join_by_browser(self) -> None:
        self.page.goto(f"{self.url}/join/documents/")
        self.page.get_by_role("button", name="Try it with our sample").click()
        self.page.wait_for_url("**/entry/**")
        self.say(f"the browser: {self.headline()}")

    def headline(self) -> str:
        return self.page.locator("#headline").inner_text()

    def places(self) -> list[tuple[Any, str]]:
        """Position and path of each waiting visitor. An entry that has ended is a failure: nothing is started yet."""
        states = [until(visitor.state, f"{visitor.path} has a state") for visitor in self.visitors]
        if ended := [state for state in states if state["status"] != "waiting"]:
            raise WalkFailed(f"Nothing was started, but: {ended}")
        return [(state["position"], visitor.path) for state, visitor in zip(states, self.visitors, strict=True)]

    def is_ready(self) -> bool:
        return "false" not in (answer := Visitor(self.url, self.trust).ready()) and bool(answer)

    def steer(self, verb: str) -> None:
        for line in LINES:
            self.stack.run("web", "python", "manage.py", "line", verb, line)

    # Steps

    def start(self) -> None:
        """The version before, with its own images and today's file."""
        podman("tag", BEFORE, SITE)
        self.stack.up("postgres", "valkey", "migrate", "web")
        self.stack.up("worker", "keeper", waits=False)  # the checks of today's file are of today's code
        self.stack.up("proxy")
        until(self.is_ready, "the version before is ready")
        self.say("the version before is ready")

    def fill(self) -> None:
        self.steer("pause")
        for line in ("tables", "documents", "tables", "documents", "tables"):
            self.join(line)
        self.join_by_browser()
        for visitor in self.visitors:
            until(visitor.heard.is_set, "each page has its socket")
        self.say(f"{len(self.visitors)} visitors and a browser wait, at {sorted(place for place, _ in self.places())}")

    def upgrade(self) -> None:
        """All of our processes end, the migrations run, today's processes start; the visitors' pages stay open."""
        before, began = self.places(), time.monotonic()
        podman("tag", NOW, SITE)
        self.stack.stop("migrate", *OURS)
        self.say(f"the version before has ended in {time.monotonic() - began:.0f} s")
        self.stack.up("migrate", *OURS)
        until(self.is_ready, "today's version is ready")
        self.say(f"upgraded in {time.monotonic() - began:.0f} s; the browser: {self.headline()}")
        if (after := self.places()) != before:
            raise WalkFailed(f"Places before the upgrade: {before}; after it: {after}")
        self.say("all have kept their places")

    def kill_each(self) -> None:
        for name in (*OURS, "valkey", "postgres", "proxy"):
            for container in self.stack.containers(name):
                self.kill(container)

    def kill(self, container: str) -> None:
        """The container comes back by itself; meanwhile somebody joins, and nobody loses a place."""
        before, began, refused = self.places(), time.monotonic(), len(self.refusals)
        self.stack.kill(container)
        self.join("tables")
        joined = time.monotonic() - began
        until(lambda: self.stack.has_come_back(container), f"{container} is back")
        until(self.is_ready, "the site is ready")
        ready = time.monotonic() - began
        after = self.places()
        if after[:-1] != before:
            raise WalkFailed(f"Places before {container} was killed: {before}; after it: {after}")
        answers = [str(status or "no answer") for status in self.refusals[refused:]]
        told = f"refused with {', '.join(sorted(set(answers)))}, " if answers else ""
        self.say(f"{container} killed: {told}joined after {joined:.0f} s, ready after {ready:.0f} s, places kept")

    def serve(self) -> None:
        """The lines go on; all workers die once while they work. Each acknowledged entry comes to its result."""
        self.steer("resume")
        until(lambda: any(visitor.state().get("status") == "running" for visitor in self.visitors), "something runs")
        for container in self.stack.containers("worker"):
            self.stack.kill(container)
        self.say("all workers killed while they work")
        for visitor in self.visitors:
            until(visitor.has_ended, f"{visitor.path} has ended", 600)
        ends = [(visitor.state()["status"], visitor.result()) for visitor in self.visitors]
        if set(ends) != {("succeeded", 200)}:
            raise WalkFailed(f"Not all succeeded: {ends}")
        self.page.locator("#entry[data-status=succeeded]").wait_for(timeout=300_000)
        self.say(f"{len(ends)} results; the browser: {self.headline()}")

    def audit(self) -> None:
        """The rows: each acknowledged entry is there, and has ended well."""
        asked = "SELECT status, count(*) FROM queueing_entry GROUP BY 1"
        rows = self.stack.run(
            "postgres", "psql", "--host=/tmp", "--username=queue", "--tuples-only", "--command", asked
        )
        self.say(f"rows: {' '.join(rows.split())}")
        if rows.split() != ["succeeded", "|", str(len(self.visitors) + 1)]:
            raise WalkFailed(f"{len(self.visitors) + 1} entries were acknowledged.")

    def end(self) -> None:
        for visitor in self.visitors:
            visitor.close()


@contextmanager
def browser_page() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM.find(), args=["--no-sandbox", "--disable-quic"])
        yield browser.new_context(ignore_https_errors=True).new_page()
        browser.close()


def make_images(before: str) -> None:
    """The base images that are not there yet, and the site of both versions."""
    print("base images made:", ", ".join(compose_images.make_bases()) or "none, all are in the cache", flush=True)
    if compose_images.exists(BEFORE) and compose_images.exists(NOW):
        return  # of --keep
    with tempfile.TemporaryDirectory(prefix="before-") as folder:
        archive = subprocess.run(["git", "archive", before], cwd=ROOT, check=True, capture_output=True).stdout
        subprocess.run(["tar", "-x", "-C", folder], input=archive, check=True)
        compose_images.make_site(Path(folder), BEFORE)
    with code_of_tree() as tree:
        compose_images.make_site(tree, NOW)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", metavar="COMMIT", help="the version that is upgraded")
    parser.add_argument("--keep", action="store_true", help="keep the site's images, and take those that were kept")
    parser.add_argument(
        "--forget", action="store_true", help="remove the base images at the end, too, whoever has made them"
    )
    options = parser.parse_args()
    if lack := missing():
        print(lack)
        return 1
    if not options.keep:
        compose_images.forget(BEFORE, NOW)
    try:
        make_images(options.before or version_before())
        with browser_page() as page, stack() as made:
            walk = Walk(made, page)
            try:
                for step in (walk.start, walk.fill, walk.upgrade, walk.kill_each, walk.serve, walk.audit):
                    step()
            finally:
                walk.end()
    finally:
        compose_images.forget(SITE, *([] if options.keep else [BEFORE, NOW]))
        if options.forget:
            compose_images.forget(*compose_images.BASES.values(), compose_images.DEBIAN)
    return 0


if __name__ == "__main__":
    sys.exit(main())
