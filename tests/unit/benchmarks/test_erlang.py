"""The model that the benchmark of crowds is held against: its known special cases, and its simulation."""

import math
import random
import statistics

import pytest

from tests.benchmarks.erlang import ErlangA, Person, play


def poisson_crowd(model: ErlangA, size: int) -> list[Person]:
    chance, now, crowd = random.Random(1), 0.0, []  # noqa: S311  # numbers, no secrets
    for _ in range(size):
        now += chance.expovariate(model.arrivals)
        crowd.append(Person(now, chance.expovariate(model.service), chance.expovariate(model.leaving)))
    return crowd


def test_probabilities_add_up_to_one_and_what_is_served_keeps_the_servers_busy() -> None:
    model = ErlangA(arrivals=3, service=1, leaving=0.5, servers=2)
    assert sum(model.probabilities) == pytest.approx(1)
    # What comes in goes out: served at the rate of the busy servers.
    busy = sum(min(n, 2) * p for n, p in enumerate(model.probabilities))
    assert model.served == pytest.approx(busy / 3)


def test_with_endless_patience_it_is_erlang_c() -> None:
    model = ErlangA(arrivals=1.6, service=1, leaving=1e-9, servers=2)
    # The chance to wait is 2 rho^2 / (1 + rho) for two servers, and each waits 1 / (c mu - lambda) then.
    must_wait = 2 * 0.8**2 / 1.8
    assert model.served_wait == pytest.approx(must_wait / 0.4, rel=1e-4)
    assert model.served == pytest.approx(1)


def test_with_patience_as_long_as_service_it_is_poisson() -> None:
    model = ErlangA(arrivals=3, service=1, leaving=1, servers=2)
    assert model.probabilities[:10] == pytest.approx([math.exp(-3) * 3**n / math.factorial(n) for n in range(10)])


def test_one_server_and_no_patience_is_a_loss_system() -> None:
    """Erlang's B: who comes upon a busy server is lost."""
    assert ErlangA(arrivals=1, service=1, leaving=1e9, servers=1).served == pytest.approx(0.5)


@pytest.mark.parametrize(("arrivals", "leaving", "servers"), [(3, 0.5, 2), (3, 0.05, 2), (6, 2, 5)])
def test_played_with_a_large_crowd_it_agrees_with_its_formulas(arrivals: float, leaving: float, servers: int) -> None:
    model = ErlangA(arrivals, 1, leaving, servers)
    waits = play(poisson_crowd(model, 100_000), servers)
    served = [wait for wait in waits if wait is not None]
    assert len(served) / len(waits) == pytest.approx(model.served, rel=0.02)
    assert statistics.mean(served) == pytest.approx(model.served_wait, rel=0.05)


def test_a_small_crowd_by_hand() -> None:
    crowd = [Person(0, 10, 1), Person(1, 2, 1), Person(2, 5, 0.5), Person(2, 5, 2), Person(4, 1, 9)]
    assert play(crowd, servers=2) == [0, 0, None, 1, 4]
