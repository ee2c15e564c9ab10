"""daphne answers an Origin that it cannot parse with 400, before our code is called; like every other foreign one it
gets 403. daphne has no hook for this, so its handshake's refusal is wrapped; `tests/test_sockets.py` watches it.
"""

from typing import Any

from daphne.ws_protocol import WebSocketProtocol


def refuse_malformed_origins() -> None:
    """Call once, before the server takes connections."""
    refuse = WebSocketProtocol.failHandshake

    def fail_handshake(self: Any, reason: str, code: int = 400, headers: Any = None) -> None:
        refuse(self, reason, 403 if "Origin header" in reason else code, headers)

    WebSocketProtocol.failHandshake = fail_handshake
