"""A network between nodes of this machine that can be cut between any two of them, with TLS at its door.

Each node listens behind an address of this network, which is the one that it announces, and speaks from a loopback
address of its own. So the network knows both ends of each connection. What is not a node is the client.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Coroutine
from functools import partial
from typing import Any

from tests.support.waiting import wait_for

CLIENT = 0  # the number of everybody who is no node
TLS_GREETING = 0x16  # the first byte of TLS


def source_of(node: int) -> str:
    """The loopback address from which a node speaks."""
    return f"127.0.2.{node}"


class Wire:
    """The network. With `tls`, clients have to speak TLS with it; nodes speak plainly."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self._cuts: set[frozenset[int]] = set()
        self._tasks: set[asyncio.Task[None]] = set()  # the loop itself does not hold them
        self._open: dict[asyncio.StreamWriter, frozenset[int]] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def address_for(self, node: int, target: int) -> int:
        """The port of this network that leads to a port of that node."""
        listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        listener.setblocking(False)
        self._run(self._listen(listener, node, target))
        return int(listener.getsockname()[1])

    def cut(self, node: int, *others: int) -> None:
        """Nothing arrives between this node and the others any more, and nobody is told."""
        self._cuts |= {frozenset((node, other)) for other in others}

    def mend(self) -> None:
        """Everything arrives again. What was swallowed is lost, so those connections are closed."""
        cuts, self._cuts = self._cuts, set()
        for writer, ends in list(self._open.items()):
            if ends in cuts:
                self._loop.call_soon_threadsafe(writer.transport.abort)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._end)
        self._thread.join(10)
        self._loop.close()

    def _end(self) -> None:
        tasks = asyncio.all_tasks(self._loop)
        for task in tasks:
            task.cancel()
        ending = asyncio.gather(*tasks, return_exceptions=True)
        ending.add_done_callback(lambda _: self._close())

    def _close(self) -> None:
        """Connections that were being made have a transport, and nobody who knows it."""
        for transport in list(self._loop._transports.values()):  # type: ignore[attr-defined]
            transport.abort()
        self._loop.call_later(0.1, self._loop.stop)  # the transports close first

    def _run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        started = asyncio.run_coroutine_threadsafe(self._begin(coroutine), self._loop)
        wait_for(started.done)

    async def _begin(self, coroutine: Coroutine[Any, Any, None]) -> None:
        self._spawn(coroutine)

    def _spawn(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _listen(self, listener: socket.socket, node: int, target: int) -> None:
        with listener:
            while True:
                accepted, (host, _) = await self._loop.sock_accept(listener)
                source = int(host.rpartition(".")[2]) if host.startswith("127.0.2.") else CLIENT
                serving = self._spawn(self._serve(accepted, frozenset((source, node)), target))
                serving.add_done_callback(partial(_close, accepted))

    async def _serve(self, accepted: socket.socket, ends: frozenset[int], target: int) -> None:
        writers: list[asyncio.StreamWriter] = []
        try:
            with contextlib.suppress(OSError, ssl.SSLError):
                await self._while_cut(ends)
                reader, writer = await self._greet(accepted, needs_tls=self.tls is not None and CLIENT in ends)
                writers.append(writer)
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target)
                writers.append(far_writer)
                for each in writers:
                    self._open[each] = ends
                await self._pump_both((reader, far_writer), (far_reader, writer), ends=ends)
        finally:
            for each in writers:
                self._open.pop(each, None)
                each.transport.abort()

    async def _pump_both(self, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter], ends: frozenset[int]) -> None:
        """Until one end closes the connection."""
        pumps = [self._spawn(self._pump(reader, writer, ends)) for reader, writer in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()

    async def _greet(
        self, accepted: socket.socket, *, needs_tls: bool
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        transport, _ = await self._loop.connect_accepted_socket(
            lambda: protocol, accepted, ssl=self.tls if needs_tls else None
        )
        return reader, asyncio.StreamWriter(transport, protocol, reader, self._loop)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, ends: frozenset[int]) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if ends not in self._cuts:
                    writer.write(data)
                    await writer.drain()
            if ends in self._cuts:
                await asyncio.Event().wait()  # the news of the end does not arrive

    async def _while_cut(self, ends: frozenset[int]) -> None:
        while ends in self._cuts:  # noqa: ASYNC110  # another thread mends it
            await asyncio.sleep(0.05)


def _close(accepted: socket.socket, _: object) -> None:
    """A connection that was ended before it was served has no transport that would close it."""
    accepted.close()
