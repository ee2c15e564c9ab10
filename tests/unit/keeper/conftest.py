"""A keeper whose rounds the tests call one by one."""

import pytest

from queueing.keeper.round import Keeper


@pytest.fixture
def keeper(db: None) -> Keeper:
    made = Keeper()
    made._no_leases_before = 0
    return made
