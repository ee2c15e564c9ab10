"""`manage.py purge_stale`."""

import os
import shutil
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
import redis
from django.conf import settings as django_settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError
from django.utils import timezone
from rq.utils import as_text

from queueing.inputs import FOLDER
from queueing.line import keys, presence
from queueing.line.places import Line
from queueing.line.queue import LineQueue
from queueing.models import Entry, EntryEvent
from queueing.states import Reason, Status
from tests.support.commands import run_command
from tests.support.entries import ended
from tests.support.standing import stand

pytestmark = pytest.mark.django_db(transaction=True)

Join = Callable[..., Entry]
OLD = timedelta(hours=3)


def folders() -> set[str]:
    return set(default_storage.listdir(FOLDER)[0]) if default_storage.exists(FOLDER) else set()


def age_files(folder: str) -> None:
    """As if written long ago."""
    for path in Path(django_settings.MEDIA_ROOT, FOLDER, folder).rglob("*"):
        os.utime(path, (1, 1))


@pytest.fixture(autouse=True)
def no_folders() -> None:
    """Files outlive the rows of earlier tests."""
    shutil.rmtree(Path(django_settings.MEDIA_ROOT, FOLDER), ignore_errors=True)


@pytest.fixture
def mixed(join: Join, line: Line) -> dict[str, Entry]:
    """Something of every kind: what must go, and what must stay."""
    entries = {
        "succeeded": ended(join(), Status.SUCCEEDED, OLD),
        "failed": ended(join(), Status.FAILED, OLD),
        "abandoned": ended(join(), Status.ABANDONED, OLD),
        "fresh": ended(join(), Status.SUCCEEDED, timedelta(minutes=1)),
        "waiting": join(),
        "running": join(),
        "orphan": join(),
    }
    EntryEvent.objects.create(entry=entries["failed"], kind=EntryEvent.Kind.HELD)
    for name in ("running", "orphan"):
        line.remove(entries[name].job_id)
        stand(line, entries[name].job_id, 1, presence=60)
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
    promised = run_command("purge_stale", "--dry-run")
    assert (Entry.objects.count(), folders(), set(valkey.keys())) == (rows, names, everything)
    done = run_command("purge_stale")
    assert done == promised.replace("Would recover", "Recovered").replace("would remove", "removed")
    assert done.startswith("Recovered 1 entries of dead workers; removed ")
    for words in ("1 succeeded", "1 failed", "1 abandoned", "1 folders without a row"):
        assert words in done

    stay = {mixed[name] for name in ("fresh", "waiting", "running", "orphan")}
    assert set(Entry.objects.all()) == stay
    assert folders() == {str(entry.code) for entry in stay} | {str(newborn)}
    assert not valkey.exists(*(template.format(job_id=lost.hex) for template in (keys.PRESENCE, keys.GONE)))
    jobs = {as_text(key).removeprefix("rq:job:") for key in valkey.keys("rq:job:*")}
    assert jobs == {mixed[name].job_id for name in ("waiting", "running", "orphan")} | set(foreign)
    assert {as_text(key).removeprefix("presence:") for key in valkey.keys("presence:*")} == jobs
    again = run_command("purge_stale")
    assert again == "Recovered 0 entries of dead workers; removed 0 keys without a row, 0 folders without a row."


def test_an_orphan_is_given_back_to_its_place(mixed: dict[str, Entry], line: Line) -> None:
    run_command("purge_stale")
    orphan = mixed["orphan"]
    orphan.refresh_from_db()
    assert (orphan.status, orphan.reason) == (Status.WAITING, Reason.ORPHANED)
    assert orphan.job_id in line.ids()
    assert mixed["running"].job_id not in line.ids()


def test_the_age_can_be_given(mixed: dict[str, Entry]) -> None:
    assert "succeeded" not in run_command("purge_stale", "--older-than", "7d")
    assert "1 succeeded entries" in run_command("purge_stale", "--older-than", "2m")
    assert "1 succeeded entries" in run_command("purge_stale", "--older-than", "0s")
    assert not Entry.objects.final().exists()


@pytest.mark.parametrize("age", ["soon", "1", "-1h", "1w", "1.5h", "", "999999999999d"])
def test_an_age_that_is_none_is_a_clear_error(age: str) -> None:
    with pytest.raises(CommandError, match="write 90s, 30m, 1h or 7d"):
        run_command("purge_stale", f"--older-than={age}")
