"""The simulation of very long lines, with a small crowd: the scripts keep their rules, and a broken one is noticed."""

from dataclasses import replace
from typing import Any

import pytest
import redis

from tests.benchmarks.simulation.play import Outcome, play
from tests.benchmarks.simulation.scenario import Scenario

# The clocks and the faults of a game that is over soon; the places of lost connections are kept for 40 s.
GRACE = {"LOST_GRACE": 40}
SMALL = Scenario(
    crowd=600,
    rush=10,
    arrivals=1,
    workers=8,
    service=5,
    hosts=4,
    seconds=170,
    looked_at=400,
    dropped=400,
    restored=100,
    host_lost_at=15,
    emptied_at=35,
    workers_lost_at=85,
    keeper_away_at=90,
    keeper_away=5,
    hosts_away_at=100,
    hosts_away=20,
    silent=0.2,
    vanish=0.1,
    never=0.05,
)
CALM = replace(
    SMALL, host_lost_at=None, emptied_at=None, workers_lost_at=None, keeper_away_at=None, hosts_away_at=None, seconds=80
)
ADD_SCORE, ADD_LATER = "redis.call('ZADD', line, score, ids[i])", "redis.call('ZADD', line, score + 1000, ids[i])"
UNSEEN = "redis.call('ZADD', unseen, score, id)"
PRESENT = "redis.call('ZADD', line, score, id)\n  redis.call('SET', PRESENCE .. id, '1')"
SOME = "i % 4 == 1 and not has_place(id, claimed)"
# By rule: the script, what is changed in it, and the game in which that does harm.
BROKEN = {
    "served, and known to be away": ("claim", "not present[passed + 1] do", "false do", SMALL),
    "served, and never came": ("place", UNSEEN, PRESENT, CALM),
    "served before somebody present": ("beat", ADD_SCORE, ADD_LATER, CALM),
    "dropped, and present": ("drop", "now - since < tonumber(ARGV[1])", "false", SMALL),
    "dropped too early": ("close", "ARGV[3], ARGV[2], now", "0, ARGV[2], now", CALM),
    "rows without a place": ("restore", "not has_place(id, claimed)", SOME, SMALL),
}


@pytest.fixture(autouse=True)
def clocks(settings: Any) -> None:
    settings.QUEUEING = settings.QUEUEING | GRACE


def game(valkey: redis.Redis, scenario: Scenario, **edits: tuple[str, str]) -> Outcome:
    return play(scenario, valkey, edits)


def test_the_rules_hold_whatever_fails(valkey: redis.Redis) -> None:
    found = game(valkey, SMALL)
    assert not found.faults
    assert found.most_waiting > 500
    for what in (
        "pages of lost hosts",
        "presence keys that ran out",
        "places restored",
        "runs lost with their worker",
        "claims lost with their worker",
        "served",
        "dropped (closed)",
        "dropped (lost)",
        "dropped (unseen)",
    ):
        assert found.counts[what], what


def test_beats_that_only_renew_change_nothing(valkey: redis.Redis) -> None:
    """So a long game may leave them out."""
    every = game(valkey, replace(SMALL, sends_all_beats=True))
    assert every.status == game(valkey, SMALL).status
    assert every.scripts > 2000


@pytest.mark.parametrize("rule", BROKEN)
def test_a_broken_script_is_noticed(valkey: redis.Redis, rule: str) -> None:
    verb, before, after, scenario = BROKEN[rule]
    found = game(valkey, scenario, **{verb: (before, after)})
    assert found.faults[rule]


def test_a_deadline_that_no_web_host_could_meet_does_not_count(valkey: redis.Redis) -> None:
    """As when all hosts die while pages are being loaded: the watch outlives them for some seconds."""
    old_rule = {"drop": ("ARGV[3] == '0' and now or beaten", "now")}
    scenario = replace(CALM, hosts_away_at=50, hosts_away=20, arrivals=10, reload=0.5)
    assert game(valkey, scenario, **old_rule).faults["dropped, and present"]
    assert not game(valkey, scenario).faults
