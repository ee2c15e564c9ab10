"""Signing in: attempts are counted, passwords take turns, a sign-in ends, and the visitor's places outlive it."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Timer
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher
from django.contrib.auth.models import User
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import ValidationError
from django.db import connection, connections
from django.test import Client

from queueing.exceptions import TooManyAttempts
from queueing.line import clients
from queueing.line.keys import ATTEMPTS
from queueing.web.sign_in import SIGNED_IN_AT, USED_AT, WAITING, Attempt, _hashing, _waiting
from tests.support.connections import forget_connections
from tests.support.servers import free_port
from tests.support.visitors import Visitor, staff, url

pytestmark = pytest.mark.django_db(transaction=True)

LOGIN, INDEX = "/admin/login/", "/admin/"
HERE, THERE = "192.0.2.1", "198.51.100.2"
RIGHT, WRONG = "a right and long password", "wrong"


@pytest.fixture(autouse=True)
def root() -> User:
    return User.objects.create_superuser("root", password=RIGHT)


def sign_in(name: str = "root", password: str = WRONG, address: str = HERE, client: Client | None = None) -> Any:
    return (client or Client()).post(LOGIN, {"username": name, "password": password}, REMOTE_ADDR=address)


def statuses(times: int, **options: Any) -> list[int]:
    return [sign_in(**options).status_code for _ in range(times)]


# Attempts


def test_after_five_wrong_passwords_even_the_right_one_is_refused() -> None:
    assert statuses(6) == [200] * 5 + [429]
    refusal = sign_in(password=RIGHT)
    assert refusal.status_code == 429
    assert 0 < int(refusal["Retry-After"]) <= 900
    assert "too many attempts" in refusal.content.decode()
    assert sign_in(password=RIGHT, address=THERE).status_code == 302
    assert sign_in(name="another").status_code == 200


def test_the_pause_ends_by_itself() -> None:
    assert 429 in statuses(6)
    counters = clients.connection().keys("queueing:attempts:*")
    assert counters
    assert all(0 < clients.connection().ttl(key) <= 900 for key in counters)
    clients.connection().delete(*counters)  # as Redis does
    assert sign_in(password=RIGHT).status_code == 302


def test_a_right_password_does_not_count() -> None:
    for _ in range(5):
        assert statuses(3) == [200] * 3
        assert sign_in(password=RIGHT).status_code == 302
        forget_pair()


def forget_pair() -> None:
    """The pause of the pair is over; the counts of name and address go on."""
    clients.connection().delete(ATTEMPTS.format(digest=Attempt("root", HERE)._pair))


def test_an_address_that_tries_many_names_is_refused() -> None:
    answers = [sign_in(name=f"user{number}").status_code for number in range(21)]
    assert answers == [200] * 20 + [429]
    assert sign_in(name="root", password=RIGHT, address=THERE).status_code == 302


def test_a_name_that_many_addresses_try_is_refused_but_not_where_it_has_signed_in_before() -> None:
    assert sign_in(password=RIGHT, address=THERE).status_code == 302
    answers = [sign_in(address=f"203.0.113.{number}").status_code for number in range(60)]
    assert answers == [200] * 50 + [429] * 10
    assert sign_in(password=RIGHT, address=HERE).status_code == 429
    assert sign_in(password=RIGHT, address=THERE).status_code == 302


def test_known_and_unknown_names_are_answered_alike() -> None:
    known, unknown = ([sign_in(name=name) for _ in range(6)] for name in ("root", "nobody"))
    for one, other in zip(known, unknown, strict=True):
        assert one.status_code == other.status_code
        assert without_tokens(one, "root") == without_tokens(other, "nobody")


def without_tokens(answer: Any, name: str) -> str:
    text: str = answer.content.decode().replace(name, "NAME")
    return text.split("csrfmiddlewaretoken", maxsplit=1)[0] + text.rsplit("csrfmiddlewaretoken", maxsplit=1)[-1][100:]


def test_the_networks_of_ipv6_count_as_one_address() -> None:
    answers = [sign_in(address=f"2001:db8::{number}").status_code for number in range(1, 7)]
    assert answers == [200] * 5 + [429]


def test_attempts_at_the_same_time_do_not_all_pass() -> None:
    def begin(_: int) -> bool:
        try:
            Attempt("root", HERE).begin()
        except TooManyAttempts:
            return False
        return True

    with ThreadPoolExecutor(20) as pool:
        assert sum(pool.map(begin, range(20))) == 5


def test_without_redis_staff_may_sign_in(settings: Any) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    forget_connections()
    try:
        assert sign_in(password=RIGHT).status_code == 302
    finally:
        forget_connections()


class Crowd(MD5PasswordHasher):
    """A hash that takes a moment, and notes how many are being made at the same time.

    The first one lasts until somebody was turned away.
    """

    algorithm = "crowd"
    inside = most = 0
    may_end = Event()

    def encode(self, password: str, salt: str) -> str:
        Crowd.inside += 1
        Crowd.most = max(Crowd.most, Crowd.inside)
        Crowd.may_end.wait(30)
        time.sleep(0.05)
        Crowd.inside -= 1
        return super().encode(password, salt)


@pytest.fixture
def crowd(settings: Any) -> type[Crowd]:
    settings.PASSWORD_HASHERS = [f"{__name__}.Crowd"]
    Crowd.inside = Crowd.most = 0
    Crowd.may_end.clear()
    return Crowd


def test_passwords_take_turns_and_a_crowd_is_turned_away(crowd: type[Crowd]) -> None:
    def come(address: str) -> Any:
        try:
            answer = sign_in(name=f"at {address}", address=address)
            if answer.status_code == 503:
                crowd.may_end.set()
            return answer
        finally:
            connections.close_all()  # of this thread

    addresses = [f"203.0.113.{number}" for number in range(WAITING + 8)]
    with ThreadPoolExecutor(len(addresses)) as pool:
        answers = list(pool.map(come, addresses))
    assert crowd.most == 1
    refused = [answer for answer in answers if answer.status_code == 503]
    assert refused
    assert {answer.status_code for answer in answers} == {200, 503}
    assert all(int(answer["Retry-After"]) > 0 for answer in refused)
    counts = [int(clients.connection().get(key) or 0) for key in clients.connection().keys("queueing:attempts:*")]
    # The names of those who were turned away have lost no attempt; their addresses have.
    assert sum(counts) == 3 * (len(answers) - len(refused)) + len(refused)


def test_a_name_that_has_signed_in_here_does_not_queue_behind_strangers() -> None:
    assert sign_in(password=RIGHT).status_code == 302
    strangers = [_waiting.acquire(blocking=False) for _ in range(WAITING)]
    _hashing.acquire()
    try:
        assert sign_in(password=RIGHT, address=THERE).status_code == 503
        Timer(0.2, _hashing.release).start()
        assert sign_in(password=RIGHT).status_code == 302
    finally:
        for _ in strangers:
            _waiting.release()


def test_an_attempt_that_waits_for_its_hash_holds_no_connection_to_the_database() -> None:
    assert User.objects.exists()
    assert connection.connection is not None
    with Attempt("root", HERE).hash():
        assert connection.connection is None


# Passwords


@pytest.mark.parametrize("password", ["1", "elevenchars", "123456789012", "1q2w3e4r5t6y", "root-root-root"])
def test_weak_passwords_are_refused(password: str) -> None:
    with pytest.raises(ValidationError):
        validate_password(password, User(username="root-root-root"))


def test_staff_cannot_make_a_user_with_a_weak_password() -> None:
    client = Client()
    sign_in(password=RIGHT, client=client)
    form = {"username": "new", "usable_password": "true", "password1": "1", "password2": "1"}
    client.post("/admin/auth/user/add/", form)
    assert not User.objects.filter(username="new").exists()


# The end of a sign-in


def age(client: Client, **seconds: float) -> None:
    """Move the times of this session into the past."""
    session = client.session
    for name, value in seconds.items():
        session[name] -= value
    session.save()


@pytest.mark.parametrize(("name", "seconds"), [(SIGNED_IN_AT, 8 * 3600), (USED_AT, 3600)])
def test_a_sign_in_ends_by_age_and_by_idleness(name: str, seconds: float) -> None:
    client = Client()
    sign_in(password=RIGHT, client=client)
    age(client, **{name: seconds - 60})
    assert client.get(INDEX).status_code == 200
    age(client, **{name: seconds + 60})
    assert client.get(INDEX).status_code == 302
    assert client.get(INDEX).status_code == 302


def test_pages_keep_a_sign_in_alive_and_polls_do_not() -> None:
    entry = Visitor().join()
    looker = staff("view")
    age(looker.client, **{USED_AT: 1800})
    used = looker.client.session[USED_AT]
    for path in (url(entry, "status.json"), "/admin/queueing/line/board.json"):
        assert looker.client.get(path).status_code == 200
    assert looker.client.session[USED_AT] == used
    assert looker.client.get(url(entry)).status_code == 200
    assert looker.client.session[USED_AT] > used + 1700


def test_a_session_from_before_has_to_sign_in_again() -> None:
    client = Client()
    sign_in(password=RIGHT, client=client)
    session = client.session
    del session[SIGNED_IN_AT]
    session.save()
    assert client.get(INDEX).status_code == 302


# The visitor's places


def keys() -> set[str]:
    return set(Session.objects.values_list("session_key", flat=True))


def test_the_visitors_places_outlive_the_sign_in() -> None:
    visitor = Visitor()
    entry = visitor.join()
    before = visitor.client.cookies["sessionid"].value
    sign_in(password=RIGHT, client=visitor.client)
    assert visitor.client.get(url(entry)).status_code == 200
    during = visitor.client.cookies["sessionid"].value
    visitor.client.post("/admin/logout/")
    assert visitor.client.get(url(entry)).status_code == 200
    assert visitor.client.get(INDEX).status_code == 302
    after = visitor.client.cookies["sessionid"].value
    assert len({before, during, after}) == 3
    assert keys() == {after}


@pytest.mark.parametrize("end", ["age", "password"])
def test_the_visitors_places_outlive_other_ends_of_a_sign_in(end: str, root: User) -> None:
    visitor = Visitor()
    entry = visitor.join()
    sign_in(password=RIGHT, client=visitor.client)
    if end == "age":
        age(visitor.client, **{SIGNED_IN_AT: 9 * 3600})
    else:
        root.set_password("another long password")
        root.save()
    for _ in range(2):
        assert visitor.client.get(url(entry)).status_code == 200
        assert visitor.client.get(INDEX).status_code == 302


def test_a_session_that_was_there_before_the_name_gets_a_new_key() -> None:
    """Whoever planted the cookie must not see what the victim hands in."""
    planted = Client()
    sign_in(password=RIGHT, client=planted)
    key = planted.cookies["sessionid"].value
    victim = Visitor()
    victim.client.cookies["sessionid"] = key
    entry = victim.join()
    assert victim.client.cookies["sessionid"].value != key
    stranger = Client()
    stranger.cookies["sessionid"] = key
    assert stranger.get(url(entry)).status_code == 404
    assert victim.client.get(url(entry)).status_code == 200
