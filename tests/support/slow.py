"""Further cases of a test, which run among the slow tests: the fast ones have the cases that differ most."""

from typing import Any

import pytest


def slow(*values: Any) -> list[Any]:
    """These values for `parametrize`, marked as slow; a tuple is the values of several arguments."""
    return [
        pytest.param(*(value if isinstance(value, tuple) else (value,)), marks=pytest.mark.slow) for value in values
    ]
