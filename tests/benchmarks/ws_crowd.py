"""A crowd of WebSocket clients in one event loop. A load generator only: it trusts the server, and masks with zeros."""

import asyncio
import resource
from collections.abc import Sequence

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
AT_ONCE = 100  # handshakes under way at the same time
PATIENCE = 30  # seconds one handshake may take
NORMAL = 1000  # the close code of a socket that has served its purpose


def raise_limit(sockets: int) -> None:
    """Let this process, and those it starts, have so many sockets open. Raises RuntimeError when it may not."""
    wanted = sockets + 500
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        raise RuntimeError(f"{sockets:,} sockets need `ulimit -n {wanted}` or more; here it is at most {hard}.")
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Page(asyncio.Protocol):
    """One page: opens, answers pings, and listens."""

    def __init__(self, path: str, headers: dict[str, str]) -> None:
        lines = [f"GET {path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self.request = "\r\n".join(lines).encode()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.is_lost = False
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        data = self._rest + data if self._rest else data
        start = 0
        if not self.opened.done():
            start = data.find(b"\r\n\r\n") + 4
            if start < 4:
                self._rest = data
                return
            if not data.startswith(b"HTTP/1.1 101"):
                self.opened.set_exception(ConnectionError(data[:100].decode("latin-1")))
                return
            self.opened.set_result(None)
        while (end := self._frame(data, start)) is not None:
            start = end
        self._rest = data[start:]

    def _frame(self, data: bytes, start: int) -> int | None:
        """Handle the frame that begins at `start`; returns its end, or None when it is not all there."""
        if len(data) < start + 2:
            return None
        code, length, body = data[start] & 15, data[start + 1] & 127, start + 2
        if length > 125:
            body += 2 if length == 126 else 8
            length = int.from_bytes(data[start + 2 : body])
        end = body + length
        if len(data) < end:
            return None
        if code == TEXT:
            self.hear(data[body:end])
        elif code == PING:
            self._send(PONG, data[body:end])
        elif code == CLOSE:
            self._send(CLOSE, data[body:end])
            self.transport.close()
        return end

    def hear(self, text: bytes) -> None:
        """Take a message of the server; by default, ignore it."""

    def close(self, code: int = NORMAL) -> None:
        self._send(CLOSE, code.to_bytes(2))

    def fall_silent(self) -> None:
        """Neither read nor answer any more, while the TCP connection stays up."""
        self.transport.pause_reading()

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        if not self.opened.done():
            self.opened.set_exception(ConnectionError("The server closed the connection."))

    def _send(self, code: int, body: bytes) -> None:
        self.transport.write(bytes((128 | code, 128 | len(body), 0, 0, 0, 0)) + body)


async def open_all(port: int, pages: Sequence[Page]) -> None:
    """Connect them, AT_ONCE at a time. Raises when one is refused or not opened within PATIENCE."""
    loop, turns = asyncio.get_running_loop(), asyncio.Semaphore(AT_ONCE)

    async def connect(page: Page) -> None:
        async with turns, asyncio.timeout(PATIENCE):
            await loop.create_connection(lambda: page, "127.0.0.1", port)
            await page.opened

    async with asyncio.TaskGroup() as group:
        for page in pages:
            group.create_task(connect(page))
