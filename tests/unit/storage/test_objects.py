"""The storage of objects behind the pages: streams, folders, the purge, readiness, and its errors."""

import os
import tempfile
import tracemalloc
import uuid
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import psutil
import pytest
from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.core.management import CommandError
from django.utils import timezone

from queueing import deployment, inputs
from queueing.checks import deployed
from queueing.exceptions import StorageError, StorageRefused
from queueing.keeper import purge
from queueing.models import Entry
from queueing.states import Status
from queueing.storage import folders, objects
from queueing.storage.clients import QUICK
from tests.support import object_store
from tests.support.commands import run_command
from tests.support.entries import ended
from tests.support.object_store import ObjectStore
from tests.support.waiting import wait_for

pytestmark = pytest.mark.django_db(transaction=True)

Join = Callable[..., Entry]
storage: Any = default_storage  # which has more than Django's types know
OLD = timedelta(hours=3)
MEGABYTE = 2**20


def test_a_large_file_is_in_memory_in_parts_only_both_ways(s3: ObjectStore) -> None:
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as target:
        source.truncate(64 * MEGABYTE)
        storage.save("entries/warm", ContentFile(b"x"))
        tracemalloc.start()
        name = storage.save("entries/large", File(source))
        with storage.open(name) as stored:
            for chunk in stored.chunks():
                target.write(chunk)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert target.tell() == stored.size == 64 * MEGABYTE
    assert peak < 32 * MEGABYTE, peak


def test_a_forked_child_connects_for_itself(s3: ObjectStore) -> None:
    def ports() -> set[int]:
        connections = psutil.Process().net_connections()
        return {found.laddr.port for found in connections if found.raddr and found.raddr.port == s3.port}

    assert not storage.exists("entries/x")
    known = ports()
    with warnings.catch_warnings(action="ignore"):  # this process has threads
        child = os.fork()
    if child == 0:
        storage.exists("entries/x")
        os._exit(0 if ports() - known else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert not storage.exists("entries/x")
    assert ports() == known


def test_a_name_is_never_used_twice(s3: ObjectStore) -> None:
    first, second = (storage.save("entries/a/x.csv", ContentFile(content)) for content in (b"1", b"2"))
    assert first != second
    assert storage.open(first).read() == b"1"


def test_an_attempt_that_failed_leaves_no_object(s3: ObjectStore, join: Join) -> None:
    entry = join()
    storage.save(f"entries/{entry.code}/1/half.csv", ContentFile(b"x"))
    entry.attempt = 1
    inputs.delete_attempt(entry)
    assert s3.names() == [entry.input.name]


def test_a_purge_deletes_the_objects_of_rows_and_those_without_a_row(
    s3: ObjectStore, join: Join, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh, shared = join(), ended(join(), Status.FAILED, OLD)
    storage.delete(fresh.input.name)
    Entry.objects.filter(pk=fresh.pk).update(input=shared.input.name)
    stale = [ended(join(f"{number}"), Status.SUCCEEDED, OLD) for number in range(3)]
    for entry in stale:
        storage.save(f"entries/{entry.code}/1/result.csv", ContentFile(b"x"))
    lost = f"entries/{uuid.uuid4()}/1/lost.csv"
    storage.save(lost, ContentFile(b"x"))
    assert "1 uploads" not in run_command("purge_stale")
    assert lost in s3.names()  # it may belong to a join that is under way
    monkeypatch.setattr(purge, "NEWBORN", timedelta(0))
    key = {"Bucket": object_store.BUCKET, "Key": "entries/broken-off"}
    s3.client().create_multipart_upload(**key)
    said = run_command("purge_stale")
    assert "1 folders without a row" in said
    assert "1 uploads that were broken off" in said
    assert s3.names() == [shared.input.name]
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=object_store.BUCKET)


@pytest.mark.slow
def test_folders_are_listed_page_by_page(s3: ObjectStore) -> None:
    """A page of S3 has a thousand names."""
    for number in range(1_100):
        s3.client().put_object(Bucket=object_store.BUCKET, Key=f"pages/{number:04}/x", Body=b"")
    assert list(folders.names_in("pages")) == [f"{number:04}" for number in range(1_100)]
    assert len(folders.below("pages")) == 1_100
    folders.delete_tree("pages")
    assert s3.names() == []


def test_a_storage_that_is_away_keeps_rows_and_inputs_until_it_is_back(s3: ObjectStore, join: Join) -> None:
    entry = ended(join(), Status.SUCCEEDED, OLD)
    Entry.objects.filter(pk=entry.pk).update(input_until=timezone.now() - OLD)
    s3.hang()
    assert (purge.expire_inputs(), purge.purge_entries(OLD / 2).total()) == (0, 0)  # asked, and left alone
    s3.go_on()
    storage.circuit.open(StorageError())
    storage.circuit._until += 600  # it is not asked again before this test says so
    assert (purge.expire_inputs(), purge.purge_entries(OLD / 2).total()) == (0, 0)
    with pytest.raises(CommandError, match="storage of objects gave no answer"):
        run_command("purge_stale")
    assert Entry.objects.get(pk=entry.pk).input.name == entry.input.name
    storage.circuit._until = 0.0
    wait_for(lambda: purge.expire_inputs() == 1)
    wait_for(lambda: purge.purge_entries(OLD / 2).total() == 1)
    assert s3.names() == []


AWAY = "queueing.I105"


def look() -> dict[str, str]:
    return {message.id or "": message.msg for message in deployed.check_objects()}


def found_by_checks() -> dict[str, str]:
    """By a check that had an answer: a slow machine may give it later than a check waits."""
    answers: list[dict[str, str]] = wait_for(lambda: [found for found in [look()] if AWAY not in found])
    return answers[0]


def test_a_bucket_that_is_missing_or_refuses_is_one_sentence(s3: ObjectStore, settings: Any) -> None:
    assert found_by_checks() == {}
    assert s3.names() == []
    object_store.use(settings, s3.url(bucket="nowhere"))
    assert "There is no such bucket." in found_by_checks()["queueing.E105"]
    with pytest.raises(StorageRefused):
        deployment.look_at_objects()
    object_store.use(settings, s3.url(key=object_store.READER, secret=object_store.READERS_SECRET))
    assert "AccessDenied" in found_by_checks()["queueing.E105"]
    object_store.use(settings, s3.url(secret="wrong"))
    refused = found_by_checks()["queueing.E105"]
    assert "wrong" not in refused
    object_store.use(settings, s3.url(port=1))
    assert list(look()) == [AWAY]


def test_a_check_that_may_not_list_leaves_no_object(s3: ObjectStore, settings: Any) -> None:
    object_store.use(settings, s3.url(key=object_store.WRITER, secret=object_store.WRITERS_SECRET))
    assert "AccessDenied" in found_by_checks()["queueing.E105"]
    assert s3.names() == []


def test_a_purge_deletes_what_an_interrupted_check_has_left(s3: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    left = storage.save(f"{deployment.TRIALS}/left", ContentFile(b"x"))
    assert "0 objects of interrupted checks" in run_command("purge_stale")
    assert s3.names() == [left]  # its check may be under way
    monkeypatch.setattr(purge, "NEWBORN", timedelta(0))
    assert "1 objects of interrupted checks" in run_command("purge_stale", "--dry-run")
    assert "1 objects of interrupted checks" in run_command("purge_stale")
    assert s3.names() == []


def test_without_a_key_no_address_is_signed(s3: ObjectStore, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    object_store.use(settings, f"s3://127.0.0.1:{s3.port}/queue?tls=0")
    storage.circuit.open(StorageError())
    with pytest.raises(StorageError, match="credentials"):
        storage.signed_url("entries/x", filename="x", content_type="text/csv")
    assert storage.is_away  # to sign is no answer


def test_an_upload_that_ends_during_the_purge_keeps_no_other_one(s3: ObjectStore) -> None:
    """S3 answers 404 to the end of an upload that has ended; this server does so for an id that it never gave."""
    keys = [{"Bucket": object_store.BUCKET, "Key": f"entries/broken-off-{number}"} for number in range(2)]
    uploads = [s3.client().create_multipart_upload(**key)["UploadId"] for key in keys]

    def end_first(params: dict[str, str], **_: Any) -> None:
        if params["Key"] == keys[0]["Key"]:
            s3.client().abort_multipart_upload(**keys[0], UploadId=uploads[0])
            params["UploadId"] = "ended"

    events = storage._client(QUICK).meta.events
    events.register("before-parameter-build.s3.AbortMultipartUpload", end_first)
    assert folders.end_uploads("entries", timedelta(0)) == 2
    assert "Uploads" not in s3.client().list_multipart_uploads(Bucket=object_store.BUCKET)


def test_a_batch_that_is_refused_keeps_no_other_one(s3: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sign that XML does not have makes a call that no server reads."""
    monkeypatch.setattr(objects, "MANY", 1)
    kept = storage.save("entries/kept", ContentFile(b"x"))
    with pytest.raises(StorageError, match="1 files are not deleted, entries/wrong"):
        folders.delete(["entries/wrong\x01", kept])
    assert s3.names() == []


def test_a_bucket_that_keeps_versions_is_told(s3: ObjectStore) -> None:
    states = ["Enabled", "Suspended"]
    for state in states:
        s3.client().put_bucket_versioning(Bucket=object_store.BUCKET, VersioningConfiguration={"Status": state})
        assert list(found_by_checks()) == ["queueing.W105"] * (state == "Enabled")
