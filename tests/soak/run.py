"""One soak, from the first visitor to the last look at what is left."""

import os
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path

import redis
from django.core.management import call_command

from queueing.models import Entry
from queueing.states import Status
from tests.soak import faults, invariants
from tests.soak.invariants import Evidence, Violation
from tests.soak.ledger import Ledger
from tests.soak.site import Site
from tests.soak.valkey import Valkey
from tests.soak.visitors import Crowd
from tests.support import servers

SECONDS = float(os.environ.get("SECONDS") or 60)
SEED = int(os.environ.get("SEED") or secrets.randbelow(10**6))
VISITORS = int(os.environ.get("VISITORS") or 16)
QUIET = 60.0  # seconds after which all must be final
SHOWN = 6.0  # seconds of the event log around a violation


def run(valkey: Valkey) -> int:
    """The exit code."""
    call_command("migrate", verbosity=0)
    wanted = [part for part in os.environ.get("FAULTS", "").split(",") if part] or [""]
    names = [name for name in faults.FAULTS if any(part in name for part in wanted)]
    steps, ledger = faults.plan(SEED, SECONDS, names), Ledger()
    say(f"soak: seed {SEED}, {SECONDS:g} s, {VISITORS} visitors, {len(steps)} faults")
    site = Site(Path(tempfile.mkdtemp(dir=servers.FOLDER)), ledger, valkey)
    try:
        _live(site, ledger, steps)
        late = site.end_processes()
        evidence = invariants.gather(ledger)
        found = [*invariants.violations(evidence), *_left(site, late)]
        with redis.Redis(port=valkey.port) as client:
            found += invariants.left_behind(client)
        _report(evidence, steps)
        _show(found, site, ledger)
    finally:
        site.stop()
    return 1 if found else 0


def _live(site: Site, ledger: Ledger, steps: list[faults.Step]) -> None:
    """Visitors come, faults happen; then a quiet time, in which all has to end."""
    crowd, over = Crowd(site.ports, ledger, SEED, VISITORS), threading.Event()
    crowd.start()
    alarm = threading.Timer(SECONDS, over.set)
    alarm.daemon = True
    alarm.start()
    faults.Faults(site, ledger).run(steps, over)
    alarm.cancel()
    ledger.note("the quiet time begins")
    crowd.close()
    crowd.wait(QUIET)
    deadline = time.monotonic() + QUIET / 2  # for those that nobody waits for
    while time.monotonic() < deadline and Entry.objects.live().exists():
        time.sleep(0.5)


def _left(site: Site, late: list[str]) -> list[Violation]:
    found = [Violation("processes", f"{name} did not end when it was asked to", time.time()) for name in late]
    deadline = time.monotonic() + 5
    while (left := site.left_processes()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found + [Violation("processes", f"a process is left: {each}", time.time()) for each in left]


def _report(evidence: Evidence, steps: list[faults.Step]) -> None:
    ends = Counter(row.status for row in evidence.rows.values())
    attempts = Counter(run.attempt for run in evidence.runs)
    goodbyes = sum(1 for _ in invariants.farewells(evidence))
    say(f"acknowledged joins: {len(evidence.stays)}; rows: {dict(ends)}")
    say(f"starts by attempt: {dict(sorted(attempts.items()))}; goodbyes that count: {goodbyes}")
    stayed = [(stay, row) for stay, row in evidence.pairs() if stay.way == "stays"]
    lost = [stay for stay, row in stayed if row.status == Status.ABANDONED]
    gaps = [f"{min(stay.first_gap, 99):.0f}/{stay.longest_gap:.0f}" for stay in lost]
    say(f"visitors that stayed: {len(stayed)}; dropped after a gap (first/longest, s): {' '.join(gaps) or 'nobody'}")
    say(f"pairs whose order counts: {sum(1 for _ in invariants.comparable(evidence))}")
    say(f"faults: {dict(Counter(step.name for step in steps))}")


def _show(found: list[Violation], site: Site, ledger: Ledger) -> None:
    for violation in found:
        say(f"\nVIOLATION of {violation.rule!r}, seed {SEED}: {violation.text}")
        for line in ledger.around(violation.moment, SHOWN):
            say(f"  {line}")
    say(f"violations: {len(found)} (seed {SEED})")
    if target := os.environ.get("SOAK_LOG"):
        Path(target).write_text(site.processes.logs())


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
