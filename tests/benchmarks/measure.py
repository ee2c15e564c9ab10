"""Measure the rows of one module, on a Valkey and a database of its own: `python -m tests.benchmarks.measure joining`.

TEST_DATABASE=postgres measures on PostgreSQL instead of SQLite. A second argument names a file for the rows as JSON.
"""

import json
import os
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import redis

from queueing.line import clients
from tests.benchmarks import report
from tests.support import servers

# For all that is measured: as in production, but for TLS. With DEBUG, Django keeps the text of each query.
DEPLOYED = {
    "DEBUG": "0",
    "SECURE_COOKIES": "0",
    "SECURE_SSL_REDIRECT": "0",
    "ALLOWED_HOSTS": "127.0.0.1 localhost",
    "PYTHONWARNINGS": "ignore",
}


def main(module: str, output: str | None) -> None:
    # The plugin has started the servers and put their addresses into the environment.
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.benchmarks.settings"
    os.environ["PROBE_TIMEOUT"] = "180"  # seconds the probe may run
    os.environ["LOG_LEVEL"] = "WARNING"
    os.environ |= DEPLOYED
    import django

    django.setup()
    from django.core.management import call_command
    from django.db import connection

    call_command("migrate", verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)  # no web process starts without, and no page is shown
    database = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[connection.vendor]
    client = clients.connection()
    client.config_set("slowlog-log-slower-than", 500)  # microseconds
    client.config_set("slowlog-max-len", 100_000)
    # Imported here: settings are read by it.
    from tests.support.epochs import begin_epochs

    begin_epochs(client)
    try:
        rows = list(import_module(f"tests.benchmarks.{module}").rows())
        rows = [replace(row, database=database) if row.database else row for row in rows]
        longest = _longest_script(client)
    finally:
        connection.close()
        servers.pytest_unconfigure()
    sys.stdout.write(f"{report.plain(rows)}\nlongest script call: {longest:.2f} ms\n")
    if output is not None:
        Path(output).write_text(json.dumps({"rows": [row.as_json() for row in rows], "longest_script": longest}))


def _longest_script(client: redis.Redis) -> float:
    """Milliseconds of the longest call of a script, by Valkey's own slow log; 0 when all were too short for it."""
    calls = client.slowlog_get(100_000)
    return max((call["duration"] / 1000 for call in calls if call["command"].startswith(b"EVALSHA")), default=0.0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else None)
