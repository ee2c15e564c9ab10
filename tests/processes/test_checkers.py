"""Hostile uploads against a real web process: it answers, keeps its memory, and leaves no checker behind."""

import html
import http.client
import os
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest

from queueing.checking.pool import OVER_BUDGET
from tests.support.hostile_files import MIB, PICTURES
from tests.support.posting import Answer, Poster
from tests.support.processes import Processes, is_dead
from tests.support.slow import slow
from tests.support.waiting import wait_for
from tests.support.web import Web

# A busy machine may hold up an answer beside the one file, and none beside the other. A file that silences the process
# does so each time.
ROUNDS = 3
HOSTILE = {
    "a cell that is nearly a time, 22 KB": ("tables", b"1-1-1T" + b"1" * 22_000 + b"!,x\n1,2\n"),
    "the same with 1 MiB": ("tables", b"1-1-1T" + b"1" * (MIB - 100) + b"!,x\n1,2\n"),
    "a picture of 12 million segments": ("documents", PICTURES["jpeg, empty segments"](49 * MIB)),
    "a pattern that holds Python's lock for hours": ("deeds", b"match"),
    "a file that eats memory": ("deeds", b"eat natively"),
}


def site(processes: Processes, **settings: str) -> Web:
    """A web process with the line "deeds", whose checkers misbehave."""
    names = {f"QUEUEING_{name}": value for name, value in settings.items()}
    return Web(processes, DJANGO_SETTINGS_MODULE="tests.support.deed_settings", **names).wait()


def checkers_of(web: Web) -> list[psutil.Process]:
    """The checkers that it has now; threads and children may end meanwhile."""
    found = []
    for children in Path(f"/proc/{web.process.pid}/task").glob("*/children"):
        with suppress(FileNotFoundError):  # a thread that has ended meanwhile
            for child in map(int, children.read_text().split()):
                with suppress(psutil.NoSuchProcess):
                    process = psutil.Process(child)
                    if "queueing.checking.child" in process.cmdline():
                        found.append(process)
    return found


def seconds_to_health(web: Web) -> float:
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=60)
    try:
        connection.request("GET", "/healthz")
        assert connection.getresponse().status == 200
    finally:
        connection.close()
    return time.monotonic() - began


class Watch:
    """Looks at a web process all the time: its memory, its checkers, and the time until it answers."""

    def __init__(self, web: Web) -> None:
        self.web = web
        self.process = psutil.Process(web.process.pid)
        self.slowest, self.most_memory, self.most_checkers = 0.0, 0, 0

    @contextmanager
    def looking(self) -> Iterator[None]:
        over = threading.Event()
        with ThreadPoolExecutor(1) as thread:
            looking = thread.submit(self._look, over)
            try:
                yield
            finally:
                over.set()
            looking.result()

    def _look(self, over: threading.Event) -> None:
        while not over.wait(0.02):
            self.slowest = max(self.slowest, seconds_to_health(self.web))
            self.most_memory = max(self.most_memory, self.process.memory_info().rss)
            self.most_checkers = max(self.most_checkers, len(checkers_of(self.web)))


@pytest.mark.parametrize(("line", "content"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_neither_silences_a_web_process_nor_takes_its_memory(
    line: str, content: bytes, processes: Processes
) -> None:
    """Its memory grows by less than 150 MiB. It answers as with a harmless file of the same size, sent as often."""
    web = site(processes, CHECK_SECONDS="5", MAX_UPLOAD_BYTES=str(60 * MIB))
    seconds_to_health(web)
    before = psutil.Process(web.process.pid).memory_info().rss
    answers: list[Answer] = []
    for _ in range(ROUNDS):
        harmless, hostile = Watch(web), Watch(web)
        poster = Poster(web.port, "deeds")
        with harmless.looking():
            assert {answer.code for answer in send_many(poster, b"fine".ljust(len(content)), 3)} <= {303, 429, 503}
        poster = Poster(web.port, line)
        with hostile.looking():
            answers += send_many(poster, content, 3)
        assert max(harmless.most_memory, hostile.most_memory) - before < 150 * MIB
        assert hostile.most_checkers <= 2
        if is_as_quick := hostile.slowest < 1 + 3 * harmless.slowest:
            break
    assert is_as_quick
    codes = {answer.code for answer in answers}
    assert codes <= {303, 422, 429, 503}, answers
    assert codes & {303, 422}, answers  # at least one was looked into
    if line == "deeds":
        assert {answer.code for answer in answers} <= {422, 503}
        assert any(OVER_BUDGET in html.unescape(answer.text) for answer in answers)


def send_many(poster: Poster, content: bytes, times: int) -> list[Answer]:
    with ThreadPoolExecutor(times) as threads:
        return list(threads.map(lambda _: poster.send(content), range(times)))


def test_many_uploads_at_once_wait_for_few_checkers(processes: Processes) -> None:
    web = site(processes, CHECK_SECONDS="60")
    poster = Poster(web.port, "deeds")
    watch = Watch(web)
    with watch.looking():
        answers = send_many(poster, b"sleep: 0.05", 20)
    assert {answer.code for answer in answers} == {422}
    assert all("sleep: None" in answer.text for answer in answers)
    assert watch.most_checkers == 2


def test_uploads_that_would_wait_for_too_long_are_told_to_come_back(processes: Processes) -> None:
    web = site(processes, CHECK_SECONDS="1")
    poster = Poster(web.port, "deeds")
    poster.send(b"fine")
    answers = send_many(poster, b"sleep: 0.9", 20)
    refused = [answer for answer in answers if answer.code == 503]
    assert {answer.code for answer in answers} <= {422, 503}
    assert 0 < len(refused) < 20
    assert {answer.retry_after for answer in refused} == {"10"}
    assert "Many files are being looked into right now." in refused[0].text
    assert poster.send(b"fine").code == 303


@pytest.mark.parametrize(("end", "seconds"), [(signal.SIGKILL, "120"), *slow((signal.SIGTERM, "20"))])
def test_the_end_of_a_web_process_is_the_end_of_its_checkers(
    end: signal.Signals, seconds: str, processes: Processes
) -> None:
    """One is idle, and one is busy in native code, where it hears of nothing. SIGTERM waits for its budget to end."""
    web = site(processes, CHECK_SECONDS=seconds)
    poster = Poster(web.port, "deeds")
    with ThreadPoolExecutor(2) as threads:
        sent: list[Future[Answer]] = [threads.submit(poster.send, b"match")]
        wait_for(lambda: any(is_busy(checker) for checker in checkers_of(web)), 60)
        assert poster.send(b"fine").code == 303
        checkers = checkers_of(web)
        assert len(checkers) == 2
        os.kill(web.process.pid, end)
        wait_for(lambda: all(map(is_dead, checkers)), 60)
        wait(sent)
    if end == signal.SIGKILL:
        assert sent[0].exception() is not None


def is_busy(checker: psutil.Process) -> bool:
    """True if it has worked for longer than its start takes."""
    return checker.cpu_times().user > 1.5


def test_a_checker_has_no_secret_in_its_environment(processes: Processes) -> None:
    processes.is_forked = False  # a fork shows the environment of its server
    web = site(processes)
    Poster(web.port, "deeds").send(b"fine")
    [checker] = checkers_of(web)
    known = checker.environ()
    secrets = {processes.environment[name] for name in ("SECRET_KEY", "DATABASE_URL", "REDIS_URL")}
    assert secrets <= set(psutil.Process(web.process.pid).environ().values())
    assert not any(secret in value for secret in secrets for value in known.values())
    assert not known.keys() & {"SECRET_KEY", "DATABASE_URL", "REDIS_URL", "METRICS_TOKEN", "MEDIA_ROOT"}
