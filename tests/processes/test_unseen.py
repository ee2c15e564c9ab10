"""No work is done for a form whose page nobody opens."""

import pytest

from queueing.models import Entry
from queueing.states import Status
from tests.support import probe
from tests.support.processes import Processes
from tests.support.visitors import Visitor
from tests.support.waiting import wait_for


@pytest.mark.django_db(transaction=True)
def test_a_form_sent_without_a_page_is_never_worked_on(processes: Processes) -> None:
    processes.keeper()
    processes.worker()
    ghost = Visitor().join(looks=False, label="ghost")
    visitor = Visitor()
    entry = visitor.join(label="real")
    wait_for(lambda: Entry.objects.filter(pk=entry.pk, status=Status.SUCCEEDED).exists())
    assert probe.calls() == ["real"]
    ghost.refresh_from_db()
    assert (ghost.status, ghost.attempt) == (Status.WAITING, 0)
