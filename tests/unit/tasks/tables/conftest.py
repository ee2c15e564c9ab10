"""Profiles of tables that a test writes."""

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from queueing.tasks.tables.choices import Choices
from queueing.tasks.tables.profile import profile

type Profiled = Callable[..., dict[str, Any]]


def nobody(done: float, total: float, message: str) -> None:
    """Progress that nobody reads."""


@pytest.fixture
def profiled(tmp_path: Path) -> Profiled:
    """The profile of a table given as text or bytes, and of the choices of its visitor."""

    def run(content: str | bytes, **choices: Any) -> dict[str, Any]:
        path = tmp_path / "table.csv"
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return profile(path, choices=Choices(**choices), progress=nobody)

    return run


@pytest.fixture
def column_of(profiled: Profiled) -> Callable[..., dict[str, Any]]:
    """The profile of one column with these values, beside another one."""

    def run(*values: object, **choices: str) -> dict[str, Any]:
        with io.StringIO(newline="") as text:
            csv.writer(text).writerows([["value", "other"], *([value, "x"] for value in values)])
            found: dict[str, Any] = profiled(text.getvalue(), **choices)["columns"][0]
        return found

    return run
