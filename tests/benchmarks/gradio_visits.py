"""Browsers of Gradio's queue: each joins by a POST and listens to the stream of its session, as Gradio's page does."""

import asyncio
import json
import time
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.erlang import Person
from tests.support.waiting import until

API = "/gradio_api/queue"
LONGEST = 120.0  # seconds for which the silent ones of a crowd may be worked for


@dataclass(slots=True)
class Visit:
    """The actions of one visitor; clocks are `time.time()`."""

    number: int
    person: Person
    is_silent: bool
    arrived: float = 0.0
    left: float | None = None  # None: stayed until it was their turn


class Stream(asyncio.Protocol):
    """An open page: the stream of events of one session."""

    def __init__(self, port: int, session: str) -> None:
        self._request = f"GET {API}/data?session_hash={session} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
        self._rest = b""
        loop = asyncio.get_running_loop()
        self.heard: dict[str, asyncio.Future[None]] = {
            name: loop.create_future() for name in ("estimation", "process_starts", "process_completed")
        }
        self.is_lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if line.startswith(b"data: "):
                heard = self.heard.get(json.loads(line[6:])["msg"])
                if heard is not None and not heard.done():
                    heard.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True

    def close(self) -> None:
        self.transport.close()

    def fall_silent(self) -> None:
        """Neither read nor answer any more, while the TCP connection stays up."""
        self.transport.pause_reading()


async def join(port: int, log: Path, number: int, seconds: float) -> Stream:
    """A new session's entry in the queue, and the stream that its page opens; the first message has come."""
    session = uuid.uuid4().hex[:11]
    await _ask(port, "POST", "join", {"data": [str(log), number, seconds], "fn_index": 0, "session_hash": session})
    _, stream = await asyncio.get_running_loop().create_connection(lambda: Stream(port, session), "127.0.0.1", port)
    await stream.heard["estimation"]
    return stream


async def length(port: int) -> int:
    """How many wait, by Gradio's own count."""
    return int((await _ask(port, "GET", "status"))["queue_size"])


async def _is_empty(port: int) -> bool:
    return not await length(port)


def visit(crowd: Sequence[Person], port: int, log: Path, silent: Collection[int] = ()) -> list[Visit]:
    """Play the crowd; returns when nobody is worked for any more. Silent visitors keep their connections until then."""
    visits = [Visit(number, person, number in silent) for number, person in enumerate(crowd)]
    asyncio.run(_visit_all(visits, port, log))
    return visits


async def _visit_all(visits: Sequence[Visit], port: int, log: Path) -> None:
    begin, over = time.time() + 0.5, asyncio.Event()
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_come_and_go(one, begin, port, log, over)) for one in visits]
        await asyncio.wait([task for one, task in zip(visits, tasks, strict=True) if not one.is_silent])
        await until(partial(_is_empty, port), LONGEST)
        await asyncio.sleep(max(one.person.service for one in visits))  # what runs has ended
        over.set()


async def _come_and_go(one: Visit, begin: float, port: int, log: Path, over: asyncio.Event) -> None:
    await asyncio.sleep(begin + one.person.arrival - time.time())
    one.arrived = time.time()
    stream = await join(port, log, one.number, one.person.service)
    try:
        async with asyncio.timeout(one.arrived + one.person.patience - time.time()):
            await stream.heard["process_starts"]
    except TimeoutError:
        one.left = time.time()
        if one.is_silent:
            stream.fall_silent()
            await over.wait()
    else:
        await stream.heard["process_completed"]
    stream.close()


async def _ask(port: int, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """The answer to one request, on a connection of its own."""
    content = json.dumps(body).encode() if body else b""
    head = [f"{method} {API}/{path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "Connection: close"]
    head += ["Content-Type: application/json", f"Content-Length: {len(content)}", "", ""]
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write("\r\n".join(head).encode() + content)
    answer = await reader.read()
    writer.close()
    status, _, rest = answer.partition(b"\r\n")
    if b" 200 " not in status:
        raise ConnectionError(answer[:200].decode("latin-1"))
    return dict(json.loads(rest.partition(b"\r\n\r\n")[2]))
