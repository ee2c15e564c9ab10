"""Joining, and joining again."""

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from queueing import ending, joining, registry, rejoining
from queueing.exceptions import LineClosed, LineFull, TooManyWaiting, UnusableInput
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Status
from tests.support.files import stored_files
from tests.support.levers import set_levers
from tests.support.standing import stand

Join = Callable[..., Entry]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]


def send(content: bytes, *, code: uuid.UUID, visitor: uuid.UUID) -> Entry:
    return joining.join(
        registry.get_task("probe"),
        code=code,
        owner=joining.Owner(visitor),
        upload=ContentFile(content, name="a.csv"),
        content_type="text/csv",
        options={},
    )


def test_joining_stores_the_input_and_leaving_frees_the_place(join: Join, line: Line) -> None:
    entry = join("a")
    with entry.input.open() as stored:
        assert stored.read() == b"input of a"
    ending.leave(entry)
    assert Entry.objects.get().status == Status.CANCELLED
    assert line.count_entries() == 0


def test_the_same_form_sent_twice_is_one_entry(line: Line) -> None:
    code, visitor = uuid.uuid4(), uuid.uuid4()
    first = send(b"same", code=code, visitor=visitor)
    assert send(b"same", code=code, visitor=visitor).pk == first.pk
    assert send(b"else", code=code, visitor=visitor).pk != first.pk  # the form was reused for another file
    assert line.count_entries() == 2


def test_a_foreign_code_is_never_reused() -> None:
    entry = send(b"same", code=uuid.uuid4(), visitor=uuid.uuid4())
    assert send(b"same", code=entry.code, visitor=uuid.uuid4()).code != entry.code


def test_refusals_store_nothing(join: Join, settings: Any) -> None:
    visitor = uuid.uuid4()
    settings.QUEUEING = {"MAX_LINE": 2}
    join(visitor=visitor)
    join(visitor=visitor)
    rows, files = Entry.objects.count(), stored_files()
    with pytest.raises(LineFull):
        join()
    settings.QUEUEING = {}
    with pytest.raises(TooManyWaiting):
        join(visitor=visitor)
    set_levers(state="closed")
    with pytest.raises(LineClosed):
        join()
    assert Entry.objects.count() == rows
    assert stored_files() == files


def test_joining_again_takes_the_same_input_to_the_end_of_the_line(join: Join, line: Line) -> None:
    entry, other = join("again"), join("other")
    ending.leave(entry)
    new = rejoining.join_again(entry, joining.Owner(uuid.uuid4()))
    joining.look(new, 60)
    assert line.ids() == [other.job_id, new.job_id]
    assert new.kwargs == {"label": "again"}
    with new.input.open() as stored:
        assert stored.read() == b"input of again"


def test_joining_again_without_the_input_says_so(join: Join) -> None:
    entry = join()
    ending.leave(entry)
    stored = entry.input
    assert stored.name
    stored.storage.delete(stored.name)
    with pytest.raises(UnusableInput, match="no longer stored"):
        rejoining.join_again(entry, joining.Owner(uuid.uuid4()))


def test_many_joins_at_the_same_moment_do_not_overfill_the_line(line: Line, settings: Any) -> None:
    settings.QUEUEING = {"MAX_LINE": 5}
    with ThreadPoolExecutor(24) as pool:
        joins = [pool.submit(_send_in_thread) for _ in range(24)]
    refusals = [error for join in joins if (error := join.exception())]
    assert {type(error) for error in refusals} == {LineFull}
    assert (len(refusals), Entry.objects.count(), line.length()) == (19, 5, 5)


def test_the_same_form_sent_twice_into_a_line_that_is_full_is_one_entry(settings: Any) -> None:
    settings.QUEUEING = {"MAX_LINE": 1}
    code, visitor = uuid.uuid4(), uuid.uuid4()
    entry = send(b"same", code=code, visitor=visitor)
    assert send(b"same", code=code, visitor=visitor) == entry
    with pytest.raises(LineFull):
        send(b"else", code=code, visitor=visitor)


def test_a_refused_join_leaves_its_place_to_others(line: Line, settings: Any) -> None:
    settings.QUEUEING = {"MAX_LINE": 2, "MAX_WAITING_PER_VISITOR": 1}
    visitor = uuid.uuid4()
    entry = send(b"1", code=uuid.uuid4(), visitor=visitor)
    for _ in range(3):
        with pytest.raises(TooManyWaiting):
            send(b"2", code=uuid.uuid4(), visitor=visitor)
        assert send(b"1", code=entry.code, visitor=visitor) == entry  # the same form again
    assert send(b"3", code=uuid.uuid4(), visitor=uuid.uuid4()).pk


def _send_in_thread() -> Entry:
    try:
        return send(b"x", code=uuid.uuid4(), visitor=uuid.uuid4())
    finally:
        connection.close()


def test_a_form_that_is_sent_again_after_the_end_is_a_new_wish() -> None:
    code, visitor = uuid.uuid4(), uuid.uuid4()
    first = send(b"same", code=code, visitor=visitor)
    ending.leave(first)
    again = send(b"same", code=code, visitor=visitor)
    assert (again.status, again.pk != first.pk) == (Status.WAITING, True)


def test_a_join_that_is_rolled_back_takes_no_place(line: Line) -> None:
    with transaction.atomic():
        send(b"same", code=uuid.uuid4(), visitor=uuid.uuid4())
        transaction.set_rollback(True)
    assert line.count_entries() == 0


def test_an_entry_names_the_first_of_its_successors(join: Join) -> None:
    entry = join()
    ending.leave(entry)
    first = rejoining.join_again(entry, joining.Owner(uuid.uuid4()))
    ending.leave(first)
    rejoining.join_again(entry, joining.Owner(uuid.uuid4()))
    entry.refresh_from_db()
    assert entry.followed_by == first


def test_a_join_costs_the_same_whatever_the_length_of_the_line(join: Join, line: Line) -> None:
    """Two round trips to Redis, and two queries; a first join also makes the sums for the budgets."""
    join(looked=False)
    costs = [cost_of(line, partial(join, looked=False))]
    with line.client.pipeline() as pipe:
        for number in range(2000):
            stand(line, f"{number:032x}", number, presence=60, pipeline=pipe)
        pipe.execute()
    costs.append(cost_of(line, partial(join, looked=False)))
    assert costs == [(2, 2)] * 2


def cost_of(line: Line, act: Callable[[], object]) -> tuple[int, int]:
    """The round trips to Redis, and the queries, without those of savepoints."""
    before = packets(line)
    with CaptureQueriesContext(connection) as queries:
        act()
    trips = packets(line) - before - 1  # this question
    return trips, len([query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]])


def packets(line: Line) -> int:
    """The packets that Redis has read from its clients: each is a command, or a pipeline."""
    return int(line.client.info("stats")["total_reads_processed"])


def test_options_that_the_function_does_not_take_are_refused_at_the_join() -> None:
    """`clean` of a form may add a value, or take one away: a worker would find out when the visitor has waited."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'extra'"):
        joining.join(
            registry.get_task("probe"),
            code=uuid.uuid4(),
            owner=joining.Owner(uuid.uuid4()),
            options={"label": "x", "extra": 1},
        )
    assert not Entry.objects.exists()
