"""ASGI middleware that asks the rules of `bodies.py`, for a server that calls the application at the headers.

uvicorn is such a server. Under `config.serve`, the server has asked already and says so in the scope. A plain daphne
calls the application when the whole body has arrived: then the rules hold, but late.
"""

import asyncio
import time
from typing import Any

from queueing.conf import conf
from queueing.web import bodies, refusals
from queueing.web.bodies import Permit
from queueing.web.origin import App
from queueing.web.pace import Pace
from queueing.web.refusals import Refusal, scribe

TAKEN = "queueing.body"  # ASGI extension: the server has judged this request


class BodyLimits:
    """Refuses a body at the headers, or while it comes in, and closes the connection."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or TAKEN in scope.get("extensions", {}) or not bodies.has_body(scope):
            await self.app(scope, receive, send)
            return
        verdict = bodies.judge(scope)
        if isinstance(verdict, Refusal):
            await _refuse(scope, send, verdict)
            return
        limited = _Limited(scope, receive, send, verdict)
        try:
            await self.app(scope, limited.receive, limited.send)
        finally:
            verdict.ticket.release()


class _Limited:
    """The two ways of a request, one of which is watched until the body has ended."""

    def __init__(self, scope: Any, receive: Any, send: Any, permit: Permit) -> None:
        self.scope, self._receive, self._send, self.permit = scope, receive, send, permit
        self.pace = Pace(time.monotonic(), permit.size)
        self.taken = 0
        self.is_refused = self.has_ended = self.has_answered = False

    async def receive(self) -> Any:
        if self.has_ended:
            return await self._receive()
        try:
            async with asyncio.timeout(conf.STALL_SECONDS):
                message = await self._receive()
        except TimeoutError:
            return await self._refuse(refusals.TOO_SLOW)
        size = len(message.get("body", b""))
        self.taken += size
        self.pace.add(size)
        self.has_ended = not message.get("more_body", False)
        if self.taken > self.permit.limit:
            return await self._refuse(self.permit.refusal)
        if not self.has_ended and self.pace.is_too_slow(time.monotonic()):
            return await self._refuse(refusals.TOO_SLOW)
        return message

    async def send(self, message: Any) -> None:
        self.has_answered = True
        if not self.is_refused:
            await self._send(message)

    async def _refuse(self, refusal: Refusal) -> Any:
        """Answer in the application's place, and tell it that the client is gone."""
        self.has_ended = True
        if not self.has_answered:
            self.is_refused = True
            await _refuse(self.scope, self._send, refusal, self.taken)
        return {"type": "http.disconnect"}


async def _refuse(scope: Any, send: Any, refusal: Refusal, taken: int | None = None) -> None:
    scribe.note(refusal, scope, bodies.declared_size(scope) if taken is None else taken)
    headers, content = refusal.answer()
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
