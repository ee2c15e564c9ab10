"""Answers to a request whose body is not taken. The server sends them itself, and closes the connection."""

import logging
import time
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from django.template.loader import render_to_string

from queueing.web.address import address_of_scope
from queueing.web.guards import guards

logger = logging.getLogger("queueing")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A status with its page. Without a template the answer is the status in plain text."""

    status: int
    template: str = ""
    sentence: str = ""  # for the page
    why: str = ""  # for the log
    headers: tuple[tuple[str, str], ...] = ()

    def answer(self) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Headers and content."""
        content, kind = self._content(), "text/html" if self.template else "text/plain"
        headers = guards() | {
            "Content-Type": f"{kind}; charset=utf-8",
            "Content-Length": str(len(content)),
            "Connection": "close",
        }
        headers |= dict(self.headers)
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()], content

    def as_http(self, *, is_head: bool = False) -> bytes:
        """The whole answer, for a server that writes it to the connection."""
        headers, content = self.answer()
        lines = [b"HTTP/1.1 %d %s" % (self.status, self.phrase.encode())]
        lines += [name + b": " + value for name, value in headers]
        return b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if is_head else content)

    @property
    def phrase(self) -> str:
        """The name of the status."""
        return HTTPStatus(self.status).phrase

    def _content(self) -> bytes:
        if not self.template:
            return f"{self.status} {self.phrase}\n".encode()
        return _page(self.template, self.sentence)


@lru_cache(maxsize=64)
def _page(template: str, sentence: str) -> bytes:
    return render_to_string(template, {"sentence": sentence}).encode()


BAD_REQUEST = Refusal(400, "queueing/errors/400.html")
NOT_ALLOWED_HOST = Refusal(400, "queueing/errors/400.html")
FOREIGN = Refusal(
    403,
    "queueing/errors/403_csrf.html",
    why=", its Origin is neither the scheme, host and port that the proxy passes on, nor in CSRF_TRUSTED_ORIGINS",
)
NO_COOKIE = Refusal(
    403,
    "queueing/errors/403_csrf.html",
    why=", the form's cookie is missing: off in the browser, or kept back over http, as CSRF_COOKIE_SECURE says",
)
NOT_FOUND = Refusal(404, "queueing/errors/404.html")
TOO_SLOW = Refusal(408, "queueing/errors/408.html")
BROKEN = Refusal(500, "queueing/errors/500.html")
OVERLOADED = Refusal(503, "queueing/errors/503_overload.html", headers=(("Retry-After", "5"),))
NO_ROOM = Refusal(503, "queueing/errors/503_uploads.html", headers=(("Retry-After", "60"),))


def method_not_allowed(methods: frozenset[str]) -> Refusal:
    """The view does not take this method."""
    return Refusal(405, headers=(("Allow", ", ".join(sorted(methods))),))


def too_large(sentence: str) -> Refusal:
    """The body is longer than this path takes."""
    return Refusal(413, "queueing/errors/413.html", sentence)


class Scribe:
    """Writes one line for each refusal, but no more than `BURST` in `PERIOD`: a flood must not fill the log."""

    BURST, PERIOD = 20, 10.0  # lines, seconds

    def __init__(self) -> None:
        self.since, self.lines, self.left_out = 0.0, 0, 0

    def note(self, refusal: Refusal, scope: Any, size: int | None) -> None:
        """Log a refused body: path, size as far as it is known, and the client's address."""
        now = time.monotonic()
        if now - self.since > self.PERIOD:
            if self.left_out:
                logger.warning("%d more requests were refused", self.left_out)
            self.since, self.lines, self.left_out = now, 0, 0
        if self.lines == self.BURST:
            self.left_out += 1
            return
        self.lines += 1
        logger.warning(
            "Refused with %d: %.10s %.200r, %s bytes, from %s%s",
            refusal.status,
            scope.get("method", "-"),
            scope.get("path", ""),
            "?" if size is None else size,
            address_of_scope(scope) or "an unknown address",
            refusal.why,
        )


scribe = Scribe()
