"""A keeper whose rounds the tests call one by one."""

import pytest

from queueing.keeper.round import Keeper


@pytest.fixture
def keeper(db: None) -> Keeper:
    return Keeper(spares_leases=False)
