"""Every number that is told is the one that rows and keys have, after any moves.

The test must fail when the oldest wait counts unseen entries, a hold leaves the id in the line, a beat puts an entry
back elsewhere, goodput or waste is counted again at a deletion, an undone start falls out of a counter, the board calls
busy workers idle in a pause, or stored bytes forget the results.
"""

import random
import time
from typing import Any

import pytest

from queueing import eta
from tests.support.honesty import told
from tests.support.honesty.stage import CLOCKS, LINES
from tests.support.honesty.truth import Numbers, Truth, rank
from tests.support.honesty.walk import MOVES, Walk
from tests.support.metrics import Metrics, parse, scrape
from tests.support.visitors import Visitor, url

SLACK = 2.0  # seconds that words leave out of an age, beside those in which a test reads all that is told
EXACT = 1e-5  # of a number, or absolutely if it is smaller than 1; the rest is lost in decimals

pytestmark = pytest.mark.django_db(transaction=True)


def wrong(told_numbers: Numbers, truth: Truth, passed: float) -> dict[tuple[str, str], tuple[float, float]]:
    """The numbers that differ, each with the one that is told and the true one. Ages have grown by `passed` seconds."""
    found = {}
    for (queue, name), number in told_numbers.items():
        true = truth.numbers.get((queue, name), 0.0)
        slack = SLACK + passed if name == "oldest" else EXACT * max(1, abs(true))
        if abs(number - true) > slack:
            found[queue, name] = number, true
    return found


def compare(walk: Walk, boss: Visitor, settings: Any) -> None:
    """Compare all that is told with rows and keys."""
    walk.settle()
    began = time.monotonic()
    truth, metrics, statistics = Truth(walk), parse(scrape(settings)), told.statistics()
    surfaces = {
        "board": told.board(boss),
        "queue_stats --json": told.of_statistics(statistics),
        "queue_stats": told.in_words(),
        "/metrics": told.of_metrics(metrics),
        "first page": told.first_page(),
        "history": told.of_the_past(boss),
    }
    passed = time.monotonic() - began
    lies = {name: found for name, numbers in surfaces.items() if (found := wrong(numbers, truth, passed))}
    assert not lies
    states = {queue: truth.state(queue) for queue in settings.QUEUEING_TASKS}
    assert told.states(metrics, statistics) == dict.fromkeys(("/metrics", "/readyz", "queue_stats"), states)
    compare_waits(truth, metrics)
    compare_pages(walk, truth)


def compare_waits(truth: Truth, metrics: Metrics) -> None:
    """The wait of somebody who joins now, behind all that are in the line."""
    for queue, wait in told.waits(metrics).items():
        ahead = [len([row for row in rows if row.priority >= 0]) for rows in (truth.present(queue), truth.held(queue))]
        assert wait == pytest.approx(truth.wait(queue, *ahead)) or wait is truth.wait(queue, *ahead) is None


def compare_pages(walk: Walk, truth: Truth) -> None:
    """The numbers on the pages of all who are there, whose look changes nothing."""
    for queue in LINES:
        present, held = truth.present(queue), truth.held(queue)
        for number, entry in enumerate(present):
            browser = walk.browser_of(entry)
            if browser is None:
                continue
            page = browser.client.get(url(entry, "status.json")).json()
            held_ahead = sum(rank(other) < rank(entry) for other in held)
            assert (page["ahead"], page["position"], page["held_ahead"]) == (number, number + 1, held_ahead)
            wait = None if entry.behind else truth.wait(queue, number, held_ahead)
            assert page["eta_seconds"] == (None if wait is None else pytest.approx(wait, abs=0.051))
            assert page["line"] == truth.state(queue)
            known = eta.sentence(None if wait is None else eta.Wait(*wait))
            assert page["wait"] == f"Expected wait: {known}." if known else "Expected" not in page["wait"]


def walk_and_compare(moves: int, every: int, seed: int, settings: Any) -> Walk:
    print(f"seed {seed}")  # noqa: T201  # pytest shows it when the test fails
    settings.QUEUEING = CLOCKS
    walk = Walk(random.Random(seed))  # noqa: S311  # no secrets
    boss = Visitor()
    boss.client.force_login(walk.boss)
    for number in range(1, moves + 1):
        walk.step()
        if number % every == 0:
            compare(walk, boss, settings)
    return walk


def test_all_numbers_are_true_after_any_moves(settings: Any) -> None:
    walk = walk_and_compare(300, 30, 1, settings)
    print(walk.made)  # noqa: T201


@pytest.mark.slow
@pytest.mark.timeout(600)  # 20 s on an idle machine; five times as long was seen on a busy one
@pytest.mark.postgres
@pytest.mark.parametrize("seed", [2, 3])
def test_all_numbers_are_true_after_a_thousand_moves(settings: Any, seed: int) -> None:
    walk = walk_and_compare(1000, 20, seed, settings)
    print(walk.made)  # noqa: T201
    assert set(walk.made) == set(MOVES)
