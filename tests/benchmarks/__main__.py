"""All measurements of one machine, one after another: `make bench`. Prints one table and writes docs/benchmarks.md.

`make bench ARGS=machines` measures several web hosts, failovers and another server instead, and writes
docs/benchmarks-machines.md. Other names of modules measure these, and write nothing.

Each module is measured by a process of its own, on a Valkey and a database of its own; what speaks to the database
is measured on SQLite and on PostgreSQL.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.benchmarks import report
from tests.benchmarks.report import Row

ROOT = Path(__file__).resolve().parent.parent.parent
PLAN = [
    ("passing", ["sqlite"]),
    ("dropping", ["sqlite", "postgres"]),
    ("joining", ["sqlite", "postgres"]),
    ("checking", ["sqlite"]),
    ("starting", ["sqlite", "postgres"]),
    ("steps", ["sqlite", "postgres"]),
    ("sidekiq", ["sqlite"]),
    ("scans", ["sqlite"]),
    ("rounds", ["sqlite"]),
    ("history", ["sqlite", "postgres"]),
    ("minutes", ["sqlite", "postgres"]),
    ("ranges", ["sqlite"]),
    ("lobby", ["sqlite"]),
    ("sockets", ["sqlite"]),
    ("storm", ["sqlite", "postgres"]),
    ("crowd", ["sqlite"]),
    ("recovering", ["sqlite"]),
    ("machines", ["postgres"]),
    ("hosts", ["postgres"]),
    ("servers", ["sqlite"]),
    ("costs", ["postgres"]),
    ("million", ["sqlite"]),
    ("gradio", ["sqlite"]),
]
MACHINES = {"machines", "hosts", "servers"}
# "gradio" installs packages of its own; "costs" and "million" belong to docs/scale.md.
WHEN_ASKED = {"gradio", "costs", "million"} | MACHINES


def main(wanted: list[str]) -> int:
    began = time.monotonic()
    rows: list[Row] = []
    longest: list[float] = []
    for module, databases in chosen(wanted):
        for database in databases:
            found, script = _measure(module, database)
            # A row that has nothing to do with the database is not said twice.
            rows += [row for row in found if row.database or database == databases[0]]
            longest.append(script)
    rows.append(_longest_script(longest))
    seconds = time.monotonic() - began
    sys.stdout.write(f"\n{report.plain(rows)}\n\n{report.explained(rows)}\n\n{seconds / 60:.1f} minutes\n")
    if not wanted:
        (ROOT / "docs" / "benchmarks.md").write_text(report.markdown("Benchmarks", "make bench", rows, seconds))
    elif wanted == ["machines"]:
        page = report.markdown("Benchmarks of several machines", "make bench ARGS=machines", rows, seconds)
        (ROOT / "docs" / "benchmarks-machines.md").write_text(page)
    return 0


def chosen(wanted: list[str]) -> list[tuple[str, list[str]]]:
    """The named modules; without a name all but those that are measured only when asked for."""
    names = set(wanted) or {module for module, _ in PLAN} - WHEN_ASKED
    if "machines" in names:
        names |= MACHINES
    return [(module, databases) for module, databases in PLAN if module in names]


def _longest_script(longest: list[float]) -> Row:
    return Row(
        "the longest call of a script",
        "ms",
        longest,
        "<=",
        5,
        by="max",
        meaning="By Valkey's SLOWLOG, of each of the measurements above; here the largest counts, not the median.",
    )


def _measure(module: str, database: str) -> tuple[list[Row], float]:
    sys.stdout.write(f"--- {module} on {database}\n")
    sys.stdout.flush()
    began = time.monotonic()
    with tempfile.NamedTemporaryFile(suffix=".json") as output:
        subprocess.run(
            [sys.executable, "-m", "tests.benchmarks.measure", module, output.name],
            env=os.environ | {"TEST_DATABASE": database},
            cwd=ROOT,
            check=True,
        )
        found = json.loads(Path(output.name).read_text())
    sys.stdout.write(f"{time.monotonic() - began:.0f} seconds\n")
    return [Row(**row) for row in found["rows"]], found["longest_script"]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
