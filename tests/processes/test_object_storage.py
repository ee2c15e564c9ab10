"""Workers of a site whose inputs and results lie in S3, and what an outage of it does to the work."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.core.files.storage import default_storage

from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.testing.presence import stay
from tests.support import object_store
from tests.support.browser.proxy import Proxy
from tests.support.entries import status_of
from tests.support.object_store import ObjectStore
from tests.support.probe import calls, entered, hold
from tests.support.processes import Processes
from tests.support.slow import slow
from tests.support.waiting import wait_for

Join = Callable[..., Entry]
ISOLATED = {"PROBE_ISOLATED": "1", "PROBE_PROCESSES": "0"}


@pytest.fixture
def way(s3: ObjectStore, processes: Processes) -> Iterator[Proxy]:
    """The way from the workers to the storage, which a test can cut."""
    made = Proxy(s3.port)
    port = int(made.url.rpartition(":")[2])
    processes.environment |= {"STORAGE_URL": s3.url(port=port), "MEDIA_ROOT": "/dev/null/media"}
    yield made
    made.stop()


def ended(entry: Entry) -> Entry | None:
    return Entry.objects.final().filter(pk=entry.pk).first()


def message_of(entry: Entry) -> str:
    return Entry.objects.values_list("message", flat=True).get(pk=entry.pk)


def contents(entry: Entry) -> dict[str, bytes]:
    return {file.name: default_storage.open(str(file.file.name)).read() for file in entry.files.all()}


@pytest.mark.parametrize("isolated", [ISOLATED, *slow({})])
def test_a_task_reads_its_input_and_keeps_its_files(
    processes: Processes, join: Join, way: Proxy, isolated: dict[str, str]
) -> None:
    processes.worker(**isolated)
    entry = join("good", end="work")
    stay(entry)
    done: Entry = wait_for(lambda: ended(entry))
    assert done.status == Status.SUCCEEDED, done.traceback
    content = b"input of good"
    assert contents(done) == {"copy.csv": content, "size.txt": b"13", "answer.txt": b"good\n"}
    assert done.files_size == len(content) + 2 + 5


@pytest.mark.parametrize("fault", ["refuse", *slow("sever")])
def test_a_storage_that_is_away_keeps_the_task_waiting_and_then_it_goes_on(
    processes: Processes, join: Join, way: Proxy, fault: str
) -> None:
    processes.worker(LOG_LEVEL="DEBUG")
    entry, held = join("early", end="work"), hold("early")
    stay(entry)
    wait_for(lambda: entered("early"))
    getattr(way, fault)()  # before the input is asked for
    held.unlink()
    wait_for(lambda: message_of(entry).startswith("Waiting for the storage"))
    assert status_of(entry) == Status.RUNNING
    way.mend()
    done: Entry = wait_for(lambda: ended(entry), 60)
    assert (done.status, done.attempt) == (Status.SUCCEEDED, 1), done.traceback
    assert contents(done)["copy.csv"] == b"input of early"
    assert calls() == ["early"]
    assert "waits for the storage" in processes.logs()
    assert object_store.SECRET not in processes.logs()


@pytest.mark.parametrize("fault", ["refuse", *slow("sever")])
def test_a_result_is_worth_the_wait_for_a_storage_that_is_away(
    processes: Processes, join: Join, way: Proxy, fault: str
) -> None:
    processes.worker(**ISOLATED)
    entry, held = join("done"), hold("done")
    stay(entry)
    wait_for(lambda: entered("done"))
    getattr(way, fault)()  # after the input was read
    held.unlink()
    wait_for(lambda: message_of(entry).startswith("Waiting for the storage"))
    way.mend()
    done: Entry = wait_for(lambda: ended(entry), 60)
    assert (done.status, done.attempt) == (Status.SUCCEEDED, 1), done.traceback
    assert contents(done) == {"answer.txt": b"done\n"}


@pytest.mark.slow
@pytest.mark.parametrize(("isolated", "at_input"), [(ISOLATED, True), (ISOLATED, False), ({}, False)])
def test_an_outage_longer_than_the_task_may_run_puts_the_entry_off_and_blames_nobody(
    processes: Processes, join: Join, way: Proxy, isolated: dict[str, str], at_input: bool
) -> None:
    processes.keeper()
    processes.worker(PROBE_TIMEOUT="31", **isolated)
    held = hold("late")
    if at_input:
        way.refuse()
    entry = join("late", end="work")
    stay(entry)
    if not at_input:  # the input of an isolated task is there before the task is entered
        wait_for(lambda: entered("late"))
        way.refuse()
    held.unlink()
    put_off: Entry = wait_for(lambda: Entry.objects.filter(pk=entry.pk, not_before__isnull=False).first(), 60)
    assert (put_off.status, put_off.place, put_off.reason) == (Status.WAITING, entry.place, Reason.NONE)
    way.mend()
    Entry.objects.filter(pk=entry.pk).update(not_before=entry.joined_at)
    stay(entry)
    done: Entry = wait_for(lambda: ended(entry), 60)
    assert done.status == Status.SUCCEEDED, done.traceback


@pytest.mark.slow
def test_a_visitor_who_leaves_ends_the_wait(processes: Processes, join: Join, way: Proxy) -> None:
    processes.worker()
    way.sever()
    entry = join("gone", end="work")
    stay(entry)
    wait_for(lambda: message_of(entry).startswith("Waiting for the storage"))
    entry.refresh_from_db()
    assert entry.cancel(Reason.LEFT)
    worker_is_free = join("next")
    way.mend()
    stay(worker_is_free)
    wait_for(lambda: status_of(worker_is_free) == Status.SUCCEEDED, 60)
    assert not entry.files.exists()


@pytest.mark.slow
def test_an_input_that_is_gone_is_said_to_be(processes: Processes, join: Join, way: Proxy, s3: ObjectStore) -> None:
    entry = join("lost", end="work")
    s3.empty()
    processes.worker()
    stay(entry)
    done: Entry = wait_for(lambda: ended(entry))
    assert (done.reason, done.message) == (Reason.UNUSABLE, "The file that was handed in is no longer stored.")


def test_an_isolated_task_has_no_key_of_the_storage(
    processes: Processes, join: Join, way: Proxy, s3: ObjectStore
) -> None:
    processes.worker(**ISOLATED)
    entry = join("spy", deeds=["peers", "storage"])
    stay(entry)
    found: Any = wait_for(lambda: ended(entry)).result
    assert found["storage"] == "{}"
    assert "STORAGE_URL" in found["peers"]
    for secret in (object_store.SECRET, object_store.KEY):
        assert secret not in str(found)
