"""The faults that a Redis can have, as seen by a web process: it refuses, hangs, is slow, takes no writes, is empty."""

from collections.abc import Callable
from typing import Any, NamedTuple

import redis

from tests.support.browser.proxy import Proxy
from tests.support.own_valkey import OwnValkey

# Seconds that each answer is late.
SLOW, TOO_SLOW = 0.1, 0.6


class Fault(NamedTuple):
    begin: Callable[[], Any]
    end: Callable[[], Any]
    answers: bool  # True if Redis still answers questions
    takes_writes: bool
    has_places: bool = True  # False: they are on their way back
    is_steady: bool = True  # False: some answers come in time, and others do not


def faults(valkey: OwnValkey, proxy: Proxy) -> dict[str, Fault]:
    """Every fault by name. Clients have to go through the proxy to see a slow Redis, and past it to see one refuse."""
    client = redis.Redis(port=valkey.port)

    def set_to(name: str, value: object) -> Callable[[], Any]:
        return lambda: client.config_set(name, value)  # type: ignore[arg-type]

    def late(seconds: float) -> Callable[[], None]:
        return lambda: setattr(proxy, "delay", seconds)

    return {
        "refused": Fault(valkey.kill, valkey.start, answers=False, takes_writes=False),
        "hanging": Fault(valkey.hang, valkey.go_on, answers=False, takes_writes=False),
        "slow": Fault(late(SLOW), late(0), answers=True, takes_writes=True, is_steady=False),
        "too slow": Fault(late(TOO_SLOW), late(0), answers=False, takes_writes=False),
        "full": Fault(set_to("maxmemory", 1), set_to("maxmemory", 0), answers=True, takes_writes=False),
        "a replica": Fault(
            lambda: client.replicaof("127.0.0.1", 1),
            lambda: client.replicaof("NO", "ONE"),
            answers=True,
            takes_writes=False,
        ),
        "without replicas": Fault(
            set_to("min-replicas-to-write", 1), set_to("min-replicas-to-write", 0), answers=True, takes_writes=False
        ),
        "flushed": Fault(client.flushall, valkey.begin_epochs, answers=True, takes_writes=True, has_places=False),
    }


# "slow" comes in time for one command or two, and not for all commands of a page.
NAMES = ["refused", "hanging", "slow", "too slow", "full", "a replica", "without replicas", "flushed"]
