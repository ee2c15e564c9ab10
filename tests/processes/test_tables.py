"""The task "tables" in processes of its own: the whole way of a visitor, memory, and what is imported."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client

from tests.support.paths import TABLE
from tests.support.processes import Processes
from tests.support.tables import charts_of, invented


def test_a_visitor_gets_the_profile_of_the_sample(
    processes: Processes, visitor_client: Callable[[], Client], transactional_db: None
) -> None:
    """The whole way: form, line, a real worker, page and download."""
    processes.worker("tables")
    client = visitor_client()
    answer = client.post("/join/tables/", {"sample": "1"})
    assert answer.status_code == 303
    page_url = answer["Location"]
    deadline = time.monotonic() + 60
    while (state := client.get(page_url + "status.json").json())["status"] in {"waiting", "running"}:
        assert time.monotonic() < deadline, state
        time.sleep(0.2)
    assert state["status"] == "succeeded", state
    page = client.get(page_url).content.decode()
    assert "2,000 rows, 12 columns" in page
    assert len(charts_of(page)) >= 10
    download = client.get(page_url + "files/profile.json")
    assert download["Content-Type"] == "application/json"
    assert len(download.getvalue()) > 10_000


def test_the_sample_is_what_its_script_writes(tmp_path: Path) -> None:
    script = TABLE.with_name("make_table.py")
    subprocess.run([sys.executable, script, tmp_path / "table.csv"], check=True)
    assert (tmp_path / "table.csv").read_bytes() == TABLE.read_bytes()


MEASURE = """
import os, sys, pathlib
import django
django.setup()
from queueing.tasks.tables.profile import profile
found = profile(pathlib.Path(sys.argv[1]), progress=lambda *_: None)
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(found["rows"], peak)
"""


def write_table(path: Path, megabytes: int) -> int:
    """A table with ids, numbers, dates, categories and long texts, hardly any of them twice; the number of rows."""
    chance = invented(1)
    days = [
        f"20{chance.randrange(10, 26)}-{chance.randrange(1, 13):02}-{chance.randrange(1, 29):02}" for _ in range(999)
    ]
    rows = 0
    with path.open("w") as file:
        file.write("id,day,price,town,code,text\n")
        while file.tell() < megabytes * 10**6:
            for _ in range(10_000):
                rows += 1
                day, town = days[rows % 999], ("Aa", "Bee", "Cod", "Dale")[rows % 4]
                file.write(
                    f'{rows},{day},{rows * 0.7919 % 1000:.4f},{town},{rows * 2654435761:x},"{rows * 7:0>60}, x"\n'
                )
    return rows


def peak_of(path: Path) -> tuple[int, int]:
    """Rows found, and the peak of resident memory in megabytes, of a process that does nothing but this."""
    # Not ru_maxrss: a child begins with its parent's.
    done = subprocess.run([sys.executable, "-c", MEASURE, path], check=True, capture_output=True, text=True)
    rows, kilobytes = map(int, done.stdout.split())
    return rows, kilobytes // 1024


@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.slow
def test_the_memory_stays_below_500_megabytes(tmp_path: Path) -> None:
    """TABLE_MEGABYTES=500 measures the promise itself: 500 MB of table in under 500 MB of memory."""
    megabytes = int(os.environ.get("TABLE_MEGABYTES", "50"))
    rows = {name: write_table(tmp_path / f"{name}.csv", size) for name, size in [("small", 20), ("large", megabytes)]}
    found = {name: peak_of(tmp_path / f"{name}.csv") for name in rows}
    (tmp_path / "large.csv").unlink()  # pytest keeps the folder
    print(found)  # noqa: T201  # the figures, with pytest -s
    assert {name: count for name, (count, _) in found.items()} == rows
    assert max(peak for _, peak in found.values()) < 500


def test_neither_web_nor_worker_loads_duckdb_before_the_task_runs() -> None:
    code = (
        "import django, sys; django.setup(); from queueing import registry; "
        "registry.all_tasks(); print('duckdb' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"
