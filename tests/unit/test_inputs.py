"""An input is stored once, however many entries join again with it, and goes with the last one that names it."""

import os
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
from django.core.files.storage import default_storage
from django.db import connection, transaction
from django.db.models import Sum
from django.db.models.functions import Now

from queueing import ending, inputs, joining, rejoining
from queueing.exceptions import UnusableInput
from queueing.keeper import purge
from queueing.keeper.round import Keeper
from queueing.models import Entry
from queueing.states import Reason, Status
from tests.support.files import stored_files

Join = Callable[..., Entry]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def left(join: Join) -> Entry:
    """An entry whose visitor has left the line."""
    entry = join(visitor=uuid.uuid4())
    ending.leave(entry)
    return entry


def again(entry: Entry) -> Entry:
    return rejoining.join_again(entry, joining.Owner(entry.visitor))


def path_of(entry: Entry) -> Path:
    return Path(entry.input.path)


def is_stored(entry: Entry) -> bool:
    """True if the input that this entry named when it was read is there."""
    return default_storage.exists(str(entry.input.name))


def bytes_counted() -> int:
    return int(Entry.objects.aggregate(sum=Sum("input_size"))["sum"])


def forget_end(*entries: Entry) -> None:
    """As if the time of these inputs were over."""
    Entry.objects.filter(pk__in=[entry.pk for entry in entries]).update(input_until=Now() - timedelta(seconds=1))


def in_threads(*calls: Callable[[], Any]) -> list[Any]:
    """Results or errors of calls that are begun at the same moment."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        try:
            barrier.wait()
            return call()
        except UnusableInput as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def test_joining_again_stores_and_reads_nothing(join: Join) -> None:
    entry = left(join)
    path = path_of(entry)
    path.unlink()
    path.mkdir()  # opening it would raise
    before = stored_files()
    new = again(entry)
    assert (new.input.name, new.input_name, new.input_type) == (entry.input.name, "x.csv", "text/csv")
    assert stored_files() == before
    path.rmdir()


def test_an_input_is_not_given_up_within_a_transaction(join: Join) -> None:
    """Another row that gives it up would not see this one's."""
    entry = left(join)
    with pytest.raises(RuntimeError), transaction.atomic():
        inputs.release([entry.pk])
    with pytest.raises(RuntimeError), transaction.atomic():
        ending.erase(entry)
    assert is_stored(entry)


def test_the_storage_is_asked_without_the_lock_on_the_row(join: Join, monkeypatch: pytest.MonkeyPatch) -> None:
    entry, locked = left(join), []
    exists = default_storage.exists

    def asked(name: str) -> bool:
        locked.append(connection.in_atomic_block)
        return exists(name)

    monkeypatch.setattr(entry.input.storage, "exists", asked)
    assert again(entry).input.name == entry.input.name
    assert locked
    assert not any(locked)


def test_a_shared_input_counts_once_and_goes_with_the_last_row(join: Join) -> None:
    first = left(join)
    size = first.input_size
    second, third = again(first), again(first)
    assert second == third  # pressed twice
    ending.leave(second)
    third = again(second)
    assert bytes_counted() == size > 0
    for entry in (second, first):
        inputs.release([entry.pk])
        assert is_stored(third)
        assert bytes_counted() == size
    ending.leave(third)
    inputs.release([third.pk])
    assert not is_stored(third)
    assert not path_of(first).parent.exists()
    assert bytes_counted() == 0


def test_an_input_goes_minutes_after_the_end_and_not_before(join: Join, settings: Any) -> None:
    first, live = left(join), join()
    assert 590 < (inputs.seconds_left(first) or 0) <= 600
    assert inputs.seconds_left(live) is None
    assert purge.expire_inputs() == 0
    second = again(first)
    forget_end(first, live)
    assert Keeper().round()["inputs deleted"] == 1
    assert is_stored(second)
    assert is_stored(live)
    with pytest.raises(UnusableInput):
        again(first)
    ending.leave(second)
    forget_end(second)
    assert inputs.seconds_left(second) is None
    assert purge.expire_inputs() == 1
    assert not is_stored(second)
    assert {entry.status for entry in (first, second)} == {Status.CANCELLED}


def test_an_input_goes_with_its_row_at_the_latest(join: Join, settings: Any) -> None:
    settings.QUEUEING = {"RESULT_TTL": 20}
    assert (inputs.seconds_left(left(join)) or 0) <= 20


@pytest.mark.parametrize("end", ["succeed", "fail", "abandon", "drop"])
def test_every_end_sets_the_time_of_the_input(join: Join, end: str) -> None:
    entry = join()
    if end == "drop":
        Entry.objects.filter(pk=entry.pk).abandon(Reason.LOST)
    else:
        assert entry.start("w")
        arguments: dict[str, list[Any]] = {"succeed": [{}], "fail": [Reason.ERROR], "abandon": [Reason.LOST]}
        assert getattr(entry, end)(*arguments[end])
    entry = Entry.objects.get()
    assert 590 < (inputs.seconds_left(entry) or 0) <= 600


def test_a_purge_of_the_first_row_leaves_the_shared_input(join: Join) -> None:
    first = left(join)
    (path_of(first).parent / "1").mkdir()
    (path_of(first).parent / "1" / "leftover").write_bytes(b"x")
    second = again(first)
    Entry.objects.filter(pk=first.pk).update(finished_at=Now() - timedelta(hours=2))
    assert purge.purge_entries(timedelta(hours=1)).total() == 1
    assert is_stored(second)
    assert len(list(path_of(second).parent.iterdir())) == 1
    age(path_of(second))
    purge.purge_folders()  # the folder's own row is gone, and another row names what is in it
    assert is_stored(second)
    ending.leave(second)
    inputs.release([second.pk])
    assert not path_of(first).parent.exists()


def age(path: Path) -> None:
    os.utime(path, (1, 1))


def test_two_rows_that_give_up_their_input_at_the_same_moment_delete_it(join: Join) -> None:
    for _ in range(15):
        first = left(join)
        second = again(first)
        ending.leave(second)
        in_threads(*(lambda pk=entry.pk: inputs.release([pk]) for entry in (first, second)))
        assert not is_stored(first)
        assert bytes_counted() == 0


def test_joining_again_while_the_input_goes_yields_the_input_or_a_refusal(join: Join) -> None:
    outcomes = set()
    for number in range(30):
        entry = left(join)
        calls = [lambda entry=entry: again(entry), lambda entry=entry: inputs.release([entry.pk])]
        new, _ = in_threads(*calls) if number % 2 else reversed(in_threads(*reversed(calls)))
        outcomes.add(type(new))
        if isinstance(new, UnusableInput):
            assert not is_stored(entry)
        else:
            assert is_stored(new)
            ending.leave(new)
            inputs.release([new.pk])
            assert not is_stored(entry)
        assert bytes_counted() == 0
    assert outcomes <= {Entry, UnusableInput}


def test_clicks_on_join_again_at_the_same_moment_make_one_entry(join: Join) -> None:
    entry = left(join)
    made = in_threads(*[lambda: again(entry)] * 6)
    assert {new.pk for new in made} == {Entry.objects.live().get().pk}
    assert bytes_counted() == entry.input_size


def test_an_input_that_cannot_be_deleted_keeps_no_other_one(join: Join, caplog: pytest.LogCaptureFixture) -> None:
    entries = [left(join) for _ in range(3)]
    first = path_of(entries[0])
    first.unlink()
    (first / "inside").mkdir(parents=True)  # a folder that is not empty cannot be deleted, even by root
    forget_end(*entries)
    assert purge.expire_inputs() == 3
    assert [path_of(entry).exists() for entry in entries] == [True, False, False]
    assert f"1 files are not deleted, {entries[0].input.name}:" in caplog.text


def test_the_folder_of_an_attempt_goes_with_a_horse_that_was_killed(join: Join) -> None:
    entry = join()
    assert entry.start("w")
    folder = path_of(entry).parent / "1"
    folder.mkdir()
    (folder / "half.txt").write_bytes(b"half")
    inputs.delete_attempt(entry)
    assert not folder.exists()
    assert is_stored(entry)
