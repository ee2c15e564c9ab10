"""Each rule at the end of `make soak` finds the violation that it is about, and nothing where there is none."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.files.base import ContentFile
from django.utils import timezone

from queueing.line.places import Line
from queueing.models import Entry, EntryFile
from queueing.states import Reason, Status
from tests.soak import invariants
from tests.soak.invariants import Evidence, Run
from tests.soak.ledger import End, Ledger, Stay, Window
from tests.soak.site import LATE, SETTINGS
from tests.support.visitors import Visitor, finished

pytestmark = pytest.mark.django_db
AGO = 100.0  # seconds since the join of all entries


class Books:
    """A site in which all went well, to be changed."""

    def __init__(self, join: Callable[..., Entry]) -> None:
        self.join, self.ledger, self.runs = join, Ledger(), list[Run]()
        self.began = time.time() - AGO

    def succeeded(self, label: str, *, at: float = 10.0, way: str = "stays", **changes: Any) -> Stay:
        """An entry that was started so many seconds after its join, and its visitor."""
        stay, entry = self.joined(label, way=way, **changes)
        entry.start("w1")
        file = EntryFile(entry=entry, attempt=1, name="answer.txt", content_type="text/plain", size=2)
        file.file.save("answer.txt", ContentFile(b"x\n"), save=False)
        entry.succeed({"label": label, "attempt": 1}, [file])
        times = {
            name: datetime.fromtimestamp(self.began + at, UTC)
            for name in ("started_at", "last_attempted_at", "finished_at")
        }
        Entry.objects.filter(pk=entry.pk).update(**times)
        self.runs.append(Run(label, 1, self.began + at))
        return stay

    def joined(self, label: str, *, way: str = "stays", **changes: Any) -> tuple[Stay, Entry]:
        """A visitor who waits with an open page."""
        entry = self.join(label)
        times = {"joined_at": self.began, "looked_at": self.began, "heard_at": self.began + 5}
        stay = Stay(label, way, str(entry.code), **times | changes)
        self.ledger.stays.append(stay)
        return stay, entry

    def change(self, stay: Stay, **values: Any) -> None:
        Entry.objects.filter(code=stay.code).update(**values)

    def rules(self) -> list[str]:
        """The rules that are violated."""
        rows = {str(entry.code): entry for entry in Entry.objects.prefetch_related("files")}
        evidence = Evidence(self.ledger.stays, rows, self.runs, self.ledger)
        return [violation.rule for violation in invariants.violations(evidence)]


@pytest.fixture
def books(join: Callable[..., Entry], settings: Any, tmp_path: Path) -> Books:
    settings.MEDIA_ROOT = str(tmp_path)
    return Books(join)


def test_nothing_is_found_where_all_went_well(books: Books) -> None:
    for label, at in (("a", 10.0), ("b", 20.0)):
        books.succeeded(label, at=at)
    stay, entry = books.joined("c", way="says goodbye", gone_at=books.began + 30)
    entry.abandon(Reason.CLOSED)
    assert stay.gone_at
    assert books.rules() == []


def test_an_acknowledged_entry_without_a_row(books: Books) -> None:
    stay = books.succeeded("a")
    stay.code = "another"
    assert "acknowledged" in books.rules()


@pytest.mark.parametrize("is_running", [False, True])
def test_an_acknowledged_entry_that_is_not_final(books: Books, *, is_running: bool) -> None:
    _, entry = books.joined("a")
    if is_running:
        entry.start("w1")
    assert books.rules() == ["final"]


def test_an_end_that_is_not_the_one_that_was_told(books: Books) -> None:
    books.succeeded("a", end="failed")
    assert books.rules() == ["final"]


def test_a_failure_without_a_reason_of_ours(books: Books) -> None:
    _, entry = books.joined("a")
    entry.start("w1")
    entry.fail(Reason.ERROR, traceback="OSError: [Errno 28] No space left on device")
    assert books.rules() == ["acknowledged"]
    books.ledger.faults["the disk of files is full"] += 1
    assert books.rules() == []


@pytest.mark.parametrize("result", [None, {"label": "b", "attempt": 1}, {"label": "a", "attempt": 2}])
def test_a_result_of_another_entry_or_attempt(books: Books, result: Any) -> None:
    books.change(books.succeeded("a"), result=result)
    assert books.rules() == ["one result"]


def test_a_second_file_and_a_result_that_somebody_else_was_given(books: Books) -> None:
    books.succeeded("a", result="b")
    entry = Entry.objects.get()
    EntryFile.objects.create(entry=entry, attempt=2, name="answer.txt", content_type="text/plain", size=2, file="x")
    assert books.rules() == ["one result", "one result"]


def test_two_starts_of_an_attempt(books: Books) -> None:
    books.succeeded("a")
    books.runs.append(books.runs[0])
    assert books.rules() == ["one start"]


def test_a_start_of_an_attempt_that_is_in_no_row(books: Books) -> None:
    books.succeeded("a")
    books.runs.append(Run("a", 2, books.began + 9))
    assert books.rules() == ["one start"]


def test_a_start_after_the_end_was_told(books: Books) -> None:
    books.succeeded("a", end="succeeded", told_at=books.began + 1)
    assert books.rules() == ["one start"]


@pytest.mark.parametrize("late", [LATE / 2, LATE * 2])
def test_a_start_after_an_answered_goodbye(books: Books, late: float) -> None:
    books.succeeded("a", way="says goodbye", gone_at=books.began + 10 - late)
    assert books.rules() == ["absent"] * (late > LATE)


@pytest.mark.parametrize("part", ["redis", "web", "link"])
def test_a_goodbye_counts_only_if_the_site_could_hear_it(books: Books, part: str) -> None:
    books.ledger.windows.append(Window(part, books.began, books.began + 5, books.began + 5))
    books.succeeded("a", way="says goodbye", gone_at=books.began + 6)
    assert books.rules() == []


@pytest.mark.parametrize("troubles", [0, 1])
def test_a_start_for_somebody_who_has_vanished_long_ago(books: Books, troubles: int) -> None:
    presence = max(SETTINGS["PRESENCE_TTL"], SETTINGS["POLL_TTL"])
    books.succeeded("a", at=10 + presence, way="vanishes", troubles=troubles)
    assert books.rules() == ["absent"] * (not troubles)


def test_an_end_after_an_answered_leave(books: Books) -> None:
    stay, entry = books.joined("a", way="leaves", gone_at=books.began + 10)
    entry.cancel()
    assert stay.gone_at
    assert books.rules() == ["acknowledged"]


@pytest.mark.parametrize(
    ("gap", "parts", "is_found"),
    [
        (1.0, [], True),
        (SETTINGS["LOST_GRACE"], [], False),
        (SETTINGS["LOST_GRACE"], ["database"], True),
        (SETTINGS["LOST_GRACE"], ["redis", "link"], False),
    ],
)
def test_somebody_who_was_there_and_was_dropped(books: Books, gap: float, parts: list[str], *, is_found: bool) -> None:
    stay, entry = books.joined("a")
    entry.abandon(Reason.LOST)
    stay.gaps.append((books.began + 1, books.began + 1 + gap))
    for part in parts:
        books.ledger.windows.append(Window(part, books.began, books.began + gap, books.began + gap))
    assert books.rules() == ["dropped"] * is_found


def test_somebody_who_never_looked_is_dropped(books: Books) -> None:
    _, entry = books.joined("a", looked_at=0.0)
    entry.abandon(Reason.UNSEEN)
    assert books.rules() == []


@pytest.mark.parametrize("part", ["", "worker", "clock"])
def test_a_start_before_somebody_who_was_ahead_and_there(books: Books, part: str) -> None:
    books.succeeded("a", at=30)
    books.succeeded("b", at=20)
    if part:
        books.ledger.windows.append(Window(part, books.began, books.began + 50, books.began + 50))
    assert books.rules() == ["order"] * (part != "worker")  # a wrong clock is no excuse


def test_a_start_that_was_noted_with_a_wrong_time(books: Books) -> None:
    books.change(books.succeeded("a"), last_attempted_at=timezone.now() + timedelta(seconds=60))
    assert books.rules() == ["time"]


def test_a_fault_that_did_nothing(books: Books) -> None:
    books.ledger.broken_faults.append((time.time(), "'kill a worker' did nothing"))
    assert books.rules() == ["fault"]


def test_a_fault_that_has_to_happen_and_has_not(books: Books) -> None:
    books.ledger.promised = ["kill a worker", "kill a horse"]
    books.ledger.faults["kill a worker"] += 1
    books.ledger.left_out["kill a horse"] += 1
    assert books.rules() == ["fault"]


def ended(ledger: Ledger, *lives: float) -> None:
    """A worker has ended on its own, after each of these seconds; the next one began 2 s later."""
    at = time.time() - sum(lives) - 2 * len(lives)
    for seconds in lives:
        ledger.ends.append(End("worker 0", at, at + seconds, 1, "Redis does not answer."))
        at += seconds + 2


def test_a_process_that_ends_without_a_fault(books: Books) -> None:
    ended(books.ledger, 60)
    assert books.rules() == ["processes"]
    books.ledger.windows.append(Window("redis", time.time() - 50, time.time() - 40, time.time() - 30))
    assert books.rules() == []


@pytest.mark.parametrize("lives", [(1, 1, 1), (60, 1, 1, 1), (1, 1, 60, 1)])
def test_a_process_that_ends_again_and_again_after_a_fault(books: Books, lives: tuple[float, ...]) -> None:
    ended(books.ledger, *lives)
    first = books.ledger.ends[0].started
    books.ledger.windows.append(Window("redis", first - 9, first - 4, time.time()))  # its traces are there all the time
    assert books.rules() == (["processes"] if lives[-3:] == (1, 1, 1) else [])


def test_a_process_that_ends_again_and_again_while_a_fault_lasts(books: Books) -> None:
    ended(books.ledger, 1, 1, 1)
    books.ledger.windows.append(Window("redis", time.time() - 20, time.time(), time.time()))
    assert books.rules() == []


def test_what_is_left_after_a_purge(books: Books, valkey: redis.Redis) -> None:
    """A row that has not ended, its file, and keys of entries; not a key that runs out."""
    _, entry = books.joined("a")
    valkey.set("soak:mark:before", 1)
    found = [violation.text for violation in invariants.left_behind(valkey)]
    assert "1 rows are left" in found
    assert any(text.startswith("the key ") and entry.job_id in text for text in found)
    assert any(str(settings.MEDIA_ROOT) in text for text in found)
    assert not any("soak" in text for text in found)


def test_a_key_that_has_no_row_after_a_purge(line: Line, valkey: redis.Redis) -> None:
    entry = finished(Visitor())
    line.remove(entry.job_id)
    valkey.zadd("rq:line:probe:held", {entry.job_id: 1})
    assert {found.text for found in invariants.left_behind(valkey)} == {"the key rq:line:probe:held is left"}
    assert not Entry.objects.exists()


def test_nothing_is_left_of_what_has_ended(books: Books, valkey: redis.Redis) -> None:
    books.succeeded("a")
    Entry.objects.filter(status=Status.SUCCEEDED).update(finished_at=timezone.now() - timedelta(seconds=1))
    valkey.delete(*valkey.keys("rq:line:probe*"))  # as a worker and a keeper leave it
    assert list(invariants.left_behind(valkey)) == []
