"""The limits of a join that Redis counts: the length of the line, and the joins and unseen places of one address."""

import secrets
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import redis

from queueing.line import keys, presence
from queueing.line.places import Line, get_line
from queueing.line.reserving import Reservation
from queueing.states import Absence, LineState
from tests.support.epochs import open_lines
from tests.support.levers import set_levers
from tests.support.standing import stand

HERE, THERE = "a" * 16, "b" * 16


def ask(line: Line, address: str = HERE) -> Reservation:
    return line.reserve(uuid.uuid4().hex, address)


def refusals(line: Line, address: str, times: int) -> list[str]:
    return [ask(line, address).refusal for _ in range(times)]


def pass_time(valkey: redis.Redis, address: str, seconds: float) -> None:
    """Let the address have joined that much earlier."""
    key = keys.on_time_key(address)
    valkey.set(key, float(valkey.get(key) or 0) - 1000 * seconds, px=600_000)


# Joins of an address


def test_an_address_joins_in_a_burst_and_then_at_a_rate(line: Line, valkey: redis.Redis, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 3, "ADDRESS_RATE": 0.6}
    assert refusals(line, HERE, 4) == ["", "", "", "joins"]
    assert refusals(line, THERE, 3) == ["", "", ""]
    pass_time(valkey, HERE, 100)
    assert refusals(line, HERE, 2) == ["", "joins"]


def test_the_time_after_which_a_join_is_taken_is_true(line: Line, valkey: redis.Redis, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 2, "ADDRESS_RATE": 0.6}
    refusals(line, HERE, 2)
    seconds = ask(line).seconds
    assert 80 < seconds <= 100
    pass_time(valkey, HERE, seconds - 20)
    assert ask(line).refusal == "joins"
    pass_time(valkey, HERE, 20)
    assert ask(line).refusal == ""


def test_a_refused_join_costs_the_address_nothing(line: Line, valkey: redis.Redis, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 1, "ADDRESS_RATE": 0.6}
    refusals(line, HERE, 10)
    pass_time(valkey, HERE, 100)
    assert ask(line).refusal == ""
    assert valkey.zcard(line.keys.reserved) == 2


def test_the_joins_of_an_address_count_over_all_lines(line: Line, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 2, "ADDRESS_RATE": 0.6}
    assert [ask(line).refusal, ask(get_line("documents")).refusal, ask(line).refusal] == ["", "", "joins"]


def test_a_visitor_without_an_address_has_no_limits_by_address(line: Line, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 1, "ADDRESS_UNSEEN": 1}
    assert refusals(line, "", 5) == [""] * 5


def test_a_clock_of_redis_that_is_put_back_locks_nobody_out_for_long(
    line: Line, valkey: redis.Redis, settings: Any
) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 2, "ADDRESS_RATE": 6}
    ask(line)
    pass_time(valkey, HERE, -1_000_000)
    assert ask(line).seconds <= 10


def test_a_school_joins_at_the_same_moment(line: Line) -> None:
    """As shipped: thirty visitors behind one address."""
    with ThreadPoolExecutor(15) as pool:
        assert set(pool.map(lambda _: ask(line).refusal, range(30))) == {""}


# Places whose page nobody looked at


def test_places_without_a_look_are_few_and_a_look_makes_room(line: Line, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_UNSEEN": 3}
    ids = [uuid.uuid4().hex for _ in range(3)]
    for number, job_id in enumerate(ids):
        assert line.reserve(job_id, HERE).refusal == ""
        line.place(job_id, number, address=HERE)
    refused = ask(line)
    assert (refused.refusal, 0 < refused.seconds <= 10) == ("unseen", True)
    assert ask(line, THERE).refusal == ""
    presence.beat("probe", [ids[0]], 10)
    assert refusals(line, HERE, 2) == ["", "unseen"]


def test_a_limit_that_is_lifted_stays_lifted(line: Line, valkey: redis.Redis, settings: Any) -> None:
    """More places than one command of a script takes."""
    settings.QUEUEING = {"ADDRESS_UNSEEN": 1_000_000, "MAX_LINE": 1_000_000}
    for key in (line.keys.unseen, keys.from_key("probe", HERE)):
        valkey.zadd(key, {str(number): number for number in range(20_000)})
    assert ask(line).refusal == ""
    valkey.delete(line.keys.unseen)
    assert ask(line).refusal == ""
    assert valkey.zcard(keys.from_key("probe", HERE)) == 2


def test_a_join_that_was_not_stored_makes_room(line: Line, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_UNSEEN": 1}
    reservation = line.reserve("1", HERE)
    assert ask(line).refusal == "unseen"
    line.cancel_reservation("1", reservation.token)
    assert ask(line).refusal == ""


def test_joins_at_the_same_moment_are_never_more_than_allowed(line: Line, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_UNSEEN": 5}
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: ask(line).refusal, range(24)))
    assert (answers.count(""), answers.count("unseen")) == (5, 19)
    settings.QUEUEING = {"ADDRESS_BURST": 7, "ADDRESS_RATE": 0.1}
    with ThreadPoolExecutor(24) as pool:
        answers = list(pool.map(lambda _: ask(line, THERE).refusal, range(24)))
    assert (answers.count(""), answers.count("joins")) == (7, 17)


def test_places_that_come_back_after_a_flush_count_again(line: Line, valkey: redis.Redis, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_UNSEEN": 1}
    ask(line)
    valkey.flushall()
    open_lines(valkey)
    line.place("1", 1, address=HERE)  # the keeper, from the row
    assert ask(line).refusal == "unseen"


# The levers of the line


@pytest.mark.django_db(transaction=True)
def test_a_line_that_is_closed_reserves_nothing_also_after_a_flush(line: Line, valkey: redis.Redis) -> None:
    set_levers(state=LineState.CLOSED, sentence="Until Monday.")
    for _ in range(2):
        found = ask(line)
        assert (found.refusal, found.levers.sentence) == ("closed", "Until Monday.")
        assert not valkey.exists(line.keys.reserved)
        valkey.flushall()


@pytest.mark.django_db(transaction=True)
def test_the_limit_of_the_row_comes_before_the_setting_also_after_a_flush(line: Line, valkey: redis.Redis) -> None:
    set_levers(max_line=2)
    for _ in range(2):
        assert refusals(line, HERE, 3) == ["", "", "full"]
        valkey.flushall()


# The length of the line


def test_held_places_weigh_less_than_present_ones(line: Line, settings: Any) -> None:
    settings.QUEUEING = {"MAX_LINE": 3, "HELD_WEIGHT": 0.25}
    for number in range(8):
        stand(line, str(number), number, presence=60)
        presence.close("probe", str(number), Absence.LOST)
    assert line.length() == 2
    assert refusals(line, HERE, 2) == ["", "full"]
    presence.beat("probe", ["0"], 60)
    assert line.length() == 3


def test_a_look_says_what_a_join_would_be_told_and_changes_nothing(
    line: Line, valkey: redis.Redis, settings: Any
) -> None:
    for limit in ({"MAX_LINE": 2}, {"ADDRESS_BURST": 2}, {"ADDRESS_UNSEEN": 2}):
        valkey.flushall()
        open_lines(valkey)
        settings.QUEUEING = {"ADDRESS_RATE": 0.6} | limit
        for expected in ("", ""):
            before = valkey.keys()
            assert [line.reserve("", HERE).refusal for _ in range(5)] == [expected] * 5
            assert set(valkey.keys()) - set(before) <= {keys.WRITABLE.encode()}
            assert ask(line).refusal == expected
        assert line.reserve("", HERE).refusal == ask(line).refusal != ""


# What another program has written


@pytest.mark.parametrize("value", ["rubbish", "nan", "inf", "-1", "", "9" * 400, "1e300"])
def test_a_time_of_no_sense_locks_no_address_out(value: str, line: Line, valkey: redis.Redis, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 2, "ADDRESS_RATE": 0.6}
    valkey.set(keys.on_time_key(HERE), value)
    assert ask(line).seconds <= 200
    pass_time(valkey, HERE, 1000)
    assert refusals(line, HERE, 3) == ["", "", "joins"]


@pytest.mark.parametrize("key", [keys.on_time_key(HERE), keys.from_key("probe", HERE)])
def test_a_key_of_another_type_locks_no_address_out(key: str, line: Line, valkey: redis.Redis, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 2, "ADDRESS_RATE": 0.6}
    valkey.rpush(key, "rubbish")
    assert refusals(line, HERE, 3) == ["", "", "joins"]


def test_joins_are_counted_in_place_of_what_is_no_number(line: Line, valkey: redis.Redis, settings: Any) -> None:
    settings.QUEUEING = {"BRAKE": "auto", "BRAKE_JOINS": 5}
    key = keys.joins_key("probe")
    for write in (lambda: valkey.set(key, "rubbish"), lambda: valkey.rpush(key, 1), lambda: valkey.set(key, "9" * 30)):
        valkey.delete(key)
        write()
        assert [ask(line).joins, ask(line).joins] == [1, 2]
        assert 0 < valkey.pttl(key) <= 60_000
    valkey.persist(key)
    assert ask(line).joins == 3
    assert 0 < valkey.pttl(key) <= 60_000


def test_unseen_places_are_counted_for_longer_than_they_live(line: Line, valkey: redis.Redis, settings: Any) -> None:
    settings.QUEUEING = {"CLOSE_GRACE": 1000, "LOST_GRACE": 2000, "KEEP_GRACE": 2000}
    key = keys.from_key("probe", HERE)
    job_id = uuid.uuid4().hex
    line.reserve(job_id, HERE)
    assert valkey.pttl(key) > 1_000_000
    valkey.persist(key)
    line.place(job_id, 1.0, address=HERE)
    assert valkey.pttl(key) > 1_000_000


# A join that is not stored


def test_a_join_that_is_not_stored_costs_nothing(line: Line, valkey: redis.Redis, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 3, "ADDRESS_RATE": 0.6, "ADDRESS_UNSEEN": 3, "BRAKE": "auto"}
    for _ in range(10):
        job_id = uuid.uuid4().hex
        reservation = line.reserve(job_id, HERE)
        assert reservation.refusal == ""
        line.cancel_reservation(job_id, reservation.token, HERE)
    assert valkey.get(keys.joins_key("probe")) == b"0"
    assert refusals(line, HERE, 4) == ["", "", "", "joins"]


def test_a_join_whose_file_was_looked_into_is_charged(line: Line, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 3, "ADDRESS_RATE": 0.6, "ADDRESS_UNSEEN": 1}
    for number in range(3):
        reservation = line.reserve(str(number), HERE)
        assert reservation.refusal == ""
        line.cancel_reservation(str(number), reservation.token, HERE, is_charged=True)
    assert ask(line).refusal == "joins"


@pytest.mark.parametrize("first_to_give_up", [0, 1])
def test_a_form_sent_twice_has_its_place_reserved_while_either_request_is_storing(
    line: Line, settings: Any, first_to_give_up: int
) -> None:
    """One may be in a checker for a while, and counts meanwhile, whatever becomes of the other."""
    settings.QUEUEING = {"ADDRESS_BURST": 2, "ADDRESS_RATE": 0.6}
    requests = [line.reserve("1", HERE) for _ in range(2)]
    line.cancel_reservation("1", requests.pop(first_to_give_up).token, HERE)
    assert line.reserve("2", HERE).under_way == ("1",)
    assert line.reserve("1", HERE).refusal == "joins"
    assert line.client.zscore(line.keys.reserved, "1")
    line.cancel_reservation("1", requests.pop().token, HERE)
    assert not line.client.zscore(line.keys.reserved, "1")
    assert not line.client.exists(keys.storing_key("probe", "1"))


@pytest.fixture
def repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call is the first one again: its reply was lost, and the client has sent it once more."""
    monkeypatch.setattr(secrets, "token_hex", lambda _: "the same request")


@pytest.mark.usefixtures("repeated")
def test_a_request_whose_reply_was_lost_pays_once_and_leaves_nothing(
    line: Line, valkey: redis.Redis, settings: Any
) -> None:
    limits = {"ADDRESS_BURST": 1, "ADDRESS_RATE": 0.6, "ADDRESS_UNSEEN": 1, "MAX_LINE": 1, "BRAKE": "auto"}
    settings.QUEUEING = limits
    for _ in range(3):
        assert line.reserve("1", HERE).refusal == ""
    assert valkey.get(keys.joins_key("probe")) == b"1"
    line.cancel_reservation("1", "the same request", HERE)
    left = [key for key in valkey.keys("rq:line:probe:*") if b"1" in key or b"reserved" in key or b"from" in key]
    assert left == []
    assert line.reserve("2", HERE).refusal == ""


@pytest.mark.django_db
@pytest.mark.usefixtures("repeated")
def test_a_request_whose_reply_was_lost_and_whose_line_closed_meanwhile_leaves_nothing(line: Line) -> None:
    assert line.reserve("1", HERE).refusal == ""
    set_levers("probe", state=LineState.CLOSED)
    assert line.reserve("1", HERE).refusal == "closed"
    assert not line.client.exists(line.keys.reserved)


def test_a_reservation_whose_web_process_died_keeps_its_time(line: Line, valkey: redis.Redis, settings: Any) -> None:
    """The form is sent again and refused: the place is free when the first request's time is over."""
    settings.QUEUEING = {"MAX_LINE": 1}
    dead = line.reserve("1", HERE)
    soon = 1000.0 * int(valkey.time()[0]) + 5000
    valkey.zadd(keys.storing_key("probe", "1"), {dead.token: soon})
    again = line.reserve("1", HERE)
    line.cancel_reservation("1", again.token, HERE)
    assert valkey.zscore(line.keys.reserved, "1") == soon
    for key in (line.keys.reserved, keys.storing_key("probe", "1")):
        members: list[Any] = valkey.zrange(key, 0, -1)
        valkey.zadd(key, dict.fromkeys(members, soon - 10_000))
    last = line.reserve("1", HERE)
    assert last.refusal == ""
    line.cancel_reservation("1", last.token, HERE)
    assert ask(line).refusal == ""


def test_a_form_sent_twice_does_not_free_the_place_that_it_has(line: Line, settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_UNSEEN": 2}
    requests = [line.reserve("1", HERE) for _ in range(2)]
    line.place("1", 1, address=HERE)
    line.cancel_reservation("1", requests[1].token, HERE)
    assert refusals(line, HERE, 2) == ["", "unseen"]
