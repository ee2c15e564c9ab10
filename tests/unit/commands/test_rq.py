"""django-rq's commands, with our lines."""

import pytest
import redis
from django.core.management import CommandError, load_command_class
from rq.suspension import WORKERS_SUSPENDED

from queueing.line.queue import get_queue
from tests.support.commands import run_command

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_lines_are_rqs_queues(capsys: pytest.CaptureFixture[str]) -> None:
    run_command("rqstats")
    rows = capsys.readouterr().out.splitlines()
    assert {row.split()[1] for row in rows if row.startswith("| ")} == {"Name", "documents", "tables", "probe"}


@pytest.mark.parametrize(("given", "seconds"), [("90", 90), ("30m", 1800), ("1h", 3600), ("604800", 604800)])
def test_a_pause_is_given_in_seconds_or_with_its_unit(given: str, seconds: int, valkey: redis.Redis) -> None:
    assert f"All lines are paused for {seconds} s" in run_command("rqsuspend", "--duration", given)
    assert seconds - 5 < valkey.ttl(WORKERS_SUSPENDED) <= seconds


@pytest.mark.parametrize(("given", "said"), [("0", "at least 1 second"), ("1 hour", "write 90s, 30m, 1h or 7d")])
def test_a_pause_that_is_none_is_refused(given: str, said: str, valkey: redis.Redis) -> None:
    with pytest.raises(CommandError, match=said):
        run_command("rqsuspend", "--duration", given)
    assert not valkey.exists(WORKERS_SUSPENDED)


def test_a_pool_without_workers_is_refused() -> None:
    with pytest.raises(CommandError, match="--num-workers is at least 1: without a worker nobody is served"):
        run_command("rqworker-pool", "--num-workers", "0")


@pytest.mark.parametrize("name", ["rqworker", "rqworker-pool"])
def test_the_help_of_a_worker_says_which_lines_it_serves(name: str) -> None:
    command = load_command_class("queueing", name)
    assert "without a name" in " ".join(command.create_parser("manage.py", name).format_help().split())


def test_a_job_is_put_into_the_first_line() -> None:
    run_command("rqenqueue", "queueing.work.runner.run")
    run_command("rqenqueue", "--queue", "probe", "queueing.work.runner.run")
    assert [get_queue(name).count for name in ("documents", "tables", "probe")] == [1, 0, 1]
