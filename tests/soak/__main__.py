"""`make soak`: real processes under seeded faults, with visitors that remember what the site has acknowledged.

    SECONDS=60 SEED=1 python -m tests.soak

SECONDS=0: each fault once. TEST_DATABASE=postgres takes PostgreSQL in place of SQLite, and VALKEY=one a single Valkey
in place of a primary with sentinels. VISITORS sets their number, FAULTS names the faults by parts of their names,
separated by commas, LATE the seconds by which a busy machine may be late, and SOAK_LOG a file for the logs. Ends with 1
if something did not hold, and prints the seed and the events around it.
"""

import os
import signal
import sys

from tests.soak.disk import enter_own_mounts

# Before there is any other thread.
HAS_DISKS = enter_own_mounts()
# The database of a soak is on a disk of its own, so the usual one is not started.
os.environ["SOAK_DATABASE"] = os.environ.pop("TEST_DATABASE", "sqlite")

# At import: it sets the environment that Django's settings are read from.
from tests.support import servers  # noqa: E402


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # nothing of the site is left
    from tests.soak.machines import started

    try:
        with started(mounted=HAS_DISKS) as machines:
            os.environ |= machines.environment | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
            import django

            django.setup()
            from tests.soak.run import run

            return run(machines)
    finally:
        servers.pytest_unconfigure()


if __name__ == "__main__":
    sys.exit(main())
