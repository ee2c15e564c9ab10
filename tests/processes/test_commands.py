"""The commands as processes: one sentence and exit code 1 without Redis or the database; and a look every 2 s."""

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from django.core.management import get_commands as all_commands

from queueing.line.queue import LineQueue
from queueing.models import Line
from tests.support.paths import ROOT
from tests.support.processes import Processes
from tests.support.servers import free_port
from tests.support.waiting import wait_for

# Of each command that uses them, arguments with which it would do something.
COMMANDS = {
    "keeper": ["--once"],
    "line": ["pause", "probe"],
    "purge_stale": [],
    "queue_stats": [],
    "rqcron": ["no_such_module"],
    "rqenqueue": ["queueing.work.runner.run"],
    "rqresume": [],
    "rqscheduler": [],
    "rqstats": [],
    "rqsuspend": [],
    "rqworker": ["--burst"],
    "rqworker-pool": ["--burst"],
}
OF_THE_DATABASE = ("first_admin", "keeper", "line", "purge_stale", "queue_stats")


def test_each_command_of_ours_and_of_rq_is_tried_here() -> None:
    ours = {name for name, app in all_commands().items() if app in {"queueing", "django_rq"}}
    assert ours == {*COMMANDS, *OF_THE_DATABASE}
    assert {app for name, app in all_commands().items() if name in ours} == {"queueing"}


def fail(name: str, *arguments: str, **environment: str) -> str:
    """The words that the command ends with, on stderr."""
    command = [sys.executable, "manage.py", name, *arguments]
    variables = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"} | environment
    done = subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr.strip()


@pytest.mark.django_db(transaction=True)
def test_a_worker_whose_name_is_taken_ends_with_one_sentence(processes: Processes) -> None:
    processes.worker("--name", "twin", "probe")
    words = fail("rqworker", "--name", "twin", DATABASE_URL=processes.environment["DATABASE_URL"])
    assert words == (
        "CommandError: There exists an active worker named 'twin' already. Leave --name out, or choose another one."
    )


@pytest.mark.django_db(transaction=True)
def test_a_worker_that_finds_no_redis_at_its_start_names_the_variable(processes: Processes) -> None:
    words = fail(
        "rqworker",
        REDIS_URL=f"redis://127.0.0.1:{free_port()}/0",
        DATABASE_URL=processes.environment["DATABASE_URL"],
    )
    assert words.startswith("CommandError: Redis does not answer, or takes no writes (")
    assert words.endswith("Start it, or correct REDIS_URL.")


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", COMMANDS)
def test_without_redis_a_command_ends_with_one_sentence(name: str, processes: Processes) -> None:
    database = processes.environment["DATABASE_URL"]  # which some commands ask first
    words = fail(name, *COMMANDS[name], REDIS_URL=f"redis://127.0.0.1:{free_port()}/0", DATABASE_URL=database)
    assert words.startswith("CommandError: Redis does not answer, or takes no writes (")
    assert words.count("\n") == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", OF_THE_DATABASE)
def test_without_the_database_a_command_ends_with_one_sentence(name: str) -> None:
    words = fail(name, *COMMANDS.get(name, []), DATABASE_URL=f"postgres://127.0.0.1:{free_port()}/x")
    assert words.startswith("CommandError: The database does not answer, or refuses this (")
    assert words.count("\n") == 0


def test_with_a_wrong_address_of_redis_a_process_ends_with_a_sentence_and_without_its_password() -> None:
    words = fail("keeper", REDIS_URL="sentinel://web:half/a-password@one,two/primary")
    assert "CommandError: REDIS_URL is no address of Redis. It must read sentinel://" in words
    assert "Traceback" not in words
    assert "a-password" not in words


@pytest.mark.django_db(transaction=True)
def test_without_redis_no_line_is_steered() -> None:
    words = fail("line", "pause", "probe", REDIS_URL=f"redis://127.0.0.1:{free_port()}/0")
    assert words.startswith("CommandError: Redis does not answer, or takes no writes (")
    assert words.endswith("Start it, or correct REDIS_URL.")
    assert "\n" not in words
    assert Line.of("probe").state == "open"


def test_the_lines_are_shown_again_and_again_until_a_signal(processes: Processes) -> None:
    watch = processes.manage("queue_stats", "--watch", "--json")
    shown = processes.folder / "0.log"
    wait_for(lambda: shown.read_text().count("\n") >= 2)
    watch.send_signal(signal.SIGTERM)
    assert watch.wait(10) == 0
    first, *_ = shown.read_text().splitlines()
    assert json.loads(first)[-1]["queue"] == "probe"


def test_jobs_come_into_their_line_at_their_time(processes: Processes, queue: LineQueue) -> None:
    queue.enqueue_at(datetime(2020, 1, 1, tzinfo=UTC), "tests.support.foreign.note", "x")
    scheduler = processes.manage("rqscheduler", "--interval", "1")
    wait_for(lambda: queue.count == 1)
    scheduler.send_signal(signal.SIGTERM)
    assert scheduler.wait(10) == 0


def test_jobs_of_a_timetable_come_into_their_line(processes: Processes, queue: LineQueue) -> None:
    timetable = processes.folder / "timetable.py"
    timetable.write_text(
        "from rq import cron\nfrom tests.support.foreign import note\n"
        "cron.register(note, queue_name='probe', args=('x',), interval=1)\n"
    )
    processes.manage("rqcron", str(timetable))
    wait_for(lambda: queue.count >= 1)
