"""One soak, from the first visitor to the last look at what is left."""

import os
import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from django.core.management import call_command

from queueing.models import Entry
from queueing.states import Status
from tests.soak import faults, invariants
from tests.soak.invariants import Evidence, Violation
from tests.soak.ledger import Ledger
from tests.soak.machines import Machines
from tests.soak.site import Site
from tests.soak.visitors import Crowd

SECONDS = float(os.environ.get("SECONDS") or 60)  # 0: until each fault was there once
LONGEST = 1800.0  # seconds of a soak of 0 seconds
SEED = int(os.environ.get("SEED") or secrets.randbelow(10**6))
VISITORS = int(os.environ.get("VISITORS") or 16)
QUIET = 120.0  # seconds after which all must be final; on a busy machine, too
SHOWN = 6.0  # seconds of the event log around a violation
LAST = 30.0  # seconds of the event log before an error of the soak itself
MISSING = {
    "disks": "only root may mount a small disk",
    "clocks": "there is no C compiler (on Debian: apt-get install gcc libc6-dev)",
    "PostgreSQL": "SQLite is on one host, and has its clock (TEST_DATABASE=postgres)",
    "failover": "one Valkey has nobody to fail over to (VALKEY=one)",
}


def run(machines: Machines) -> int:
    """The exit code."""
    call_command("migrate", verbosity=0)
    wanted = [part for part in os.environ.get("FAULTS", "").split(",") if part] or [""]
    names, left_out = faults.possible(wanted, machines)
    ledger = Ledger()
    ledger.promised = [] if SECONDS else names
    length = f"{SECONDS:g} s" if SECONDS else "each fault once"
    servers = f"{machines.database.kind}, {machines.valkey.kind}"
    say(f"soak: seed {SEED}, {length}, {VISITORS} visitors, {len(names)} kinds of faults, {servers}")
    for missing, those in left_out.items():
        for name in those:
            say(f"left out: {name}, because {MISSING.get(missing, MISSING['failover'])}")
    site = Site(ledger, machines)
    try:
        _live(site, ledger, faults.plan(SEED, SECONDS, names))
        late = site.end_processes()
        evidence = invariants.gather(ledger)
        found = [*invariants.violations(evidence), *_left(site, late)]
        with machines.valkey.client() as client:
            found += invariants.left_behind(client)
        _report(evidence)
        _show(found, site, ledger)
    except Exception:
        say(f"\nThe soak itself has failed, seed {SEED}. Before that:")
        for line in ledger.around(time.time(), LAST):
            say(f"  {line}")
        raise
    finally:
        site.stop()
    return 1 if found else 0


def _live(site: Site, ledger: Ledger, steps: Iterator[faults.Step]) -> None:
    """Visitors come, faults happen; then a quiet time, in which all has to end."""
    crowd, over = Crowd(site.ports, ledger, SEED, VISITORS), threading.Event()
    crowd.start()
    alarm = threading.Timer(SECONDS or LONGEST, over.set)
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
    site.supervisor.settle(QUIET / 2)


def _left(site: Site, late: list[str]) -> list[Violation]:
    found = [Violation("processes", f"{name} did not end when it was asked to", time.time()) for name in late]
    deadline = time.monotonic() + 20
    while (left := site.left_processes()) and time.monotonic() < deadline:
        time.sleep(0.2)
    return found + [Violation("processes", f"a process is left: {each}", time.time()) for each in left]


def _report(evidence: Evidence) -> None:
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
    ledger = evidence.ledger
    say(f"restarts: {len(ledger.ends)}")
    for end in ledger.ends:
        say(f"  {ledger.line(end.ended, str(end))}")
    say(f"nothing was there for: {dict(ledger.left_out) or 'no fault'}")
    say(f"faults: {ledger.faults.total()}: {dict(ledger.faults)}")


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
