"""The sizes of a game, and what fails when. All times are seconds of the game."""

from dataclasses import dataclass

STEP = 0.5  # events in the same step happen in the order: visitors, hosts, workers, keeper

NOBODY, WAITING, RUNNING, SERVED, DROPPED = range(5)  # of a row


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    crowd: int  # visitors who join in the first `rush` seconds
    rush: float = 60.0
    arrivals: float  # visitors a second after that
    workers: int
    service: float = 20.0  # mean seconds of a run, exponential
    hosts: int = 20  # web hosts
    seconds: float = 480.0
    seed: int = 1
    # True: each host beats for each of its pages every HEARTBEAT_INTERVAL. False: only beats that can change something
    # are sent. A beat for a page whose last one is still alive renews a key, and does nothing else.
    sends_all_beats: bool = False
    # The keeper's pace: what it gets done in one round.
    looked_at: int = 20_000  # ids that it looks at for absence
    dropped: int = 14_000
    restored: int = 10_000  # rows that get their place back after a flush, a second

    # Failures; None: there is none
    host_lost_at: float | None = 70.0  # one host, for good
    emptied_at: float | None = 100.0  # Valkey dies, and comes back empty
    workers_lost_at: float | None = 240.0  # a tenth of the workers, in mid-task
    keeper_away_at: float | None = 260.0
    keeper_away: float = 30.0
    hosts_away_at: float | None = 320.0  # all of them, as in a bad deploy
    hosts_away: float = 20.0

    # Deeds of visitors, as shares of all; the others stay until they are served
    reload: float = 0.10  # goodbye, and back within 3 s
    silent: float = 0.10  # the connection is lost without a word, and the page is back within 100 s
    close: float = 0.10  # goodbye for good
    vanish: float = 0.06  # the connection is lost for good
    never: float = 0.02  # joined, and never looked at the page


MILLION = Scenario(crowd=1_000_000, arrivals=50.0, workers=1_000)
