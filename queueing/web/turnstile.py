"""The turnstile: bounds the sockets of a web process by client address and by visitor, before the database is read.

A socket counts from its handshake until it is closed, so a flood of handshakes is bounded as a crowd of pages is. A
page that is refused polls instead, and tries again with growing pauses.
"""

from collections import Counter
from typing import Any

from django.conf import settings

from queueing.conf import conf
from queueing.web import audit
from queueing.web.address import address_of_scope, network_key
from queueing.web.consumers import Refuse
from queueing.web.meter import Meter
from queueing.web.origin import App

# An address may make as many handshakes as it may have sockets in this time, in seconds: a school whose pages come back
# together after a restart is let in, and a flood is not.
PERIOD = 10.0


class Turnstile:
    """ASGI middleware for sockets, behind the cookies. A refused socket gets 403, as every refusal before accept does.

    Without a session there is no right to any entry, so a handshake without its cookie is refused here, too.
    """

    def __init__(self, app: App) -> None:
        self.app = app
        self._inside: Counter[str] = Counter()  # sockets by address and by visitor
        self._handshakes = Meter()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        address = address_of_scope(scope)
        keys = _limits(network_key(address), scope["cookies"].get(settings.SESSION_COOKIE_NAME, ""))
        if not keys or not self._admits(keys, network_key(address)):
            if keys:
                audit.refused("A socket too many is refused", address)
            await Refuse()(scope, receive, send)
            return
        self._inside.update(list(keys))
        try:
            await self.app(scope, receive, send)
        finally:
            self._inside.subtract(list(keys))
            for key in keys:
                if self._inside[key] <= 0:
                    del self._inside[key]

    def _admits(self, limits: dict[str, int], address: str) -> bool:
        has_room = all(self._inside[key] < limit for key, limit in limits.items())
        at_once = conf.MAX_PAGES_PER_ADDRESS
        return has_room and (
            not address or not self._handshakes.wait_of(address, interval=PERIOD / at_once, at_once=at_once)
        )


def _limits(network: str, session: str) -> dict[str, int]:
    """The keys that this socket counts for, each with its limit; empty without a session.

    A server on a Unix socket without a proxy's header knows no addresses: there, only visitors are bounded.
    """
    if not session:
        return {}
    limits = {f"visitor {session}": conf.MAX_PAGES_PER_VISITOR}
    return limits | ({f"address {network}": conf.MAX_PAGES_PER_ADDRESS} if network else {})
