"""Waiting for a storage that is away, and where a wait has its end."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.base import File
from django.db import transaction

from queueing.exceptions import StorageError
from queueing.models import Entry
from queueing.states import Status
from queueing.work import patience
from queueing.work.attempt import Attempt
from tests.support.object_store import ObjectStore

Join = Callable[..., Entry]
pytestmark = pytest.mark.django_db(transaction=True)


class Pipe(io.RawIOBase):
    """A content that can be read once."""

    def __init__(self, content: bytes) -> None:
        self._chunks: Iterator[int] = iter(content)
        self.size = len(content)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any, /) -> int:
        part = bytes(byte for _, byte in zip(range(len(buffer)), self._chunks, strict=False))
        buffer[: len(part)] = part
        return len(part)


@pytest.fixture
def attempt(s3: ObjectStore, join: Join, monkeypatch: pytest.MonkeyPatch) -> Attempt:
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.1)
    entry = join()
    assert entry.start("w")
    return Attempt(entry)


def away(times: int) -> Callable[[], str]:
    """An act that finds the storage away so many times."""
    left = iter(range(times))

    def act() -> str:
        if next(left, None) is not None:
            raise StorageError
        return "done"

    return act


def test_the_page_says_what_the_task_waits_for_and_then_what_it_did_before(attempt: Attempt) -> None:
    attempt.report(0.5, "Page 2 of 4")
    attempt._reported = 0.0  # half a second has passed
    said: list[str] = []

    def act() -> str:
        said.append(Entry.objects.values_list("message", flat=True).get(pk=attempt.entry.pk))
        return waiting()

    waiting = away(2)
    assert patience.while_storage_is_away(attempt, act) == "done"
    assert said == ["Page 2 of 4", patience.SENTENCE, patience.SENTENCE]
    entry = Entry.objects.get(pk=attempt.entry.pk)
    assert (entry.message, entry.progress, entry.status) == ("Page 2 of 4", 0.5, Status.RUNNING)


def test_a_wait_ends_near_the_end_of_the_tasks_time_and_in_a_transaction(attempt: Attempt) -> None:
    with transaction.atomic(), pytest.raises(StorageError):
        patience.while_storage_is_away(attempt, away(1))
    attempt.began -= 31
    with pytest.raises(StorageError):
        patience.while_storage_is_away(attempt, away(1))


def test_a_content_that_can_be_read_once_is_not_stored_by_halves(
    attempt: Attempt, s3: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage: Any = attempt.entry.input.storage
    save = storage._wrapped.save

    def broken_once(name: str, content: Any, **options: Any) -> Any:
        monkeypatch.setattr(storage._wrapped, "save", save)
        content.read(3)
        raise StorageError

    monkeypatch.setattr(storage._wrapped, "save", broken_once)
    with pytest.raises(StorageError):
        attempt.save_file("x.bin", File(Pipe(b"123456")), "text/plain")  # type: ignore[arg-type]
    assert [name for name in s3.names() if name.endswith("x.bin")] == []
    attempt.save_file("x.bin", File(io.BytesIO(b"123456")), "text/plain")
    assert attempt.files[0].file.open().read() == b"123456"
