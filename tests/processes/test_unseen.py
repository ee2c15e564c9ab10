"""No work is done for a form whose page nobody opens."""

import pytest

from queueing.line import clients, keys
from queueing.models import Entry
from queueing.states import Status
from tests.support import probe
from tests.support.processes import Processes
from tests.support.visitors import Visitor
from tests.support.waiting import wait_for
from tests.support.web import Web


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


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("server", ["daphne", "uvicorn"])
def test_a_web_process_watches_before_its_first_request(processes: Processes, server: str) -> None:
    """An unseen entry that code has made may be the only one, and would never be over."""
    Web(processes, server).wait()
    client = clients.connection()
    wait_for(lambda: client.exists(keys.WATCH))
