"""The commands of operators."""

import json
import os
import shutil
import signal
import time
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.utils import timezone

from queueing.keeper.purge import FOLDER
from queueing.line import keys, presence
from queueing.line.places import Line
from queueing.line.queue import LineQueue
from queueing.models import Entry, EntryEvent
from queueing.states import Absence, Reason, Status
from tests.support.presence import go
from tests.support.processes import Processes
from tests.support.servers import free_port, start_valkey
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

Join = Callable[..., Entry]
OLD = timedelta(hours=3)


def run(*arguments: str) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().strip()


def folders() -> set[str]:
    return set(default_storage.listdir(FOLDER)[0]) if default_storage.exists(FOLDER) else set()


def ended(entry: Entry, status: Status, ago: timedelta = OLD) -> Entry:
    Entry.objects.filter(pk=entry.pk).update(status=status, finished_at=timezone.now() - ago, slot=None)
    return entry


def age_files(folder: str) -> None:
    """As if written long ago."""
    for path in Path(django_settings.MEDIA_ROOT, FOLDER, folder).rglob("*"):
        os.utime(path, (1, 1))


@pytest.fixture(autouse=True)
def no_folders() -> None:
    """Files outlive the rows of earlier tests."""
    shutil.rmtree(Path(django_settings.MEDIA_ROOT, FOLDER), ignore_errors=True)


# keeper


def test_one_round_says_what_it_moved(join: Join, line: Line) -> None:
    stays, goes = join("stays"), join("goes")
    go(goes)
    words = run("keeper", "--once")
    assert words.startswith("1 held, 0 dropped, 0 claims returned, ")
    assert words.endswith(".")
    assert (line.ids(), line.held_ids()) == ([stays.job_id], [goes.job_id])


def test_the_keeper_ends_when_told(processes: Processes) -> None:
    keeper = processes.keeper()
    began = time.monotonic()
    keeper.send_signal(signal.SIGTERM)
    assert keeper.wait(10) == 0
    assert time.monotonic() - began < 2
    assert "Traceback" not in processes.logs()


def test_the_keeper_survives_a_redis_that_is_away(processes: Processes) -> None:
    port = free_port()
    server = start_valkey(port)
    with closing(redis.Redis(port=port)) as client:
        try:
            keeper = processes.manage("keeper", REDIS_URL=f"redis://127.0.0.1:{port}/0")
            wait_for(lambda: client.exists(keys.KEEPER))
            server.kill()
            server.wait(10)
            wait_for(lambda: "Redis is away" in processes.logs())
            assert keeper.poll() is None
            server = start_valkey(port)  # and empty
            wait_for(lambda: client.exists(keys.KEEPER))
            keeper.send_signal(signal.SIGTERM)
            assert keeper.wait(10) == 0
        finally:
            server.kill()
            server.wait(10)


# purge_stale


@pytest.fixture
def mixed(join: Join, line: Line) -> dict[str, Entry]:
    """Something of every kind: what must go, and what must stay."""
    entries = {
        "succeeded": ended(join(), Status.SUCCEEDED),
        "failed": ended(join(), Status.FAILED),
        "abandoned": ended(join(), Status.ABANDONED),
        "fresh": ended(join(), Status.SUCCEEDED, timedelta(minutes=1)),
        "waiting": join(),
        "running": join(),
        "orphan": join(),
    }
    EntryEvent.objects.create(entry=entries["failed"], kind=EntryEvent.Kind.HELD)
    for name in ("running", "orphan"):
        line.remove(entries[name].job_id)
        line.place(entries[name].job_id, 1, presence=60)
        assert entries[name].start("w")
        line.end_claim("w", entries[name].job_id)
    Entry.objects.filter(pk=entries["orphan"].pk).update(lease_until=timezone.now() - OLD)
    return entries


def test_stale_entries_keys_and_folders_go_and_nothing_else(
    mixed: dict[str, Entry], queue: LineQueue, valkey: redis.Redis
) -> None:
    lost = uuid.uuid4()
    default_storage.save(f"{FOLDER}/{lost}/input/input.csv", ContentFile(b"x"))
    age_files(str(lost))
    newborn = uuid.uuid4()
    default_storage.save(f"{FOLDER}/{newborn}/input/input.csv", ContentFile(b"x"))
    valkey.set(keys.PRESENCE.format(job_id=lost.hex), 1)
    valkey.set(keys.GONE.format(job_id=lost.hex), "1:1:lost")
    queue.job_to_run(lost.hex)  # makes the job that is missing
    foreign = [
        queue.enqueue("tests.support.foreign.note", "x", job_id=name).id for name in ("nightly", uuid.uuid4().hex)
    ]
    presence.beat("probe", foreign, 60)

    rows, names, everything = Entry.objects.count(), folders(), set(valkey.keys())
    promised = run("purge_stale", "--dry-run")
    assert (Entry.objects.count(), folders(), set(valkey.keys())) == (rows, names, everything)
    done = run("purge_stale")
    assert done == promised.replace("Would remove: ", "Removed: ")
    for words in ("1 orphaned entries recovered", "1 succeeded", "1 failed", "1 abandoned", "1 folders without a row"):
        assert words in done

    stay = {mixed[name] for name in ("fresh", "waiting", "running", "orphan")}
    assert set(Entry.objects.all()) == stay
    assert folders() == {str(entry.code) for entry in stay} | {str(newborn)}
    assert not valkey.exists(*(template.format(job_id=lost.hex) for template in (keys.PRESENCE, keys.GONE)))
    jobs = {key.decode().removeprefix("rq:job:") for key in valkey.keys("rq:job:*")}
    assert jobs == {mixed[name].job_id for name in ("waiting", "running", "orphan")} | set(foreign)
    assert {key.decode().removeprefix("presence:") for key in valkey.keys("presence:*")} == jobs
    assert run("purge_stale") == "Removed: 0 orphaned entries recovered, 0 keys without a row, 0 folders without a row."


def test_an_orphan_is_given_back_to_its_place(mixed: dict[str, Entry], line: Line) -> None:
    run("purge_stale")
    orphan = mixed["orphan"]
    orphan.refresh_from_db()
    assert (orphan.status, orphan.reason) == (Status.WAITING, Reason.ORPHANED)
    assert orphan.job_id in line.ids()
    assert mixed["running"].job_id not in line.ids()


def test_the_age_can_be_given(mixed: dict[str, Entry]) -> None:
    assert "succeeded" not in run("purge_stale", "--older-than", "7d")
    assert "1 succeeded entries" in run("purge_stale", "--older-than", "2m")
    assert "1 succeeded entries" in run("purge_stale", "--older-than", "0s")
    assert not Entry.objects.final().exists()


@pytest.mark.parametrize("age", ["soon", "1", "-1h", "1w", "1.5h", "", "999999999999d"])
def test_an_age_that_is_none_is_a_clear_error(age: str) -> None:
    with pytest.raises(CommandError, match="write 90s, 30m, 1h or 7d"):
        run("purge_stale", f"--older-than={age}")


# queue_stats


def test_the_lines_in_words_and_for_machines(join: Join, line: Line) -> None:
    first, _, _ = join(), join(), ended(join(), Status.CANCELLED, timedelta())
    presence.close("probe", first.job_id, Absence.LOST)
    words = run("queue_stats").splitlines()
    assert [sentence.split(":")[0] for sentence in words] == list(django_settings.QUEUEING_TASKS)
    assert words[-1].startswith("probe: 2 present, 1 held, 0 running, 0 workers; oldest wait ")
    assert words[-1].endswith("goodput 0 s, waste 0 s, 1 left before their start.")
    assert "none" in words[0]
    lines: list[dict[str, Any]] = json.loads(run("queue_stats", "--json"))
    assert lines[-1].keys() == {
        *("queue", "present", "held", "running", "wait", "workers", "oldest_wait", "goodput", "waste", "skipped"),
    }
    assert (lines[-1]["present"], lines[-1]["held"], lines[-1]["skipped"]) == (2, 1, 1)


def test_goodput_and_waste_are_told_apart(join: Join) -> None:
    now = timezone.now()
    for seconds, status in (
        (10, Status.SUCCEEDED),
        (20, Status.FAILED),
        (40, Status.ABANDONED),
        (80, Status.CANCELLED),
    ):
        Entry.objects.filter(pk=join().pk).update(
            status=status, attempt=1, last_attempted_at=now - timedelta(seconds=seconds), finished_at=now
        )
    numbers = json.loads(run("queue_stats", "--json"))[-1]
    assert (numbers["goodput"], numbers["waste"], numbers["skipped"]) == (30, 120, 0)
