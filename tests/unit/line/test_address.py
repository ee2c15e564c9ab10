"""The address of Redis: what each client is made of, and the sentence about a wrong one."""

from typing import Any

import pytest
from redis import connection as sync
from redis.asyncio import connection as for_loops

from queueing.line import address, clients
from queueing.line.address import BadAddress
from queueing.line.failover import AsyncFollowing, Following
from queueing.line.sentinels import _decide

FULL = (
    "sentinels://web:p%2Fss%40%3A@one.example:1234,[2001:db8::1]:1235,three/site-1/3"
    "?ssl_ca_certs=/etc/ca.pem&ssl_check_hostname=0&sentinel_username=asker&sentinel_password=w%26rd"
)
HALF = "hun7er2"  # of a password, which no sentence may repeat


def test_the_parts_of_an_address_of_sentinels() -> None:
    servers, service, database = address.sentinels_of(FULL)
    assert servers == [("one.example", 1234), ("2001:db8::1", 1235), ("three", 26379)]
    assert (service, database) == ("site-1", 3)
    options = address.options(FULL)
    assert {name: options[name] for name in ("username", "password", "db", "ssl_ca_certs", "ssl_check_hostname")} == {
        "username": "web",
        "password": "p/ss@:",
        "db": 3,
        "ssl_ca_certs": "/etc/ca.pem",
        "ssl_check_hostname": False,
    }
    assert issubclass(options["connection_class"], sync.SSLConnection)
    assert issubclass(address.async_options(FULL)["connection_class"], for_loops.SSLConnection)
    sentinel: Any = options["primary"]._clients[0].connection_pool
    told = sentinel.connection_kwargs
    assert (told["username"], told["password"], told["ssl_ca_certs"]) == ("asker", "w&rd", "/etc/ca.pem")
    assert issubclass(sentinel.connection_class, sync.SSLConnection)


def test_clients_of_one_address_share_what_the_sentinels_say() -> None:
    assert address.options(FULL)["primary"] is address.async_options(FULL)["primary"]


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("redis://:word@queue.example/2", sync.Connection),
        ("rediss://web:word@queue.example:6380/2?ssl_ca_certs=/etc/ca.pem", sync.SSLConnection),
        ("unix://web:word@/run/valkey.sock?db=2", sync.UnixDomainSocketConnection),
        ("sentinel://web:word@one/primary/2", sync.Connection),
        ("rediss://:word@queue.example/2?max_connections=7&health_check_interval=9", sync.SSLConnection),
    ],
)
def test_every_client_goes_to_every_kind_of_address(url: str, kind: type, settings: Any) -> None:
    settings.REDIS_URL = url
    from tests.support.connections import forget_connections

    forget_connections()
    for pool in (clients.connection().connection_pool, clients.patient_for(0.2).connection_pool):
        assert issubclass(pool.connection_class, kind)
        assert (pool.connection_kwargs["password"], pool.connection_kwargs["db"]) == ("word", 2)
    assert issubclass(clients.connection().connection_pool.connection_class, Following)
    layer = clients.host_of_layer({"address": url, "socket_timeout": 2.0})
    assert issubclass(layer["connection_class"], AsyncFollowing)
    assert (layer["password"], layer["socket_timeout"]) == ("word", 2.0)
    forget_connections()


WRONG = [
    ("", "begins with none of redis://"),
    (f"http://web:{HALF}@queue.example", "begins with none of redis://"),
    (f"redis://web:{HALF}/x@queue.example:port/0", "A host, a port or an option"),
    (f"redis://web:{HALF}@queue.example/0?socket_timeout={HALF}", "A host, a port or an option"),
    ("redis://queue.example/0?sentinel_password=x", "sentinel_password is for sentinel://"),
    (f"sentinel://web:{HALF}@one", "It must read sentinel://"),
    (f"sentinel://web:{HALF}@one/", "It must read sentinel://"),
    (f"sentinel://web:{HALF}/x@one/primary", "It must read sentinel://"),
    (f"sentinel://web:1/{HALF}@one/primary", "It must read sentinel://"),
    (f"sentinel://web:{HALF}@x@one/primary", "It must read sentinel://"),
    (f"sentinel://web:{HALF}#@one/primary", "It must read sentinel://"),
    (f"sentinel://web:{HALF}/primary", "no host, or no port"),
    ("sentinel://one:99999/primary", "no host, or no port"),
    ("sentinel://one,,two/primary", "no host, or no port"),
    ("sentinel://one/primary/first", "It must read sentinel://"),
    ("sentinel://one/primary?sentinel_port=1", "an unknown option"),
    ("redis://queue.example/0?ssl_ca_certs=/ca.pem", "ssl_ca_certs needs rediss:// or sentinels://"),
    ("unix:///run/valkey.sock?ssl_ca_certs=/ca.pem", "ssl_ca_certs needs rediss:// or sentinels://"),
    ("sentinel://one/primary?ssl_check_hostname=0", "ssl_check_hostname needs rediss:// or sentinels://"),
    (f"redis://queue.example/0?sslcert={HALF}", "A host, a port or an option"),
    (f"rediss://queue.example/0?ssl_cert_reqs={HALF}", "A host, a port or an option"),
    (f"sentinels://one/primary?ssl_cert_reqs={HALF}", "A host, a port or an option"),
    ("sentinels://one/primary?ssl_check_hostname=perhaps", "ssl_check_hostname must be 1 or 0"),
]


@pytest.mark.parametrize(("url", "sentence"), WRONG)
def test_what_is_wrong_with_an_address_is_said_without_a_part_of_it(url: str, sentence: str) -> None:
    with pytest.raises(BadAddress, match=sentence) as refused:
        address.check(url)
    assert HALF not in str(refused.value)
    assert refused.value.__cause__ is None


def test_queues_of_rq_are_spelt_out() -> None:
    plain = {"URL": "redis://queue.example/1", "SERIALIZER": "x"}
    wrong = {"URL": "sentinel://one"}
    queues: dict[str, dict[str, Any]] = {"a": {"URL": FULL, "SERIALIZER": "x"}, "b": plain, "c": wrong}
    clients.spell_out(queues)
    spelt = queues["a"]
    assert (spelt["MASTER_NAME"], spelt["DB"], spelt["SERIALIZER"]) == ("site-1", 3, "x")
    assert "URL" not in spelt
    assert (queues["b"], queues["c"]) == (plain | {clients.OWN: plain["URL"]}, wrong)


def test_what_is_forgotten_is_not_in_what_clients_share() -> None:
    options = address.options("sentinel://web:left-word@one/primary?sentinel_password=other-word")
    primary = options["primary"]
    kept = [address._parse("sentinel://web:left-word@one/primary?sentinel_password=other-word").options]
    kept += [client.connection_pool.connection_kwargs for client in primary._clients]
    address.forget()
    assert "word" not in repr(kept) + repr(vars(primary))


@pytest.mark.parametrize(
    ("answers", "before", "found"),
    [
        (["1a", "1a"], None, "1a"),  # most of three; the third need not be asked
        (["2b", "1a", "1a"], None, "1a"),
        (["1a", "1a", "2b"], "2b", "2b"),  # the news of that election are on their way
        (["1a", "2b"], None, "2b"),  # no majority: the latest election
        (["1a"], None, "1a"),  # better than nothing
        (["1a"], "2b", "2b"),  # the only one that answers was cut off before that election
        (["3c"], "2b", "3c"),
        (["1a", "1a"], "2b", "1a"),  # sentinels that were set up anew
        (["3a", "3a"], "2b", "3a"),
    ],
)
def test_what_three_sentinels_say(answers: list[str], before: str | None, found: str) -> None:
    def answer(text: str) -> tuple[int, tuple[str, int]]:
        return int(text[0]), (text[1], 6379)

    assert _decide([answer(text) for text in answers], 3, answer(before) if before else None) == answer(found)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("redis://localhost:6379", "redis://localhost:6379/0", True),
        ("redis://localhost", "redis://localhost:6379/0", True),
        ("redis://localhost/1", "redis://localhost/2", False),
        ("redis://a", "redis://b", False),
        ("redis://web:x@a", "redis://worker:x@a", False),
        ("sentinel://one,two/main/0", "sentinel://two:26379,one:26379/main/0", True),
        ("sentinel://one/main/0", "sentinel://one/other/0", False),
    ],
)
def test_two_spellings_of_one_address_are_the_same(one: str, other: str, same: bool) -> None:
    assert address.are_same(one, other) is same
