"""Receivers of errors and traces, and the examples of docs/operations/errors-and-traces.md."""

import gzip
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from tests.support.paths import ROOT

SENTRY, OTEL_SETUP, OTEL = re.findall(
    r"^```python\n(.*?)^```$",
    (ROOT / "docs" / "operations" / "errors-and-traces.md").read_text(),
    re.DOTALL | re.MULTILINE,
)


class Sentry:
    """A server that takes Sentry's envelopes (https://develop.sentry.dev/sdk/data-model/envelopes/)."""

    def __init__(self, port: int) -> None:
        self.dsn = f"http://key@127.0.0.1:{port}/1"
        self.raw: list[bytes] = []
        self.events: list[dict[str, Any]] = []

    def take(self, body: bytes) -> None:
        """One envelope: a line with its header, then items of two lines."""
        self.raw.append(body)
        _, *lines = body.split(b"\n")
        for head, item in zip(lines[::2], lines[1::2], strict=False):
            if json.loads(head)["type"] == "event":
                self.events.append(json.loads(item))


@contextmanager
def sentry() -> Iterator[Sentry]:
    """A Sentry on this machine."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the name is Python's
            body = self.rfile.read(int(self.headers["Content-Length"]))
            found.take(gzip.decompress(body) if self.headers["Content-Encoding"] == "gzip" else body)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Sentry(server.server_port)
    Thread(target=server.serve_forever, daemon=True).start()
    yield found
    server.shutdown()
    server.server_close()
