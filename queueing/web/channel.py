"""One HTTP connection under daphne, with a limit for each byte and second of it.

daphne calls the application when a request has arrived as a whole, so the rules of `bodies.py` are asked here: at the
end of the headers, and while the body comes in. Each connection is in one phase, and each phase has a deadline, which
`Channel.check` looks at once a second.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from enum import Enum
from typing import Any
from urllib.parse import unquote

from daphne.utils import INVALID_HEADER_VALUE_BYTES
from twisted.internet.protocol import connectionDone
from twisted.web.http import HTTPChannel

from queueing.conf import conf
from queueing.web import bodies, overload, refusals
from queueing.web.address import address_of_scope, network_key
from queueing.web.bodies import Permit
from queueing.web.pace import Pace
from queueing.web.paths import ROOT_HEADER, path_of
from queueing.web.refusals import Refusal, scribe

logger = logging.getLogger("queueing")

MAX_HEADER_LINES = 500
# A body may come in so many pieces of any size, and in one more for each so many bytes. A piece costs the process as
# much as 10 KB of a long one: chunks of one byte would keep it busy.
FREE_PIECES, BYTES_PER_PIECE = 1000, 256
FIRST_PIECE = 10.0  # seconds in which a body has to begin: it has its room from the headers on
LINGER = 2.0  # seconds that a refused client has to read its answer
DISCARD = 256 * 1024  # bytes that are still read from it meanwhile


# Headers that nothing here needs. By the first a client would say where the site is, by the second how frames are
# packed; daphne packs none.
IGNORED = frozenset({ROOT_HEADER, b"sec-websocket-extensions"})
INVALID = frozenset(INVALID_HEADER_VALUE_BYTES)  # for daphne; the value of a header alone can have them


class Phase(Enum):
    """The event that a connection waits for."""

    IDLE = "the next request"
    HEADERS = "the headers"
    BODY = "the body"
    ANSWER = "the application, or the client that reads its answer"
    CLOSING = "its end"


class Channel(HTTPChannel):
    """The connection. Twisted's own time-out is off: any byte would reset it."""

    transport: Any
    _networkProducer: Any
    address = ""  # a key of the peer's network, if its connections are counted
    phase = Phase.HEADERS  # a client that connects has something to say
    since = 0.0  # when the phase began
    permit: Permit | None = None
    pace: Pace
    stalled_at: float | None = None  # since then the client has not taken what was sent
    taken = pieces = header_lines = discarded = 0

    def connectionMade(self) -> None:
        super().connectionMade()
        self._begin(Phase.HEADERS)
        self._drained: asyncio.Future[None] | None = None

    def connectionLost(self, reason: Any = connectionDone) -> None:
        super().connectionLost(reason)
        self._set_drained()
        self._release()
        self.factory.forget(self)

    # Data

    def dataReceived(self, data: bytes) -> None:
        if self.phase is Phase.CLOSING:
            self._discard(data)
            return
        if self.phase is Phase.IDLE:
            self._begin(Phase.HEADERS)
        super().dataReceived(data)

    def lineReceived(self, line: bytes) -> None:
        self.header_lines += 1
        if self.header_lines > MAX_HEADER_LINES:
            self.refuse(refusals.BAD_REQUEST)
        if self.phase is not Phase.CLOSING:
            super().lineReceived(line)

    def lineLengthExceeded(self, line: bytes) -> None:
        self.refuse(refusals.BAD_REQUEST)

    def rawDataReceived(self, data: bytes) -> None:
        if self.phase is Phase.CLOSING:
            return
        super().rawDataReceived(data)
        if len(self._dataBuffer) > 16:  # each piece is counted at each next one
            self._dataBuffer = [b"".join(self._dataBuffer)]

    def headerReceived(self, line: bytes) -> bool:
        name = line.partition(b":")[0].lower()
        if name in IGNORED:
            return True
        if not INVALID.isdisjoint(line) or (name == b"sec-websocket-protocol" and not line.isascii()):
            if name != b"cookie":
                self.refuse(refusals.BAD_REQUEST)
                return False
            line = without_invalid_cookies(line)
        try:
            return bool(super().headerReceived(line))
        except ValueError:  # a Content-Length of thousands of digits
            self.refuse(refusals.BAD_REQUEST)
            return False

    def allHeadersReceived(self) -> None:
        if self.phase is Phase.CLOSING:
            return
        self.header_lines = 0
        if not _is_plain(getattr(self, "_command", b""), getattr(self, "_path", b"")):
            self.refuse(refusals.BAD_REQUEST)
            return
        if self._is_too_much():
            self.refuse(refusals.OVERLOADED)
            return
        if self._transferDecoder is not None and self.length != 0:
            verdict = self._judged()
            if isinstance(verdict, Refusal):
                self.refuse(verdict)
                return
            self._begin(Phase.BODY)
            self.permit, self.pace, self.taken, self.pieces = verdict, Pace(self.since, verdict.size), 0, 0
        self._or_no_room(super().allHeadersReceived)

    def _is_too_much(self) -> bool:
        """True if too many requests of this kind wait for their turn."""
        upgrade = self.requests[-1].requestHeaders.getRawHeaders(b"Upgrade", [b""])[0]
        asked = self._scope()
        turns = overload.turns_of(asked["method"], path_of(asked), is_socket=upgrade.lower() == b"websocket")
        return turns is not None and turns.room.is_full(network_key(address_of_scope(asked)))

    def body_received(self, size: int, write: Callable[[], None]) -> None:
        """A piece of the body has come: keep it, or refuse the request."""
        if self.phase is Phase.CLOSING or self.permit is None:
            return
        self.pace.add(size)
        self.taken += size
        self.pieces += 1
        if self.taken > self.permit.limit:
            self.refuse(self.permit.refusal)
        elif self.pieces > FREE_PIECES + self.taken // BYTES_PER_PIECE:
            self.refuse(refusals.TOO_SLOW)
        else:
            self._or_no_room(write)

    def allContentReceived(self) -> None:
        if self.phase is Phase.CLOSING:
            return
        self._begin(Phase.ANSWER)
        self.requests[-1].permit, self.permit = self.permit, None
        super().allContentReceived()

    def requestDone(self, request: Any) -> None:
        self._begin(Phase.HEADERS if self._dataBuffer else Phase.IDLE)
        super().requestDone(request)

    def checkPersistence(self, request: Any, version: bytes) -> bool:
        stays = bool(super().checkPersistence(request, version))
        if stays and self.factory.is_shutting_down:
            request.responseHeaders.setRawHeaders(b"connection", [b"close"])
        return stays and not self.factory.is_shutting_down

    def become_socket(self) -> None:
        """The connection is a WebSocket now; this object stays as its producer. Its request takes 2 KB."""
        self.factory.forget(self)
        self.requests.clear()

    # The answer

    async def drained(self) -> None:
        """Returns when the client has taken what was sent, or is gone."""
        if self._waitingForTransport and self.phase is not Phase.CLOSING:
            if self._drained is None:
                self._drained = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._drained)

    def pauseProducing(self) -> None:
        super().pauseProducing()
        if self.stalled_at is None:
            self.stalled_at = time.monotonic()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        self.stalled_at = None
        self._set_drained()

    def _set_drained(self) -> None:
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        self._drained = None

    # The end

    def check(self, now: float) -> None:
        """End the connection if its phase has lasted too long."""
        age = now - self.since
        match self.phase:
            case Phase.IDLE if age > conf.KEEP_ALIVE_SECONDS:
                self.loseConnection()
            case Phase.HEADERS if age > conf.HEADER_SECONDS:
                self._end_half_open()
            case Phase.BODY if self.pace.is_too_slow(now) or (not self.taken and age > FIRST_PIECE):
                self.refuse(refusals.TOO_SLOW)
            case Phase.ANSWER if self._is_stalled(now):
                self.abort()
            case Phase.CLOSING if age > (conf.STALL_SECONDS if self.transport.disconnecting else LINGER):
                self.abort()

    def refuse(self, refusal: Refusal) -> None:
        """Answer, and close: the client gets a moment to read it, and nothing more is kept of what it sends."""
        if self.phase is Phase.CLOSING:
            return
        size = self.taken if self.length is None else self.length
        scribe.note(refusal, self._scope(), size)
        self._release()
        if self.requests and self.requests[-1].content is not None:
            self.requests[-1].content.close()
        is_head = getattr(self, "_command", b"") == b"HEAD"
        self.transport.write(refusal.as_http(is_head=is_head))
        self._begin(Phase.CLOSING)
        self.clearLineBuffer()
        self.transport.loseWriteConnection()

    def end_with_answer(self) -> None:
        """The connection ends behind the answer to the request that is under way."""
        for request in self.requests:
            self.persistent = False
            request.responseHeaders.setRawHeaders(b"connection", [b"close"])

    def is_quiet_since(self, moment: float, seconds: float) -> bool:
        """True if no request is under way, and none has come for so long, counted from that moment at the earliest."""
        has_begun = self.phase is not Phase.IDLE and (self.phase is not Phase.HEADERS or self.requests or self._buffer)
        return not has_begun and time.monotonic() - max(self.since, moment) > seconds

    def loseConnection(self) -> None:
        self._begin(Phase.CLOSING)
        super().loseConnection()

    def abort(self) -> None:
        """End the connection without waiting for anything."""
        self.transport.abortConnection()

    def _respondToBadRequestAndDisconnect(self) -> None:
        self.refuse(refusals.BAD_REQUEST)

    def _end_half_open(self) -> None:
        """A client that has said nothing at all gets no answer."""
        if self.requests or self._buffer:
            self.refuse(refusals.TOO_SLOW)
        else:
            self.loseConnection()

    def _is_stalled(self, now: float) -> bool:
        if self.stalled_at is None:
            return False
        return now - self.stalled_at > conf.STALL_SECONDS or now - self.since > conf.TRANSFER_SECONDS

    def _discard(self, data: bytes) -> None:
        self.discarded += len(data)
        if self.discarded > DISCARD:
            self._networkProducer.pauseProducing()

    # Details

    def _begin(self, phase: Phase) -> None:
        self.phase, self.since = phase, time.monotonic()

    def _release(self) -> None:
        if self.permit is not None:
            self.permit.ticket.release()
            self.permit = None

    def _or_no_room(self, write: Callable[[], None]) -> None:
        """Write to the temporary folder. When it is full, refuse the request."""
        try:
            write()
        except OSError:
            logger.exception("The temporary folder takes nothing")
            self.refuse(refusals.NO_ROOM)

    def _judged(self) -> Permit | Refusal:
        try:
            return bodies.judge(self._scope())
        except Exception:
            logger.exception("A body could not be judged")
            return refusals.BROKEN

    def _scope(self) -> dict[str, Any]:
        """The ASGI scope of the request whose headers are read, as far as the rules need it."""
        headers = self.requests[-1].requestHeaders.getAllRawHeaders() if self.requests else ()
        peer = self.getPeer()
        path = getattr(self, "_path", b"").partition(b"?")[0]
        return {
            "type": "http",
            "method": getattr(self, "_command", b"").decode("latin-1"),
            "path": unquote(path.decode("latin-1")),
            "headers": [(name.lower(), value) for name, values in headers for value in values],
            "scheme": "https" if self.isSecure() else "http",
            "root_path": self.factory.server.root_path,
            "client": [peer.host, peer.port] if hasattr(peer, "host") else None,
        }


def without_invalid_cookies(line: bytes) -> bytes:
    """The header without the cookies that daphne refuses: another site of the same domain may have set them."""
    name, _, value = line.partition(b":")
    return name + b":" + b";".join(cookie for cookie in value.split(b";") if INVALID.isdisjoint(cookie))


def _is_plain(method: bytes, target: bytes) -> bool:
    """True for a request as browsers send it: a method in capitals, and a path.

    The other forms of a target (RFC 9112, 3.2) are for proxies. Django would take a method in small letters for the
    other one, and a path of a host for none of ours, so the rules for methods and paths would not hold.
    """
    return method.isalpha() and method.isupper() and target.startswith(b"/") and target.isascii()
