"""A server that counts the requests that it gets: nobody of this project may call it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer


class Hook(HTTPServer):
    def __init__(self) -> None:
        self.calls = 0
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: Hook

    def do_GET(self) -> None:
        self.server.calls += 1
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def listening() -> Iterator[Hook]:
    with Hook() as hook:
        thread = threading.Thread(target=hook.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield hook
        hook.shutdown()
        thread.join()
