"""A Valkey that a test may break."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.connections import forget_connections
from tests.support.own_valkey import OwnValkey
from tests.support.processes import Processes


@pytest.fixture
def own_valkey(settings: Any, transactional_db: None) -> Iterator[OwnValkey]:
    made = OwnValkey()
    forget_connections()
    settings.REDIS_URL = f"redis://127.0.0.1:{made.port}/0"
    settings.REDIS_TIMEOUT = 0.3
    yield made
    forget_connections()
    made.close()


@pytest.fixture
def on_own_valkey(own_valkey: OwnValkey, processes: Processes) -> Processes:
    processes.environment["REDIS_URL"] = f"redis://127.0.0.1:{own_valkey.port}/0"
    return processes
