"""`manage.py keeper` for one round."""

from collections.abc import Callable

import pytest

from queueing.line.places import Line
from queueing.models import Entry
from tests.support.commands import run_command
from tests.support.presence import go

pytestmark = pytest.mark.django_db(transaction=True)


Join = Callable[..., Entry]


def test_one_round_says_what_it_moved(join: Join, line: Line) -> None:
    stays, goes = join("stays"), join("goes")
    go(goes)
    words = run_command("keeper", "--once")
    assert words.startswith("1 held, 0 dropped, 0 claims returned, ")
    assert words.endswith(".")
    assert (line.ids(), line.held_ids()) == ([stays.job_id], [goes.job_id])
