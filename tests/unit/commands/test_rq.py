"""django-rq's commands, with our lines."""

import pytest

from queueing.line.queue import get_queue
from tests.support.commands import run_command

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_lines_are_rqs_queues(capsys: pytest.CaptureFixture[str]) -> None:
    run_command("rqstats")
    rows = capsys.readouterr().out.splitlines()
    assert {row.split()[1] for row in rows if row.startswith("| ")} == {"Name", "documents", "tables", "probe"}


def test_a_job_is_put_into_the_first_line() -> None:
    run_command("rqenqueue", "queueing.work.runner.run")
    run_command("rqenqueue", "--queue", "probe", "queueing.work.runner.run")
    assert [get_queue(name).count for name in ("documents", "tables", "probe")] == [1, 0, 1]
