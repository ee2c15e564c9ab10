"""Pages that stay open, as browsers keep them."""

import threading
import time
from contextlib import suppress

from websockets.exceptions import WebSocketException

from queueing.models import Entry
from tests.support.visitors import Visitor
from tests.support.web import Door


class Page(threading.Thread):
    """An open page of an entry: it connects again, as a page does."""

    def __init__(self, web: Door, entry: Entry, visitor: Visitor, silence: float = 3600) -> None:
        super().__init__(daemon=True)
        self.web, self.entry, self.visitor = web, entry, visitor
        self.silence = silence  # seconds without a frame after which it connects again
        self.last, self.is_over = "", threading.Event()
        self.is_open = False  # a frame has come through this socket
        self.start()

    def run(self) -> None:
        while not self.is_over.is_set():
            with (
                suppress(WebSocketException, OSError, TimeoutError),
                self.web.open(self.entry, self.visitor, open_timeout=5, close_timeout=0.1) as socket,
            ):
                heard_at = time.monotonic()
                while not self.is_over.is_set() and time.monotonic() - heard_at < self.silence:
                    with suppress(TimeoutError):
                        self.last = str(socket.recv(timeout=0.2)) or self.last
                        self.is_open, heard_at = True, time.monotonic()
            self.is_open = False
            self.is_over.wait(0.3)

    def close(self) -> None:
        self.is_over.set()
        self.join(10)
