"""`make soak`: real processes under seeded faults, with visitors that remember what the site has acknowledged.

    SECONDS=60 SEED=1 python -m tests.soak

TEST_DATABASE=postgres takes PostgreSQL in place of SQLite. VISITORS sets their number, FAULTS names the faults by parts
of their names, separated by commas, and SOAK_LOG a file for the logs. Ends with 1 if something did not hold, and prints
the seed and the events around it.
"""

import os
import sys

# At import: it starts the database, and sets the environment that Django's settings are read from.
from tests.support import servers


def main() -> int:
    from tests.soak.valkey import Valkey

    valkey = Valkey()
    try:
        os.environ |= {"REDIS_URL": f"redis://127.0.0.1:{valkey.port}/0", "DJANGO_SETTINGS_MODULE": "tests.settings"}
        import django

        django.setup()
        from tests.soak.run import run

        return run(valkey)
    finally:
        valkey.stop()
        servers.pytest_unconfigure()


if __name__ == "__main__":
    sys.exit(main())
