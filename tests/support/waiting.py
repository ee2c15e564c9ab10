"""Waiting for other processes."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any


def wait_for(condition: Callable[[], Any], seconds: float = 30) -> Any:
    """Wait until the condition is true, and return its value; fail after `seconds` with the last value."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {seconds} s")
        time.sleep(0.05)
    return value


async def until(condition: Callable[[], Awaitable[Any]], seconds: float = 30, every: float = 0.05) -> Any:
    """As `wait_for`, in an event loop: between two looks the other coroutines go on."""
    deadline = time.monotonic() + seconds
    while not (value := await condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"still {value!r} after {seconds} s")
        await asyncio.sleep(every)
    return value
