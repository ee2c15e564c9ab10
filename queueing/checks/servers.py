"""The arguments of uvicorn and daphne, which no setting tells: what does not fit is said in the log."""

import traceback
from collections.abc import Iterator
from typing import Any

LONGEST_SILENCE = 25  # seconds; within them the README promises that a dead connection is known


def sentences() -> list[str]:
    """Sentences on what does not fit in the server that imports the application: uvicorn, or daphne by its command."""
    found = []
    if config := _uvicorn():
        if config.proxy_headers:
            found.append(
                "uvicorn believes X-Forwarded-For, which visitors may write: behind a proxy on this machine they "
                "choose their address, and so evade its limits. Start it with --no-proxy-headers."
            )
        if _is_late(config.ws_ping_interval, config.ws_ping_timeout):
            found.append(_late("uvicorn", "--ws-ping-interval 10 --ws-ping-timeout 8"))
    if (options := _daphne()) and _is_late(options.ping_interval, options.ping_timeout):
        found.append(_late("daphne", "--ping-interval 10 --ping-timeout 8"))
    return found


def _is_late(*pings: float | None) -> bool:
    return sum(seconds or LONGEST_SILENCE for seconds in pings) > LONGEST_SILENCE


def _late(server: str, arguments: str) -> str:
    return (
        f"{server} takes over {LONGEST_SILENCE} s to notice a dead connection, and its place is kept so long. Start it "
        f"with {arguments}."
    )


def _uvicorn() -> Any:
    """The configuration that is being loaded: uvicorn imports the application from its method."""
    return next((it for it, _ in _methods("uvicorn.config")), None)


def _daphne() -> Any:
    """The options of its command line, whose method imports the application. Ours has looked at them itself."""
    return next(
        (names["args"] for _, names in _methods("daphne.cli") if hasattr(names.get("args"), "ping_interval")), None
    )


def _methods(module: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    """The methods under way of objects of this module's classes: the object, and the local names."""
    for frame, _ in traceback.walk_stack(None):
        it = frame.f_locals.get("self")
        if type(it).__module__ == module:
            yield it, frame.f_locals
