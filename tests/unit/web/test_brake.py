"""The brake of the form: off, on, by itself; and its check, a proof of work."""

import time
import uuid
from typing import Any

import pytest
import redis
from django.test import RequestFactory

from queueing.checks import relations as checks
from queueing.line import keys
from queueing.models import Entry
from queueing.web import brake
from tests.support.brake import solve
from tests.support.visitors import FORM, Visitor, upload

pytestmark = pytest.mark.django_db(transaction=True)

ON = {"BRAKE": "on", "BRAKE_BITS": 4}
HOME, ELSEWHERE = "192.0.2.1", "198.51.100.1"


@pytest.fixture
def on(settings: Any) -> dict[str, Any]:
    settings.QUEUEING = ON
    return ON


def form_of(visitor: Visitor, path: str = FORM) -> str:
    return visitor.client.get(path).content.decode()


def test_the_brake_is_off_as_shipped() -> None:
    visitor = Visitor()
    assert "challenge" not in form_of(visitor)
    assert visitor.send().status_code == 303


def test_without_a_proof_nothing_is_looked_at_and_the_page_says_what_is_needed(on: dict[str, Any]) -> None:
    visitor = Visitor()
    page = form_of(visitor)
    assert page.count(brake.MISSING) == 1  # where there is no JavaScript
    for sent in ({}, {"challenge": "x:y", "proof": "00000000"}, solve(page) | {"proof": "zzzzzzzz"}):
        answer = visitor.send(**sent, file="")  # no file: an error of its own, if it were looked at
        said = answer.content.decode()
        assert answer.status_code == 422
        assert (brake.ASKED in said, said.count(brake.MISSING)) == ((False, 2) if sent else (True, 1))
        assert "This field is required" not in said
        assert 'name="challenge"' in said  # a new one
    assert not Entry.objects.exists()


def test_a_proof_is_good_for_one_entry(on: dict[str, Any]) -> None:
    visitor = Visitor()
    proof = solve(form_of(visitor))
    places = {visitor.send(**proof)["Location"] for _ in range(2)}  # sent twice
    assert places == {f"/entry/{uuid.UUID(proof['challenge'].split(':')[0])}/"}
    answer = visitor.send(**proof, file=upload(b"another file"))
    assert answer.status_code == 409
    assert "This form has been used already" in answer.content.decode()
    assert Visitor().send(**proof).status_code == 409
    Entry.objects.get().cancel()
    assert visitor.send(**proof).status_code == 409
    assert Entry.objects.count() == 1


def test_a_proof_is_good_for_its_line_and_its_network_only(on: dict[str, Any]) -> None:
    proof = solve(form_of(Visitor(REMOTE_ADDR=HOME)))
    answer = Visitor(REMOTE_ADDR=ELSEWHERE).send(**proof)
    assert (answer.status_code, brake.EXPIRED in answer.content.decode()) == (422, True)
    other = solve(form_of(Visitor(REMOTE_ADDR=HOME), "/join/tables/"))
    assert Visitor(REMOTE_ADDR=HOME).send(**other).status_code == 422
    assert Visitor(REMOTE_ADDR=HOME).send(**proof).status_code == 303


def test_the_work_and_the_time_in_a_challenge_are_signed(on: dict[str, Any]) -> None:
    visitor = Visitor()
    code, expiry, bits, seed = solve(form_of(visitor))["challenge"].split(":")
    for forged in (
        f"{code}:{expiry}:1:{seed}",
        f"{code}:{int(expiry) + 9}:{bits}:{seed}",
        f"{'0' * 32}:{expiry}:{bits}:{seed}",
    ):
        proof = next(f"{n:08x}" for n in range(10**6) if brake.is_proof(seed, f"{n:08x}", int(bits)))
        assert visitor.send(challenge=forged, proof=proof).status_code == 422


def test_a_challenge_expires(on: dict[str, Any]) -> None:
    request = RequestFactory().get("/")
    code, expiry = uuid.uuid4().hex, str(round(time.time()) - 2)
    seed = brake.ProofOfWork._seed(request, "probe", code, expiry, "4")
    proof = solve(f'name="challenge" value="{code}:{expiry}:4:{seed}"')
    answer = Visitor().send(**proof)
    assert (answer.status_code, brake.EXPIRED in answer.content.decode()) == (422, True)


def test_a_code_is_used_up_for_as_long_as_a_challenge_lives(on: dict[str, Any], settings: Any) -> None:
    settings.QUEUEING = ON | {"RESULT_TTL": 60}
    _, expiry, _, _ = solve(form_of(Visitor()))["challenge"].split(":")
    assert int(expiry) <= time.time() + 61


def test_by_itself_the_brake_comes_with_many_joins_and_goes(valkey: redis.Redis, settings: Any) -> None:
    settings.QUEUEING = ON | {"BRAKE": "auto", "BRAKE_JOINS": 3}
    visitor = Visitor()
    for number in range(3):
        assert "challenge" not in form_of(visitor), number
        assert Visitor().send().status_code == 303
    assert Visitor().send().status_code == 422
    assert "challenge" not in form_of(visitor, "/join/tables/")
    assert visitor.send(**solve(form_of(visitor))).status_code == 303
    assert 0 < valkey.ttl(keys.brake_key("probe")) <= 300
    valkey.delete(keys.brake_key("probe"), keys.joins_key("probe"))  # five minutes later
    assert Visitor().send().status_code == 303


def test_joins_of_more_than_a_minute_are_not_many(valkey: redis.Redis, settings: Any) -> None:
    settings.QUEUEING = ON | {"BRAKE": "auto", "BRAKE_JOINS": 3}
    for _ in range(6):
        assert Visitor().send().status_code == 303
        assert 0 < valkey.ttl(keys.joins_key("probe")) <= 60
        if valkey.get(keys.joins_key("probe")) == b"2":
            valkey.delete(keys.joins_key("probe"))  # the minute is over


def test_another_check_may_take_the_place_of_the_proof(settings: Any) -> None:
    settings.QUEUEING = {"BRAKE": "on", "BRAKE_CHECK": "tests.support.captcha.Captcha"}
    visitor = Visitor()
    assert "The word for probe" in form_of(visitor)
    answer = visitor.send(word="now")
    assert (answer.status_code, "That was not the word." in answer.content.decode()) == (422, True)
    assert visitor.send(word="please").status_code == 303


@pytest.mark.parametrize(
    "values", [{"BRAKE": "maybe"}, {"BRAKE_BITS": 40}, {"BRAKE_CHECK": "nowhere.Check"}, {"ADDRESS_RATE": 0}]
)
def test_a_wrong_setting_is_found_at_start(settings: Any, values: dict[str, Any]) -> None:
    settings.QUEUEING = values
    assert [error.id for error in (*checks.check_relations(), *checks.check_brake())] != []
