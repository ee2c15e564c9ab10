"""Budgets of stored bytes and entries, and the floor of the disk."""

import re
import time
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from django.contrib.sessions.models import Session
from django.core.files.base import ContentFile
from django.db import connection
from django.test import Client

from queueing import budget, ending, joining, logs, registry
from queueing.conf import conf
from queueing.exceptions import (
    JoinRefused,
    LineStoresTooMuch,
    LowOnDisk,
    NetworkStoresTooMuch,
    SiteStoresTooMuch,
    StoresTooMuch,
    TooLargeToStore,
)
from queueing.keeper.round import Keeper
from queueing.line import keys
from queueing.models import Entry, EntryFile
from tests.support.files import stored_files
from tests.support.visitors import FORM, Visitor, staff, upload, url
from tests.unit.test_checks import found

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

SIZE = 1000
OTHERS = {"MAX_WAITING_PER_VISITOR": 100}


def send(visitor: uuid.UUID | None = None, address: str = "", queue: str = "probe") -> Entry:
    """Join with a file of SIZE bytes."""
    return joining.join(
        registry.get_task(queue),
        code=uuid.uuid4(),
        owner=joining.Owner(visitor or uuid.uuid4(), None, address),
        upload=ContentFile(b"x" * SIZE, name="a.csv"),
        content_type="text/csv",
        options={},
    )


def bytes_on_disk() -> int:
    return sum(path.stat().st_size for path in stored_files())


ME = uuid.uuid4()

# The setting, its value, the owner of all joins, and the refusal of the fourth join.
BUDGETS: list[tuple[str, int, dict[str, Any], type[JoinRefused], int]] = [
    ("MAX_BYTES_PER_VISITOR", 3 * SIZE, {"visitor": ME}, StoresTooMuch, 429),
    ("MAX_ENTRIES_PER_VISITOR", 3, {"visitor": ME}, StoresTooMuch, 429),
    ("MAX_BYTES_PER_ADDRESS", 3 * SIZE, {"address": "here"}, NetworkStoresTooMuch, 429),
    ("MAX_ENTRIES_PER_ADDRESS", 3, {"address": "here"}, NetworkStoresTooMuch, 429),
    ("MAX_BYTES_PER_LINE", 3 * SIZE, {}, LineStoresTooMuch, 503),
    ("MAX_ENTRIES_PER_LINE", 3, {}, LineStoresTooMuch, 503),
    ("MAX_BYTES", 3 * SIZE, {}, SiteStoresTooMuch, 503),
    ("MAX_ENTRIES", 3, {}, SiteStoresTooMuch, 503),
]


@pytest.mark.parametrize(("name", "value", "owner", "kind", "status"), BUDGETS, ids=[row[0] for row in BUDGETS])
@pytest.mark.parametrize("summed", ["never", "by the keeper"])
def test_a_budget_ends_before_the_next_upload_and_says_whose_it_is(
    name: str, value: int, owner: dict[str, Any], kind: type[JoinRefused], status: int, summed: str, settings: Any
) -> None:
    settings.QUEUEING = OTHERS | {name: value}
    for _ in range(3):
        send(**owner)
        if summed != "never":
            budget.publish_totals()
    before = stored_files()
    with pytest.raises(kind) as refused:
        send(**owner)
    assert (type(refused.value), refused.value.status) == (kind, status)
    assert refused.value.retry_after > 0
    assert stored_files() == before
    assert Entry.objects.count() == 3
    settings.QUEUEING = OTHERS | {name: 0}
    send(**owner)


@pytest.mark.parametrize(
    ("name", "value", "owner", "kind", "status"), BUDGETS[::2], ids=[row[0] for row in BUDGETS[::2]]
)
def test_a_refusal_says_whether_there_would_ever_be_room(
    name: str, value: int, owner: dict[str, Any], kind: type[JoinRefused], status: int, settings: Any
) -> None:
    settings.QUEUEING = OTHERS | {name: SIZE - 1}
    with pytest.raises(TooLargeToStore) as too_large:
        send(**owner)
    assert "larger than what" in str(too_large.value)
    assert "(999 bytes)." in unbroken(str(too_large.value))
    settings.QUEUEING = OTHERS | {name: value - 400}
    send(**owner)
    send(**owner)
    with pytest.raises(kind) as refused:
        send(**owner)
    assert "There is no room for this file beside what" in str(refused.value)
    assert "600 bytes of 2.5 KB are free." in unbroken(str(refused.value))


def test_a_file_above_the_budget_is_told_so_and_not_to_try_again(settings: Any) -> None:
    settings.QUEUEING = {"MAX_BYTES_PER_VISITOR": SIZE - 1}
    visitor = Visitor()
    form = unbroken(visitor.client.get(FORM).content)
    assert 'data-max-bytes="999"' in form
    assert "Up to 999 bytes." in form
    answer = visitor.send(file=upload(b"x" * SIZE))
    assert (answer.status_code, answer.has_header("Retry-After")) == (413, False)
    page = unbroken(answer.content)
    assert "This file is larger than what one visitor may have stored here (999 bytes)." in page
    assert "Choose another file" in page
    assert "ry again" not in page
    assert "Delete" not in page


def unbroken(text: str | bytes) -> str:
    """With plain spaces between numbers and their units."""
    return (text if isinstance(text, str) else text.decode()).replace("\xa0", " ")


def test_each_budget_has_a_sentence_of_its_own() -> None:
    kinds = (StoresTooMuch, NetworkStoresTooMuch, LineStoresTooMuch, SiteStoresTooMuch)
    sentences = {str(kind()) for kind in kinds} | {kind.entries_sentence for kind in kinds}
    assert len(sentences) == 8
    for kind, word in zip(kinds, ("You", "Your network", "line", "site"), strict=True):
        assert word in str(kind())
        assert word in kind.entries_sentence


def test_a_budget_of_one_is_no_concern_of_others(settings: Any) -> None:
    settings.QUEUEING = OTHERS | {"MAX_BYTES_PER_VISITOR": SIZE, "MAX_BYTES_PER_ADDRESS": SIZE}
    send(ME, "here")
    send(uuid.uuid4(), "there")
    send(uuid.uuid4(), "")  # no address is nobody's
    send(uuid.uuid4(), "")


def test_the_budget_of_a_line_leaves_the_other_lines_alone(settings: Any) -> None:
    settings.QUEUEING = {"MAX_BYTES_PER_LINE": SIZE}
    send()
    budget.publish_totals()
    with pytest.raises(LineStoresTooMuch):
        send()
    send(queue="tables")


def test_joins_at_the_same_moment_exceed_a_budget_by_one_upload_each_at_most(settings: Any) -> None:
    settings.QUEUEING = OTHERS | {"MAX_BYTES": 5 * SIZE}
    parallel = 10

    def some(_: int) -> int:
        try:
            return sum(_sent() for _ in range(4))
        finally:
            connection.close()

    with ThreadPoolExecutor(parallel) as pool:
        stored = sum(pool.map(some, range(parallel)))
    assert 5 <= stored <= 5 + parallel
    assert bytes_on_disk_of_entries() == stored * SIZE
    with pytest.raises(SiteStoresTooMuch):
        send()


def _sent() -> bool:
    try:
        send()
    except SiteStoresTooMuch:
        return False
    return True


def bytes_on_disk_of_entries() -> int:
    return sum(entry.input.size for entry in Entry.objects.all())


def test_results_count_with_their_files_and_until_they_are_deleted(settings: Any) -> None:
    settings.QUEUEING = OTHERS | {"MAX_BYTES_PER_VISITOR": 3 * SIZE}
    entry = send(ME)
    assert entry.start("w")
    file = EntryFile(entry=entry, attempt=1, name="a.txt", content_type="text/plain", size=2 * SIZE)
    file.file.save("a.txt", ContentFile(b"y" * 2 * SIZE), save=False)
    assert entry.succeed({}, [file])
    with pytest.raises(StoresTooMuch):
        send(ME)
    assert budget.publish_totals().of("probe") == (3 * SIZE, 1)
    assert ending.erase(Entry.objects.get())
    assert budget.publish_totals().of("probe") == (0, 1)
    send(ME)


def test_the_keeper_sums_the_lines(valkey: redis.Redis) -> None:
    send()
    valkey.delete(keys.STORED)
    Keeper().round()
    assert budget.read_totals() == budget.Totals(Entry.objects.get().pk, {"probe": budget.Used(SIZE, 1)})
    metrics = staff("view").client.get("/metrics").content.decode()
    assert f'queueing_stored_bytes{{line="probe"}} {SIZE}.0' in metrics
    assert 'queueing_stored_entries{line="probe"} 1.0' in metrics
    assert 'queueing_stored_bytes{line="tables"} 0.0' in metrics
    room = re.search(r"^queueing_free_disk_bytes ([\d.e+]+)$", metrics, re.MULTILINE)
    assert room
    assert float(room[1]) > 0


def test_many_rows_behind_the_sums_are_added_by_a_join(valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "MANY", 2)
    budget.publish_totals()
    for _ in range(5):
        send()
    totals = budget.read_totals()
    assert totals is not None
    assert totals.of("probe") == budget.Used(3 * SIZE, 3)
    assert 0 < valkey.ttl(keys.STORED) <= budget.TOTALS_TTL
    assert budget.used(Entry(queue="probe"))[2:4] == (budget.Used(5 * SIZE, 5),) * 2
    assert budget.publish_totals().of("probe") == budget.Used(5 * SIZE, 5)


# The disk


def test_nobody_joins_below_the_floor_of_the_disk(settings: Any) -> None:
    visitor = Visitor()
    entry = visitor.join()
    visitor.client.post(url(entry, "leave/"))
    before = stored_files()
    for name in ("MIN_FREE_DISK", "MIN_FREE_INODES"):
        settings.QUEUEING = {name: 2**62}
        for page in (FORM, url(entry, "again/")):
            answer = visitor.client.post(page, {"file": upload()})
            assert (answer.status_code, answer["Retry-After"]) == (503, "300")
            assert "The storage is full" in answer.content.decode()
        form = visitor.client.get(FORM).content.decode()
        assert "The storage is full" in form
        assert "disabled" in form
        ready = visitor.client.get("/readyz")
        assert (ready.status_code, ready.json()["storage"]) == (503, False)
    assert stored_files() == before
    settings.QUEUEING = {}
    assert visitor.client.get("/readyz").json()["storage"] is True
    assert visitor.client.post(url(entry, "again/")).status_code == 303


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("MIN_FREE_DISK", "are free on the disk of MEDIA_ROOT, and MIN_FREE_DISK keeps 4096\xa0PB"),
        ("MIN_FREE_INODES", f"more files, and MIN_FREE_INODES keeps {2**62}"),
    ],
)
def test_staff_read_which_floor_refuses_the_joins(
    name: str, words: str, settings: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    settings.QUEUEING = {name: 2**62}
    monkeypatch.setattr(budget, "_low_on_disk", logs.Seldom(budget.logger, 60))
    for _ in range(3):
        with pytest.raises(LowOnDisk):
            budget.check(Entry(queue="probe"), 0)
    [line] = caplog.messages
    assert line.startswith("The storage is full: ")
    assert words in line
    assert words in found(deploy=True)["queueing.W141"]
    settings.QUEUEING = {}
    assert "queueing.W141" not in found(deploy=True)


def test_the_floor_counts_the_upload(settings: Any) -> None:
    room = budget.free_room()
    assert room is not None
    settings.QUEUEING = {"MIN_FREE_DISK": room.bytes - 500 * 1024**2}
    assert budget.has_room(1)
    assert not budget.has_room(1000 * 1024**2)
    assert conf.MIN_FREE_DISK > 0


# Over the web, as an attacker does it


def test_joining_again_and_leaving_writes_nothing_more(settings: Any) -> None:
    visitor = Visitor()
    place = url(visitor.join(file=upload(b"x" * SIZE)))
    before = bytes_on_disk()
    for _ in range(20):
        visitor.client.post(f"{place}leave/")
        answer = visitor.client.post(f"{place}again/")
        assert answer.status_code == 303
        place = answer["Location"]
    assert bytes_on_disk() == before
    assert Entry.objects.count() == 21


def test_joining_and_leaving_ends_at_the_budget_and_goes_on_after_a_deletion(settings: Any) -> None:
    settings.QUEUEING = {"MAX_BYTES_PER_VISITOR": 5 * SIZE}
    visitor, before = Visitor(), bytes_on_disk()
    for _ in range(5):
        entry = visitor.join(file=upload(b"x" * SIZE))
        visitor.client.post(url(entry, "leave/"))
    for _ in range(3):
        answer = visitor.send(file=upload(b"x" * SIZE))
        assert answer.status_code == 429
        assert "You have as much stored here" in answer.content.decode()
        assert url(entry) in answer.content.decode()
    assert bytes_on_disk() == before + 5 * SIZE
    visitor.client.post(url(entry, "delete/"))
    visitor.join(file=upload(b"x" * SIZE))


def test_cookies_do_not_reset_the_budget_of_the_address(settings: Any) -> None:
    settings.QUEUEING = {"MAX_BYTES_PER_ADDRESS": 3 * SIZE}
    for _ in range(3):
        Visitor().join(file=upload(b"x" * SIZE))
    answer = Visitor().send(file=upload(b"x" * SIZE))
    assert answer.status_code == 429
    assert "Your network has as much stored here" in answer.content.decode()
    sessions = Session.objects.count()
    for _ in range(5):
        assert Visitor().send(file=upload(b"x" * SIZE)).status_code == 429
    assert Session.objects.count() == sessions  # a refused join leaves none
    elsewhere = Visitor(REMOTE_ADDR="192.0.2.7")
    elsewhere.join(file=upload(b"x" * SIZE))


def test_a_large_form_is_refused_before_it_is_parsed(settings: Any) -> None:
    settings.QUEUEING = {"MAX_BYTES_PER_ADDRESS": SIZE}
    strict = Client(enforce_csrf_checks=True)
    garbage: dict[str, Any] = {"data": b"no form" * 300_000, "content_type": "multipart/form-data; boundary=none"}
    answer = strict.post(FORM, **garbage)
    assert answer.status_code == 413
    assert "larger than what one network may have stored here (1000 bytes)" in unbroken(answer.content)
    assert not hasattr(answer.wsgi_request, "_files")  # a request that has been parsed has them
    settings.QUEUEING = {}
    assert strict.post(FORM, **garbage).status_code == 403
    assert strict.post(FORM, {"file": upload()}).status_code == 403  # the token is asked for all the same


@pytest.mark.parametrize("kept_in_memory", [2_621_440, 10])
def test_the_same_form_sent_twice_is_one_entry_when_the_budget_is_used_up(kept_in_memory: int, settings: Any) -> None:
    settings.QUEUEING = {"MAX_BYTES_PER_VISITOR": SIZE}
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = kept_in_memory  # a larger form is looked at before it is parsed
    visitor, code = Visitor(), uuid.uuid4()
    places = {visitor.send(code=code, file=upload(b"x" * SIZE))["Location"] for _ in range(2)}
    assert places == {url(Entry.objects.get())}


def test_a_join_costs_one_query_more(django_assert_num_queries: Callable[[int], Any]) -> None:
    budget.publish_totals()
    entry = Entry(queue="probe", visitor=ME, address="here")
    with django_assert_num_queries(1):
        budget.check(entry, 1)


# The sums


@pytest.mark.parametrize("value", [
    b"rubbish", b"\xff", b"", b"[]", b"{}", b"[" * 60_000, b'{"last_id": 1, "lines": 1}',
    b'{"last_id": 1, "lines": {"probe": [1]}}', b'{"last_id": 1e999, "lines": {}}', b'{"last_id": "x", "lines": {}}',
])  # fmt: skip
def test_sums_of_no_sense_are_made_again(value: bytes, valkey: redis.Redis) -> None:
    valkey.set(keys.STORED, value)
    entry = send()
    assert budget.read_totals() is not None
    assert budget.used(entry)[3].entries == 1


def test_sums_of_another_type_are_made_again(valkey: redis.Redis) -> None:
    valkey.rpush(keys.STORED, 1)
    send()
    assert valkey.type(keys.STORED) == b"string"


def test_joins_at_the_same_moment_make_the_sums_once(
    valkey: redis.Redis, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    entry, made, publish = send(), [], budget.publish_totals

    def noted() -> budget.Totals:
        made.append(1)
        time.sleep(0.1)
        return publish()

    def ask(_: int) -> int:
        try:
            return budget.used(entry)[3].entries
        finally:
            connection.close()

    monkeypatch.setattr(budget, "publish_totals", noted)
    for name in ("LOOKS", "SUMMING_TTL"):  # however long the sums take on a slow machine
        monkeypatch.setattr(budget, name, 600)
    valkey.delete(keys.STORED)
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(ask, range(4))) == [1] * 4
    assert made == [1]


def test_sums_whose_join_has_died_are_made_by_the_next(valkey: redis.Redis) -> None:
    entry = send()
    valkey.delete(keys.STORED)
    valkey.set(keys.SUMMING, 1, ex=60)
    assert budget.used(entry)[3].entries == 1
