"""A keeper whose rounds the tests call one by one."""

import pytest

from queueing.keeper.round import Keeper

BUDGETS = ("HOLD_BUDGET", "DROP_BUDGET", "BRING_BUDGET", "SETTLE_BUDGET", "PURGE_BUDGET")


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A round ends each step that it has begun, on a slow machine, too. A test of a budget sets its own."""
    for name in BUDGETS:
        monkeypatch.setattr(f"queueing.keeper.round.{name}", 60.0)


@pytest.fixture
def keeper(db: None) -> Keeper:
    return Keeper(spares_leases=False)
