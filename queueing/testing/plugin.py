"""A plugin of pytest: fixtures for tests of a site with the queue. pytest finds it where the wheel is installed.

It needs pytest-django. Nothing of Django is imported at the top: pytest loads this in every project of an environment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from queueing import serving

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from queueing.testing.clock import Clock
    from queueing.testing.lines import InProcessLine
    from queueing.testing.visitors import Visitor


def pytest_configure() -> None:
    """Let tests import the ASGI application: it makes no checks, for which the database would have to be there."""
    serving.application_is_looked_at()


@pytest.fixture(scope="session")
def _queue_of_session() -> Iterator[None]:
    """Leave nothing in Redis after the last test."""
    yield
    from queueing.testing.beginning import end

    end()


@pytest.fixture
def empty_queue(_queue_of_session: None, db: None, settings: Any, tmp_path: Path) -> None:
    """Nobody is in the queue: Redis is emptied, all lines are ready, and files go to a folder of the test."""
    from queueing.testing.beginning import begin

    settings.MEDIA_ROOT = str(tmp_path / "media")
    folder = {"BACKEND": "django.core.files.storage.FileSystemStorage"}
    settings.STORAGES = settings.STORAGES | {"default": folder}  # whatever the site has, such as a bucket
    begin()


@pytest.fixture
def new_visitor(empty_queue: None) -> Callable[..., Visitor]:
    """Makes visitors: `anna = new_visitor()`. See queueing/testing/visitors.py."""
    from queueing.testing.visitors import Visitor

    return Visitor


@pytest.fixture
def queue_line(empty_queue: None) -> Callable[[str], InProcessLine]:
    """Gives a line by its name: `queue_line("words").run()`. See queueing/testing/lines.py."""
    from queueing.testing.lines import InProcessLine

    return InProcessLine


@pytest.fixture
def queue_clock(empty_queue: None) -> Clock:
    """Lets time pass: `queue_clock.advance(60)`. See queueing/testing/clock.py."""
    from queueing.testing.clock import Clock

    return Clock()
