"""`make flood`: the site of `make run` under attack, beside itself in quiet. Loopback only, and bounded in time.

    python -m tests.flood [minutes]

Twenty honest visitors come, each from an address of its own: to a quiet site, then while one address joins as fast as
it can, then during all attacks. The second time they must not wait much longer than the first.
"""

import logging
import math
import sys
import time

from tests.flood.attacks import Flood
from tests.flood.honest import Visit, visits
from tests.flood.site import Site, running_site

HONEST = [f"127.0.0.{n}" for n in range(31, 51)]
MINUTES = 5.0
UNDER_WAY = 5  # seconds until every attack has begun
MB = 1024**2


def main(minutes: float) -> int:
    logging.getLogger("websockets").setLevel(logging.CRITICAL)
    interval = minutes * 60 / len(HONEST)
    with running_site() as site:
        quiet = visits(site.port, HONEST, min(interval, 3))
        _report("quiet", site, quiet)
        attacked = _flooded("one address", site, interval, only_one=True)
        _flooded("all attacks", site, min(interval, 3), only_one=False)
    served = sum(visit.is_served for visit in attacked)
    reach = 2 * _p95([v.wait for v in quiet]) + max(_run(visit) for visit in attacked)
    wait = _p95([visit.wait for visit in attacked])
    _say(
        f"one address: honest visitors served: {served} of {len(HONEST)};",
        f"p95 of their wait {wait:.1f} s, reach {reach:.1f} s",
    )
    return 0 if served == len(HONEST) and wait <= reach else 1


def _flooded(title: str, site: Site, interval: float, *, only_one: bool) -> list[Visit]:
    """The visits of honest visitors during a flood."""
    site.forget()
    flood = Flood(site.port)
    flood.start(only_one=only_one)
    time.sleep(UNDER_WAY)
    found = visits(site.port, HONEST, interval)
    _report(title, site, found)
    flood.end()
    for what, count in sorted(flood.counts.items()):
        _say(f"  {what:40} {count}")
    return found


def _report(title: str, site: Site, found: list[Visit]) -> None:
    _say(f"\n{title}")
    for name in ("join", "wait", "total"):
        values = [getattr(visit, name) for visit in found]
        _say(f"  {name:6} median {_quantile(values, 0.5):7.2f} s   p95 {_p95(values):7.2f} s")
    _say("  ends", sorted({visit.end for visit in found}), "of", len(found))
    health = sorted(site.health)
    _say(f"  /healthz: median {health[len(health) // 2]:.3f} s, longest {health[-1]:.2f} s, of {len(health)}")
    _say("  peak memory (MB)", {role: round(peak / MB) for role, peak in sorted(site.memory.items())})
    _say(f"  peak of var/ {site.disk / 1024:,.0f} KB")


def _say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


def _run(visit: Visit) -> float:
    """The seconds of a run."""
    return (visit.total or 0) - (visit.wait or 0)


def _p95(values: list[float | None]) -> float:
    return _quantile(values, 0.95)


def _quantile(values: list[float | None], share: float) -> float:
    """A visitor without this value waited for ever."""
    known = sorted(value if value is not None else float("inf") for value in values)
    return known[max(0, math.ceil(share * len(known)) - 1)]


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else MINUTES))
