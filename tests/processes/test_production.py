"""Production without Docker, by the document's own commands and units, in an empty folder. See `tools/walk.py`."""

import json
import os
import re
import shutil
import tempfile
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPResponse
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError

import pytest

from tools import machine_walk
from tools.walk import SERVICES, Walk, blocks, verified

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]

TABLES_AND_FILES = 4  # the block of `migrate` and `collectstatic`


@pytest.fixture
def walk() -> Iterator[Walk]:
    with ExitStack() as stack:
        made = Walk(Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="walk-"))), stack)
        made.copy_code()
        yield made


class Answer(NamedTuple):
    status: int
    location: str
    body: str


class Redirected(urllib.request.HTTPRedirectHandler):
    """Tells of a redirect instead of following it."""

    def redirect_request(self, *_: Any) -> None:
        return None


class Browser:
    """A client behind the proxy: it says https, and has the cookies that a browser would have."""

    def __init__(self, port: int) -> None:
        self.port, self.cookies = port, dict[str, str]()
        self.opener = urllib.request.build_opener(Redirected)

    def open(self, path: str, **form: str) -> Answer:
        headers = {
            "Host": "queue.example",
            "X-Forwarded-Proto": "https",
            "X-Real-IP": "192.0.2.7",
            "Referer": "https://queue.example/",
            "Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items()),
        }
        data = urllib.parse.urlencode(form).encode() if form else None
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)  # our own
        try:
            answer: HTTPResponse | HTTPError = self.opener.open(request, timeout=30)
        except HTTPError as error:
            answer = error
        for cookie in answer.headers.get_all("Set-Cookie", []):
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        with answer:
            return Answer(answer.status or 0, answer.headers.get("Location", ""), answer.read().decode())

    def text(self, path: str) -> str:
        answer = self.open(path)
        assert answer.status == 200, answer.body
        return answer.body


def test_the_steps_of_the_document_make_a_site_that_works(walk: Walk) -> None:
    *steps, question = blocks()
    for commands in steps[:TABLES_AND_FILES]:
        walk.step(commands)
    # Each thing that is missing is said by the check, and by each process at its start.
    said = walk.run("queue-manage check --deploy", check=False).stderr
    assert "Run: queue-manage migrate" in said
    assert "Run: queue-manage collectstatic --noinput" in said
    for commands in steps[TABLES_AND_FILES:]:
        walk.step(commands)
    assert verified(walk) == "" or shutil.which("systemd-analyze") is None
    with walk.running():
        ready = json.loads(walk.wait_until_ready(question))
        assert ready.pop("lines") == {"documents": "open", "tables": "open"}
        assert set(ready.values()) == {True}
        browser = Browser(walk.port)
        page = browser.text("/")
        assert "/static/queueing/favicon." in page
        form = browser.text("/join/tables/")
        (token,) = re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form)
        joined = browser.open("/join/tables/", csrfmiddlewaretoken=token, sample="yes")
        assert joined.status == 303, joined.body
        deadline, state = time.monotonic() + 120, {"status": ""}
        while state["status"] not in {"succeeded", "failed"}:
            assert time.monotonic() < deadline, walk.logs()
            state = json.loads(browser.text(f"{joined.location}status.json"))
            time.sleep(0.3)
        assert state["status"] == "succeeded", walk.logs()
        assert browser.open("/admin/login/").status == 200
    assert "Traceback" not in walk.logs()


@pytest.mark.timeout(1800)
@pytest.mark.skipif("MACHINE_WALK" not in os.environ, reason="MACHINE_WALK=1 walks on a fresh machine with systemd")
def test_the_document_is_walked_word_for_word_on_a_fresh_machine() -> None:
    """With `apt-get`, `useradd` and `systemctl`; as `make walk`."""
    assert machine_walk.missing() == ""
    with machine_walk.booted() as machine:
        ready = json.loads(machine_walk.walk(machine))
        assert {value for name, value in ready.items() if name != "lines"} == {True}
        assert "Traceback" not in machine.journal()


@pytest.mark.parametrize("name", SERVICES)
def test_a_process_of_a_site_that_is_not_ready_ends_with_a_sentence_for_the_journal(walk: Walk, name: str) -> None:
    for commands in [*blocks()[:TABLES_AND_FILES], blocks()[-2]]:  # the environment and the units, without tables
        walk.step(commands)
    process = walk.start(name)
    assert process.wait(60) == 1
    log = (walk.folder / f"{name}.log").read_text()
    assert "Run: queue-manage migrate (queueing.E102)" in log
    assert "Traceback" not in log
