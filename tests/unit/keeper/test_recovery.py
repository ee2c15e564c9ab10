"""Rows that the keeper leaves alone: running entries with an old claim or place, and leases that may be renewed."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db.models.functions import Now

from queueing.keeper import reconcile
from queueing.keeper.round import Keeper
from queueing.line import presence
from queueing.line.places import Line
from queueing.models import Entry

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]


def test_the_claim_of_a_running_entry_ends_without_a_place(keeper: Keeper, join: Join, line: Line) -> None:
    """Redis was away when the horse ended its claim: the entry must not be handed out beside its own task."""
    entry = join()
    line.claim("w1")
    entry.start("w1")
    line.client.hset(line.keys.claims, "w1", f"{entry.job_id}:{entry.score}:1")
    keeper.recover_claims(line)
    assert (line.claims(), line.ids(), line.held_ids()) == ({}, [], [])


def test_a_running_entry_loses_a_left_over_place_and_keeps_its_visitor(keeper: Keeper, join: Join, line: Line) -> None:
    entry = join()
    entry.start("w1")
    keeper.reconciler.compare(line)
    assert line.ids() == []
    assert presence.is_present(entry.queue, entry.job_id)


def test_a_row_that_has_ended_meanwhile_gets_no_place_back(join: Join, line: Line) -> None:
    entry = join()
    line.remove_place(entry.job_id)
    entry.cancel()
    assert reconcile.restore(line, [entry.job_id]) == 0
    assert line.ids() == []


@pytest.mark.parametrize("cause", ["a keeper that has just started", "a round that hung"])
def test_leases_may_be_late_after(join: Join, cause: str) -> None:
    """Workers could not renew meanwhile: the database, or the machine, was away."""
    entry = join()
    entry.start("w1")
    Entry.objects.update(lease_until=Now() - timedelta(seconds=1))
    keeper = Keeper()
    if cause == "a round that hung":
        keeper._no_leases_before = 0
        keeper._round_at -= 300
    assert keeper.recover_leases() == 0
    keeper._no_leases_before = 0
    assert keeper.recover_leases() == 1
