"""One request under daphne."""

from io import BytesIO
from typing import Any

from daphne.http_protocol import WebRequest

from queueing.web.bodies import Permit
from queueing.web.channel import Channel
from queueing.web.refusals import BAD_REQUEST, BROKEN, Refusal

PAGES = {400: BAD_REQUEST, 500: BROKEN}  # others are in plain text


class Request(WebRequest):
    """A request whose body reaches the application piece by piece, as the application asks for it.

    daphne reads the whole body into memory before the application begins, and Twisted parses forms on top of that.
    """

    permit: Permit | None = None
    body: Any = None
    content: Any
    is_started = False

    def __init__(self, channel: Channel, queued: object = False) -> None:
        super().__init__(channel, queued, parsePOSTFormSubmission=False)

    def handleContentChunk(self, data: bytes) -> None:
        self.channel.body_received(len(data), lambda: super(Request, self).handleContentChunk(data))

    def process(self) -> Any:
        channel = self.channel
        self.body, self.content = self.content, BytesIO()
        done = super().process()
        if self.transport is None:  # the connection is a WebSocket now
            channel.become_socket()
        return done

    def basic_error(self, status: int, _status_text: bytes, _body: Any) -> None:
        """daphne's own answer to a request that the application does not see, or has failed to answer.

        An answer that has begun cannot be another one: the connection ends, so that its client knows.
        """
        if self._response_started:
            if self.channel is not None:
                self.channel.abort()
            return
        headers, content = PAGES.get(status, Refusal(status)).answer()
        if self.channel is not None:
            self.channel.end_with_answer()  # what was sent behind it would be answered without a pause
        headers = [pair for pair in headers if pair[0] != b"Connection"]
        self.handle_reply({"type": "http.response.start", "status": status, "headers": headers})
        self.handle_reply({"type": "http.response.body", "body": content})

    def finish(self) -> None:
        super().finish()
        self.release()

    def connectionLost(self, reason: Any) -> None:
        super().connectionLost(reason)
        self.release()

    def release(self, *, is_over: bool = False) -> None:
        """Give back the body's room. A running application still holds a copy of it."""
        if self.is_started and not is_over:
            return
        if self.body is not None:
            self.body.close()
        if self.permit is not None:
            self.permit.ticket.release()
            self.permit = None
