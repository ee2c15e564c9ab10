"""The places of one address in a line: a flood is behind the others, and a school is not."""

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis
from django.core.files.base import ContentFile
from django.db import connection
from django.test.utils import CaptureQueriesContext

from queueing import admission, budget, facts, joining, registry, rejoining
from queueing.eta import Wait
from queueing.exceptions import TooManyFromNetwork
from queueing.facts import Facts
from queueing.keeper.reconcile import restore
from queueing.keeper.survey import write
from queueing.line.places import Line
from queueing.models import Entry
from queueing.web import sentences, snapshot

Join = Callable[..., Entry]
pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

FLOOD, SCHOOL = "f" * 16, "5" * 16
# The joins themselves are not what is tried; and nobody's presence ends before the last of them on a slow machine.
OPEN = {"ADDRESS_BURST": 10_000, "ADDRESS_UNSEEN": 10_000, "PRESENCE_TTL": 600}


def claimed(line: Line) -> Iterator[str]:
    """The ids in the order in which a worker gets them."""
    number = 0
    while job_id := line.claim(f"w{number}").job_id:
        yield job_id
        number += 1


def addresses() -> Iterator[str]:
    number = 0
    while True:
        number += 1
        yield f"{number:016}"


def test_a_flood_from_one_address_is_behind_everybody_else(join: Join, line: Line, settings: Any) -> None:
    """300 joins with open pages, and 20 visitors of other addresses who come meanwhile and after."""
    settings.QUEUEING = OPEN
    homes, honest, flood = addresses(), list[Entry](), list[Entry]()
    for number in range(300):
        flood.append(join(address=FLOOD))
        if number % 20 == 19:
            honest.append(join(address=next(homes)))
    honest += [join(address=next(homes)) for _ in range(5)]
    order = list(claimed(line))
    assert len(order) == 320
    assert [entry.behind for entry in flood] == [False] * 30 + [True] * 270
    in_order = [entry.job_id for entry in Entry.objects.filter(behind=False).order_by("id")]
    assert order[:50] == in_order
    assert {entry.job_id for entry in honest} <= set(order[:50])
    assert order[50:] == [entry.job_id for entry in flood[30:]]


def test_nobodys_place_moves_when_more_of_the_flood_come(join: Join, line: Line, settings: Any) -> None:
    settings.QUEUEING = OPEN | {"ADDRESS_IN_ORDER": 3}
    first = [join(address=FLOOD) for _ in range(5)]
    visitor = join(address=SCHOOL)
    before = line.ids()
    assert before == [entry.job_id for entry in (*first[:3], visitor, *first[3:])]
    more = [join(address=FLOOD) for _ in range(5)]
    assert line.ids() == [*before, *(entry.job_id for entry in more)]


def test_a_school_behind_one_address_keeps_its_order_in_a_crowded_line(join: Join, line: Line) -> None:
    """As shipped."""
    homes = addresses()
    others = [join(address=next(homes)) for _ in range(50)]
    school = [join(address=SCHOOL) for _ in range(30)]
    last = join(address=next(homes))
    assert line.ids() == [entry.job_id for entry in (*others, *school, last)]


def test_places_that_have_ended_make_room_and_none_overtakes_an_earlier_one(
    join: Join, line: Line, settings: Any
) -> None:
    """All places of the address count, so a new one is not ahead of those that are behind."""
    settings.QUEUEING = OPEN | {"ADDRESS_IN_ORDER": 2}
    entries = [join(address=FLOOD) for _ in range(3)]
    join(address=SCHOOL)
    assert [entry.behind for entry in entries] == [False, False, True]
    entries[0].cancel()
    entries.append(join(address=FLOOD))
    assert entries[-1].behind
    for entry in entries[1:3]:
        entry.cancel()
    assert not join(address=FLOOD).behind


def test_joins_at_the_same_moment_are_not_all_in_order(line: Line, settings: Any) -> None:
    settings.QUEUEING = OPEN | {"ADDRESS_IN_ORDER": 5}
    for address in ("1" * 16, "2" * 16, "3" * 16):
        send(address)
        send(address)
    with ThreadPoolExecutor(24) as pool:
        list(pool.map(lambda _: send_in_thread(FLOOD), range(24)))
    rows = Entry.objects.filter(address=FLOOD)
    assert rows.count() == 24
    assert 1 <= rows.filter(behind=False).count() <= 5


def test_one_address_never_has_more_than_its_share_of_the_line(line: Line, settings: Any) -> None:
    settings.QUEUEING = OPEN | {"MAX_LINE": 40, "ADDRESS_IN_ORDER": 4, "ADDRESS_SHARE": 0.25}
    for number in range(8):
        send(f"{number:016}")
    with ThreadPoolExecutor(24) as pool:
        taken = list(pool.map(lambda _: send_in_thread(FLOOD), range(24)))
    assert taken.count(True) <= 10
    while sum(taken) < 10:
        taken.append(send_in_thread(FLOOD))
    with pytest.raises(TooManyFromNetwork):
        admission.check_line("probe", FLOOD)
    with pytest.raises(TooManyFromNetwork):
        send(FLOOD)
    assert (Entry.objects.filter(address=FLOOD).count(), line.client.zcard(line.keys.reserved)) == (10, 0)
    send(SCHOOL)


def test_one_address_cannot_fill_a_short_line(settings: Any) -> None:
    """As shipped, but for a line that is shorter than the places that an address has in order."""
    settings.QUEUEING = {"MAX_LINE": 30}
    taken = [is_taken(FLOOD) for _ in range(40)]
    assert taken == [True] * 15 + [False] * 25
    send(SCHOOL)


def test_a_quiet_line_asks_the_database_nothing_more(join: Join) -> None:
    """As shipped, up to the 30 places of one address: one question tells the budgets, and the visitor's places."""
    budget.publish_totals()
    for number in range(30):
        with CaptureQueriesContext(connection) as queries:
            join(address=f"{number % 2:016}", looked=False)
        assert sum("SELECT" in query["sql"] for query in queries.captured_queries) == 1


def test_a_place_of_a_crowded_address_comes_back_as_it_was(
    join: Join, line: Line, valkey: redis.Redis, settings: Any
) -> None:
    settings.QUEUEING = OPEN | {"ADDRESS_IN_ORDER": 2}
    for _ in range(4):
        join(address=FLOOD)
    join(address=SCHOOL)
    before = line.ids()
    valkey.flushall()
    restore(line, before[::-1])
    assert line.ids() == before
    assert join(address=FLOOD).behind  # the rows are counted, not Redis


def test_a_place_that_our_machines_lost_stays_in_order_and_behind_stays_behind(
    join: Join, line: Line, settings: Any
) -> None:
    settings.QUEUEING = OPEN | {"ADDRESS_IN_ORDER": 2}
    entries = [join(address=FLOOD) for _ in range(4)]
    join(address=SCHOOL)
    order = line.ids()
    for entry in (entries[0], entries[3]):
        Entry.objects.filter(pk=entry.pk).update(status="failed", reason="orphaned", slot=None)
        line.remove(entry.job_id)
        entry.refresh_from_db()
        new = rejoining.join_again(entry, joining.Owner(uuid.uuid4(), address=FLOOD))
        joining.look(new, 60)
        order[order.index(entry.job_id)] = new.job_id
        assert (new.score, new.behind) == (entry.score, entry.behind)
    assert line.ids() == order


# The numbers that are shown


def test_a_page_says_why_it_is_behind_and_promises_no_wait(join: Join, settings: Any) -> None:
    settings.QUEUEING = OPEN | {"ADDRESS_IN_ORDER": 2}
    first, _, behind = (join(address=FLOOD) for _ in range(3))
    write("probe", Facts(workers=1, busy=1, waits=((0, 1.0, 2.0), (50, 60.0, 90.0))))
    now = snapshot.read(behind)
    assert (now.position, now.ahead, now.eta_seconds) == (3, 2, None)
    assert sentences.BEHIND in now.detail
    assert now.wait == sentences.BEHIND_WAIT
    join(address=SCHOOL)
    assert snapshot.read(behind).position == 4
    assert snapshot.read(first).eta_seconds is not None
    assert sentences.BEHIND not in snapshot.read(first).detail


def test_the_wait_of_a_newcomer_leaves_out_those_who_are_behind(join: Join, settings: Any) -> None:
    settings.QUEUEING = OPEN | {"ADDRESS_IN_ORDER": 2}
    for _ in range(6):
        join(address=FLOOD)
    write("probe", Facts(workers=1, busy=1, waits=((0, 0.0, 0.0), (100, 100.0, 200.0))))
    now = facts.line_now("probe")
    assert (now.present, now.wait) == (6, Wait(2.0, 4.0))


def send(address: str) -> Entry:
    return joining.join(
        registry.get_task("probe"),
        code=uuid.uuid4(),
        owner=joining.Owner(uuid.uuid4(), address=address),
        upload=ContentFile(b"x", name="a.csv"),
        content_type="text/csv",
        options={},
    )


def is_taken(address: str) -> bool:
    try:
        send(address)
    except TooManyFromNetwork:
        return False
    return True


def send_in_thread(address: str) -> bool:
    """True if the join was taken."""
    try:
        return is_taken(address)
    finally:
        connection.close()
