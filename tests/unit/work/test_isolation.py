"""A horse's reading of the messages of an isolated task that a hostile file has taken over."""

import json
import os
import socket
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from queueing.exceptions import FilesTooLarge, RaisedInside, UnusableInput, VisitorLeft
from queueing.models import Entry
from queueing.states import Status
from queueing.work import inside, isolation, packets
from queueing.work.attempt import Attempt
from queueing.work.isolation import Conversation

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs Linux")


class Talk:
    """The two ends of a conversation; the process behind it does nothing."""

    def __init__(self) -> None:
        self.ours, self.theirs = packets.pair()
        self.process = subprocess.Popen(["sleep", "60"])
        entry = Entry(pk=1, code=uuid.uuid4(), queue="probe", status=Status.RUNNING, attempt=1)
        self.attempt = Attempt(entry)
        self.theirs.settimeout(5)

    def until_the_end(self) -> Any:
        return Conversation(self.attempt, self.ours, self.process.pid).until_the_end()

    def send(self, packet: bytes | dict[str, Any], *descriptors: int) -> None:
        content = packet if isinstance(packet, bytes) else json.dumps(packet).encode()
        socket.send_fds(self.theirs, [content], list(descriptors))

    def answer(self) -> dict[str, Any]:
        found = json.loads(self.theirs.recv(packets.LIMIT))
        assert isinstance(found, dict)
        return found


@pytest.fixture
def talk() -> Iterator[Talk]:
    made = Talk()
    yield made
    made.attempt.delete_files()
    made.process.kill()
    made.process.wait()
    made.ours.close()
    made.theirs.close()


@pytest.fixture
def file() -> Iterator[int]:
    """A descriptor of a file without a name."""
    with tempfile.TemporaryFile(buffering=0) as opened:
        yield opened.fileno()


@pytest.fixture
def pipe() -> Iterator[int]:
    """A descriptor that keeps a reader waiting for ever."""
    reading, writing = os.pipe()
    yield reading
    os.close(reading)
    os.close(writing)


SAVE = {"do": "save", "name": "x.txt", "content_type": "text/plain"}


@pytest.mark.parametrize("packet", [b"{", b"[]", b"[" * 50_000, b"\xff", b'"' + b"x" * packets.LIMIT + b'"'])
def test_what_is_no_message_ends_the_task(talk: Talk, packet: bytes) -> None:
    talk.send(packet)
    with pytest.raises(ValueError):  # noqa: PT011  # one kind of error for all of them
        talk.until_the_end()


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"do": "pickle"},
        {"do": "progress"},
        {"do": "progress", "fraction": "1", "message": ""},
        {"do": "progress", "fraction": 2, "message": ""},
        {"do": "progress", "fraction": float("nan"), "message": ""},
        {"do": "progress", "fraction": 0.5, "message": ["x"]},
        SAVE,  # without a file
    ],
)
def test_a_message_of_another_shape_is_refused(talk: Talk, message: dict[str, Any]) -> None:
    talk.send(message)
    talk.send({"do": "raise", "class": "x"})
    with pytest.raises(RaisedInside):
        talk.until_the_end()
    assert talk.answer()["raised"] == "ValueError"


@pytest.mark.parametrize("change", [{"name": "../x"}, {"name": "a/b"}, {"name": ""}, {"content_type": "a\r\nb: c"}])
def test_a_name_or_type_that_is_not_plain_is_refused(talk: Talk, file: int, change: dict[str, str]) -> None:
    talk.send(SAVE | change, file)
    talk.send({"do": "raise"})
    with pytest.raises(RaisedInside):
        talk.until_the_end()
    assert talk.answer()["raised"] == "ValueError"
    assert talk.attempt.files == []


def test_a_pipe_is_no_file(talk: Talk, pipe: int) -> None:
    talk.send(SAVE, pipe)
    talk.send({"do": "return"}, pipe)
    with pytest.raises(ValueError, match="no ordinary file"):
        talk.until_the_end()
    assert talk.answer()["raised"] == "ValueError"


def test_a_file_of_holes_counts_with_its_whole_size(talk: Talk, file: int) -> None:
    os.ftruncate(file, 2**40)
    talk.send(SAVE, file)
    talk.send({"do": "return"}, file)
    with pytest.raises(ValueError, match="too large"):
        talk.until_the_end()
    assert talk.answer()["raised"] == "FilesTooLarge"


def test_files_that_were_refused_count_too(talk: Talk, file: int, settings: Any) -> None:
    settings.QUEUEING = {"TASK_DISK_BYTES": 1000}
    os.write(file, b"x" * 400)
    for _ in range(3):
        talk.send(SAVE, file)  # twice under one name
    talk.send({"do": "raise"})
    with pytest.raises(RaisedInside):
        talk.until_the_end()
    assert [talk.answer().get("raised") for _ in range(3)] == [None, "ValueError", "FilesTooLarge"]


def test_the_number_of_files_is_bounded(talk: Talk, file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "MOST_FILES", 1)
    talk.send(SAVE, file)
    talk.send(SAVE | {"name": "y.txt"}, file)
    talk.send({"do": "raise"})
    with pytest.raises(RaisedInside):
        talk.until_the_end()
    assert [talk.answer().get("raised") for _ in range(2)] == [None, "FilesTooLarge"]


def test_a_result_is_bounded_and_json(talk: Talk, file: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "LARGEST_RESULT", 10)
    os.write(file, b'{"x": 12345}')
    talk.send({"do": "return"}, file)
    with pytest.raises(ValueError, match="too large"):
        talk.until_the_end()


def test_a_result_that_is_not_json_is_an_error(talk: Talk, file: int) -> None:
    os.write(file, b"cos\nsystem\n")
    talk.send({"do": "return"}, file)
    with pytest.raises(ValueError, match="Expecting value"):
        talk.until_the_end()


def test_nobody_but_the_horse_says_that_the_visitor_has_left(talk: Talk) -> None:
    talk.send({"do": "raise", "kind": "VisitorLeft", "class": "queueing.exceptions.VisitorLeft"})
    with pytest.raises(RaisedInside):
        talk.until_the_end()


def test_the_visitor_has_left_where_the_horse_has_said_so(talk: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
    def leave(*_: object) -> None:
        raise VisitorLeft

    monkeypatch.setattr(Attempt, "report", leave)
    talk.send({"do": "progress", "fraction": 0.5, "message": ""})
    talk.send({"do": "raise", "kind": "VisitorLeft"})
    with pytest.raises(VisitorLeft):
        talk.until_the_end()
    assert talk.answer()["raised"] == "VisitorLeft"


def test_an_exception_has_the_sentence_and_for_staff_class_and_traceback(talk: Talk) -> None:
    talk.send({"do": "raise", "kind": "UnusableInput", "sentence": "No corners.", "traceback": "where it was"})
    with pytest.raises(UnusableInput, match="No corners") as raised:
        talk.until_the_end()
    assert raised.value.__notes__ == ["where it was"]


def test_a_file_that_changes_while_it_is_read_has_its_first_size(file: int) -> None:
    os.write(file, b"12345")
    content = packets.Content(file)
    os.write(file, b"67890")
    assert content.readall() == b"12345"
    content.seek(0)
    os.ftruncate(file, 2)
    assert content.read(2) == b"12"
    with pytest.raises(OSError, match="shorter"):
        content.read(2)


@pytest.mark.parametrize("letter", ["\U0001f600", "\0", "x"])
def test_the_longest_exception_fits_into_a_message(letter: str) -> None:
    told = inside._told(UnusableInput(letter * 10_000))
    assert len(told["sentence"]) == inside.SENTENCE
    assert len(told["traceback"]) == inside.TRACEBACK
    assert len(json.dumps(told)) < packets.LIMIT


def test_too_large_has_its_verdict(talk: Talk) -> None:
    talk.send({"do": "raise", "kind": "FilesTooLarge"})
    with pytest.raises(FilesTooLarge):
        talk.until_the_end()


@pytest.mark.parametrize("sent", [[], [b"{}", b'{"do": "return"}']])
def test_an_end_before_an_answer_was_read_is_an_end(sent: list[bytes]) -> None:
    ours, theirs = packets.pair()
    with ours:
        for packet in sent:
            theirs.send(packet)
        packets.send(ours, {})
        theirs.close()
        for packet in sent:
            with packets.received(ours) as found:
                assert found == (json.loads(packet), None)
        with packets.received(ours) as found:
            assert found is None
