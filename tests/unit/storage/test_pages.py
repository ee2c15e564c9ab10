"""Pages of a site whose inputs and results lie in S3: the same names, types and rights, and no copy of a byte here."""

import logging
import os
import subprocess
import sys
import urllib.error
import urllib.request
import uuid
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from queueing.models import Entry, EntryFile
from queueing.states import Status
from queueing.storage.clients import LOOK, QUICK, TRANSFER
from tests.support import object_store
from tests.support.entries import ended
from tests.support.object_store import ObjectStore
from tests.support.paths import ROOT
from tests.support.visitors import Visitor, staff, upload

pytestmark = pytest.mark.django_db(transaction=True)


def with_result(visitor: Visitor, name: str = "table.csv", content_type: str = "text/csv") -> Entry:
    """An ended entry of this visitor, with one file."""
    entry = visitor.join()
    entry.start("w")
    file = EntryFile(entry=entry, attempt=entry.attempt, name=name, content_type=content_type, size=4)
    file.file.save(name, ContentFile(b"a;b\n"), save=False)
    assert entry.succeed({"rows": 1}, [file])
    return entry


def fetched(address: str, method: str = "GET") -> tuple[Any, bytes]:
    with urllib.request.urlopen(urllib.request.Request(address, method=method), timeout=10) as answer:  # noqa: S310
        return answer.headers, answer.read()


def refused(address: str) -> int:
    with pytest.raises(urllib.error.HTTPError) as error:
        fetched(address)
    error.value.close()
    return error.value.code


def test_an_input_is_an_object_that_nobody_can_read_without_a_signature(s3: ObjectStore) -> None:
    entry = Visitor().join()
    assert s3.names() == [entry.input.name]
    assert (entry.input_name, entry.input_size) == ("a.csv", 8)
    with entry.input.open() as stored:
        assert stored.read() == b"a,b\n1,2\n"
    assert refused(f"http://127.0.0.1:{s3.port}/queue/{entry.input.name}") == 403


@pytest.mark.parametrize(
    ("name", "content_type"), [("table.csv", "text/csv"), ("page.html", "text/html"), ("all.gz", "application/gzip")]
)
def test_a_download_is_a_signed_redirect_with_name_and_type_as_ever(
    s3: ObjectStore, settings: Any, name: str, content_type: str
) -> None:
    visitor = Visitor()
    entry = with_result(visitor, name, content_type)
    answer = visitor.client.get(f"/entry/{entry.code}/files/{name}")
    assert answer.status_code == 302
    assert "no-store" in answer["Cache-Control"]
    headers, content = fetched(answer["Location"])
    assert content == b"a;b\n"
    assert headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert headers["Content-Type"] == content_type
    assert headers["Content-Encoding"] is None
    assert "no-store" in headers["Cache-Control"]
    assert parse_qs(urlsplit(answer["Location"]).query)["X-Amz-Expires"] == ["300"]
    changed = answer["Location"].replace(name, "other.html", 2)
    assert refused(changed) in {403, 404}
    head = visitor.client.head(f"/entry/{entry.code}/files/{name}")
    assert fetched(head["Location"], "HEAD")[0]["Content-Length"] == "4"


def test_the_input_comes_back_under_the_name_that_the_visitor_gave_it(s3: ObjectStore) -> None:
    visitor = Visitor()
    entry = visitor.join(file=upload(name="Größen.csv"))
    headers, content = fetched(visitor.client.get(f"/entry/{entry.code}/input/")["Location"])
    assert content == b"a,b\n1,2\n"
    assert headers["Content-Disposition"] == "attachment; filename*=utf-8''Gr%C3%B6%C3%9Fen.csv"
    assert headers["Content-Type"] == "application/octet-stream"


def test_nobody_else_gets_an_address_and_a_file_that_is_gone_is_a_404(s3: ObjectStore) -> None:
    visitor = Visitor()
    entry = with_result(visitor)
    for path in (f"/entry/{entry.code}/files/table.csv", f"/entry/{entry.code}/input/"):
        assert Visitor().client.get(path).status_code == 404
    s3.empty()
    for path in (f"/entry/{entry.code}/files/table.csv", f"/entry/{entry.code}/input/"):
        assert visitor.client.get(path).status_code == 404


def test_a_look_of_staff_is_logged_before_the_address_is_given(
    s3: ObjectStore, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "queueing.audit")
    entry = with_result(Visitor())
    answer = staff("view", "content").client.get(f"/entry/{entry.code}/files/table.csv")
    assert fetched(answer["Location"])[1] == b"a;b\n"
    assert f"looks at entry {entry.code} (file)" in caplog.text
    assert staff("view").client.get(f"/entry/{entry.code}/files/table.csv").status_code == 404


def test_again_shares_the_object_and_delete_now_deletes_the_last_byte(s3: ObjectStore) -> None:
    visitor = Visitor()
    first = ended(visitor.join(), Status.FAILED, timedelta(0))
    default_storage.save(f"entries/{first.code}/1/left-by-an-attempt.csv", ContentFile(b"x"))
    answer = visitor.client.post(f"/entry/{first.code}/again/")
    second = Entry.objects.get(code=answer["Location"].split("/")[2])
    assert second.input.name == first.input.name
    visitor.client.post(f"/entry/{first.code}/delete/")
    assert s3.names() == [second.input.name]
    ended(second, Status.FAILED, timedelta(0))
    visitor.client.post(f"/entry/{second.code}/delete/")
    assert s3.names() == []


def test_what_lies_in_s3_counts_for_the_budgets(s3: ObjectStore, settings: Any) -> None:
    settings.QUEUEING = {"MAX_BYTES_PER_VISITOR": 30}
    visitor = Visitor()
    entry = with_result(visitor)
    assert Entry.objects.values_list("input_size", "files_size").get(pk=entry.pk) == (8, 4)
    assert visitor.send(file=upload(b"x" * 20)).status_code == 429
    visitor.client.post(f"/entry/{entry.code}/delete/")
    assert visitor.send(file=upload(b"x" * 20)).status_code == 303


@pytest.fixture
def asked(s3: ObjectStore) -> list[str]:
    """The questions that the site has put to the storage, each attempt for itself."""
    found: list[str] = []

    def note(event_name: str, **_: Any) -> None:
        found.append(event_name.rpartition(".")[2])

    for patience in (LOOK, QUICK, TRANSFER):
        client = default_storage._client(patience)  # type: ignore[attr-defined]
        client.meta.events.register("before-send.s3", note)
        assert (client.meta.config.connect_timeout, client.meta.config.read_timeout) == patience[:2]
    return found


def test_a_storage_that_hangs_refuses_a_join_and_the_next_one_before_its_file_has_travelled(
    s3: ObjectStore, asked: list[str]
) -> None:
    visitor, before = Visitor(), Visitor()
    entry = with_result(before)
    default_storage.circuit.PAUSE = 600  # type: ignore[attr-defined]  # on a slow machine, too
    asked.clear()
    s3.hang()
    answer = visitor.send()
    assert (answer.status_code, answer["Retry-After"]) == (503, "10")
    assert "The storage cannot be reached right now" in answer.content.decode()
    assert asked == ["HeadObject"] * QUICK.attempts
    assert sum(QUICK[:2]) * QUICK.attempts < 10
    asked.clear()
    assert visitor.send().status_code == 503
    assert "The storage cannot be reached right now" in visitor.client.get("/join/probe/").content.decode()
    answer = before.client.get(f"/entry/{entry.code}/files/table.csv")
    assert answer.status_code == 503
    assert "The site cannot reach its storage" in answer.content.decode()
    assert asked == []
    assert Entry.objects.count() == 1
    assert visitor.client.get("/readyz").json()["storage"] is False
    assert asked == ["HeadBucket"] * LOOK.attempts
    assert sum(LOOK[:2]) * LOOK.attempts < 1.5
    s3.go_on()
    default_storage.circuit.PAUSE = 0  # type: ignore[attr-defined]
    default_storage.circuit._until = 0  # type: ignore[attr-defined]
    visitor.join()


def test_a_key_that_may_not_write_refuses_a_join_and_stores_nothing(s3: ObjectStore, settings: Any) -> None:
    object_store.use(settings, s3.url(key=object_store.READER, secret=object_store.READERS_SECRET))
    answer = Visitor().send()
    assert answer.status_code == 503
    assert not Entry.objects.exists()
    assert s3.names() == []


def test_two_sends_of_one_form_are_one_entry(s3: ObjectStore) -> None:
    visitor, code = Visitor(), uuid.uuid4()
    assert {visitor.send(code=code)["Location"] for _ in range(2)} == {f"/entry/{code}/"}
    assert len(s3.names()) == 1


def test_pictures_of_results_may_come_from_the_storage(s3: ObjectStore) -> None:
    """The settings put the origin of signed addresses into the policy of every page."""
    script = "from config.settings import SECURE_CSP; print(SECURE_CSP['img-src'][-1])"
    command, environment = [sys.executable, "-c", script], os.environ | {"STORAGE_URL": s3.url()}
    told = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == f"http://127.0.0.1:{s3.port}"
