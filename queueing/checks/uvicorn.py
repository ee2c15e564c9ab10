"""The arguments of uvicorn, which a site cannot see in its settings: what does not fit is said in the log."""

import traceback
from typing import Any

LONGEST_SILENCE = 25  # seconds; within them the README promises that a dead connection is known


def sentences() -> list[str]:
    """Sentences on what does not fit in the uvicorn that imports the application; nothing for any other server."""
    config = _config()
    if config is None:
        return []
    found = []
    if config.proxy_headers:
        found.append(
            "uvicorn believes X-Forwarded-For, which visitors may write: behind a proxy on this machine they choose "
            "their address, and so evade its limits. Start it with --no-proxy-headers."
        )
    if (
        sum(seconds or LONGEST_SILENCE for seconds in (config.ws_ping_interval, config.ws_ping_timeout))
        > LONGEST_SILENCE
    ):
        found.append(
            f"uvicorn takes over {LONGEST_SILENCE} s to notice a dead connection, and its place is kept so long. Start "
            "it with --ws-ping-interval 10 --ws-ping-timeout 8."
        )
    return found


def _config() -> Any:
    """The configuration that is being loaded: uvicorn imports the application from its method."""
    for frame, _ in traceback.walk_stack(None):
        it = frame.f_locals.get("self")
        if type(it).__module__ == "uvicorn.config":
            return it
    return None
