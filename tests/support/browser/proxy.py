"""A TCP proxy that can go silent: packets are swallowed, and nothing is closed. It can keep WebSockets away too."""

import contextlib
import selectors
import socket
import threading
import time
from typing import Literal

UPGRADE = b"upgrade: websocket"


class Proxy:
    """Forwards to a port on this machine; after `cut()` it forwards nothing, in either direction.

    As some proxies of companies do, it may let no WebSocket through: "refused", or "ignored" and never answered.
    """

    def __init__(self, target: int, websockets: Literal["passed", "refused", "ignored"] = "passed") -> None:
        self.target = target
        self.websockets = websockets
        self.said_instead: dict[bytes, bytes] = {}  # words of the server, and those that arrive in their place
        self.delay = 0.0  # seconds that each answer of the server is late
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.is_cut = threading.Event()
        self.refuses = False  # new connections are closed at once
        self.stopped = threading.Event()
        self.sockets: list[socket.socket] = []
        self.threads = [threading.Thread(target=self._accept, daemon=True)]
        self.threads[0].start()

    def cut(self) -> None:
        """The cable is pulled: old connections stay open and silent."""
        self.is_cut.set()

    def sever(self) -> None:
        """As `cut`, and both ends hear of it: old connections are reset, new ones go nowhere."""
        self.is_cut.set()
        self._close_all()

    def refuse(self) -> None:
        """The server is gone: old connections are reset, and so are new ones."""
        self.refuses = True
        self._close_all()

    def mend(self) -> None:
        """The cable, or the server, is back. What was swallowed is lost, so the old connections are reset."""
        self.refuses = False
        self._close_all()
        self.is_cut.clear()

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def stop(self) -> None:
        self.stopped.set()
        self.listener.close()
        self.threads[0].join(5)  # accepts no more
        self._close_all()
        for thread in self.threads:
            thread.join(5)

    def _close_all(self) -> None:
        while self.sockets:  # meanwhile the other thread may add some
            opened = self.sockets.pop()
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
            opened.close()

    def _accept(self) -> None:
        self.listener.settimeout(0.2)
        while not self.stopped.is_set():
            try:
                client, _ = self.listener.accept()
            except OSError:
                continue
            if self.refuses:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            self.sockets += [client, server]
            thread = threading.Thread(target=self._forward, args=(client, server), daemon=True)
            self.threads = [*(each for each in self.threads if each.is_alive()), thread]
            thread.start()

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError):  # closed meanwhile; a closed socket has no descriptor to watch
            self._pump(client, {client: server, server: client})
        for each in (client, server):
            each.close()
            with contextlib.suppress(ValueError):  # `_close_all` was first
                self.sockets.remove(each)

    def _pump(self, client: socket.socket, other: dict[socket.socket, socket.socket]) -> None:
        with selectors.DefaultSelector() as selector:
            for end in other:
                selector.register(end, selectors.EVENT_READ)
            while not self.stopped.is_set():
                for key, _ in selector.select(0.2):
                    assert isinstance(key.fileobj, socket.socket)
                    end = key.fileobj
                    data = end.recv(65536)
                    if self.is_cut.is_set():
                        _swallow(data, selector, end)
                        continue
                    if not data:
                        other[end].shutdown(socket.SHUT_WR)
                        return
                    for words in self.said_instead if end is not client else ():
                        data = data.replace(words, self.said_instead[words])
                    if end is client and self.websockets != "passed" and UPGRADE in data.lower():
                        if self.websockets == "ignored":
                            continue
                        client.sendall(b"HTTP/1.1 501 Not Implemented\r\nContent-Length: 0\r\n\r\n")
                        client.shutdown(socket.SHUT_RDWR)
                        return
                    if end is not client:
                        time.sleep(self.delay)
                    other[end].sendall(data)


def _swallow(data: bytes, selector: selectors.BaseSelector, end: socket.socket) -> None:
    """The data does not arrive; nor does the end, which would be read again and again."""
    if not data:
        selector.unregister(end)
