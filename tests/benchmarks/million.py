"""A million waiting visitors, and everything that fails in eight minutes: simulated time, the site's own scripts."""

from collections.abc import Iterator

from queueing.line import clients
from tests.benchmarks.report import Row
from tests.benchmarks.simulation.play import Outcome, play
from tests.benchmarks.simulation.scenario import MILLION, Scenario

# By rule: what the referee counts under it.
RULES = {
    "dropped although present": ["dropped, and present"],
    "dropped before the place's time was over": ["dropped too early"],
    "served before somebody present who joined earlier": ["served before somebody present"],
    "served without ever having come": ["served, and never came"],
    "served although known to be away": ["served, and known to be away", "served after too long an absence"],
    "rows without a place, and places without a row": ["rows without a place", "places without a row"],
}
DONE = ("places restored", "places taken up again", "absent passed by claims", "held by the keeper", "served")


def rows() -> Iterator[Row]:
    scenario = MILLION
    found = play(scenario, clients.connection())
    yield Row("a million: most waiting at one time", "", [found.most_waiting], ">=", 950_000, meaning=_about(scenario))
    for rule, faults in RULES.items():
        yield Row(
            f"a million: {rule}", "", [sum(found.faults[name] for name in faults)], "<=", 0,
            meaning="Counted from the truth of the simulation, not from what Valkey believes.",
        )  # fmt: skip
    epoch = found.counts["seconds from the flush to the epoch"]
    yield Row(
        "a million: the flush to the epoch, simulated", "s", [epoch],
        meaning=f"With {scenario.restored:,} rows restored in a second.",
    )  # fmt: skip
    yield Row("a million: Valkey's memory", "MB", [found.memory / 1e6], meaning=_done(found))


def _about(scenario: Scenario) -> str:
    fails = (
        f"After {scenario.host_lost_at:.0f} s one of {scenario.hosts} web hosts is lost, after "
        f"{scenario.emptied_at:.0f} s Valkey is emptied, after {scenario.workers_lost_at:.0f} s a tenth of the workers "
        f"die, after {scenario.keeper_away_at:.0f} s the keeper is away for {scenario.keeper_away:.0f} s, after "
        f"{scenario.hosts_away_at:.0f} s all web hosts for {scenario.hosts_away:.0f} s."
    )
    return (
        f"{scenario.crowd:,} visitors join in {scenario.rush:.0f} s, then {scenario.arrivals:.0f} a second; "
        f"{scenario.workers:,} workers, runs of {scenario.service:.0f} s. {scenario.reload:.0%} reload, "
        f"{scenario.silent:.0%} fall silent and come back, {scenario.close:.0%} close the page, {scenario.vanish:.0%} "
        f"vanish, {scenario.never:.0%} never look. {fails} {scenario.seconds:.0f} s in all. Claim, hold, drop, beat, "
        "close, place, release and restore are the scripts in `queueing/line/lua`, in a real Valkey whose clock the "
        "simulation moves."
    )


def _done(found: Outcome) -> str:
    what = ", ".join(f"{name}: {found.counts[name]:,}" for name in DONE)
    return f"At most. The game took {found.seconds:.0f} s and {found.scripts:,} calls of scripts. {what}."
