"""Pages and joins a second of two web hosts against one. The clients ask again as soon as they are answered."""

import asyncio
import ipaddress
import itertools
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import psutil

from tests.benchmarks import sockets
from tests.benchmarks.report import Row

CLIENTS = 16
WINDOW, WINDOWS = 6.0, 3  # seconds, and their number for each; one and two hosts in turn
TOKEN = "a" * 32
FORM = "/join/probe/"


@dataclass(slots=True)
class Rates:
    """Answers a second by windows, and the generator's CPU meanwhile (% of a core)."""

    one: list[float] = field(default_factory=list)
    two: list[float] = field(default_factory=list)
    generator: list[float] = field(default_factory=list)


def rows() -> Iterator[Row]:
    with sockets.web(sockets.OURS) as (_, port), sockets.web(sockets.OURS) as (_, other):
        for name, request, status in (("pages", _page, b"200"), ("joins", _join, b"303")):
            rates = asyncio.run(_compare((port, other), request, status))
            busy = max(rates.generator)
            bound = " It is the bound." if busy > 100 else ""
            yield Row(
                f"two web hosts: {name} a second beside one", "/s", rates.two, rival=rates.one, database="yes",
                meaning=f"{CLIENTS} clients that ask the processes in turn; the rival is one of the two alone. The "
                f"generator took {busy:.0f} % of a core at most.{bound} On two cores it shares them with both "
                "processes, the database and Valkey.",
            )  # fmt: skip


async def _compare(ports: Sequence[int], request: Callable[[int], bytes], status: bytes) -> Rates:
    rates = Rates()
    for _ in range(WINDOWS):
        for chosen, found in ((ports[:1], rates.one), (ports, rates.two)):
            before = psutil.Process().cpu_times()
            found.append(await _rate(chosen, request, status))
            rates.generator.append(sockets.share_of_core(psutil.Process(), before, WINDOW))
    return rates


async def _rate(ports: Sequence[int], request: Callable[[int], bytes], status: bytes) -> float:
    """Answers a second. Raises AssertionError at another status."""
    turns, over = itertools.cycle(ports), time.monotonic() + WINDOW
    counts = await asyncio.gather(*(_ask_until(over, turns, request, status) for _ in range(CLIENTS)))
    return sum(counts) / WINDOW


async def _ask_until(over: float, turns: Iterator[int], request: Callable[[int], bytes], status: bytes) -> int:
    count = 0
    while time.monotonic() < over:
        port = next(turns)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request(port))
        answer = await reader.read()
        writer.close()
        assert answer[9:12] == status, answer[:2000]
        count += 1
    return count


def _head(method: str, port: int, *more: str) -> bytes:
    lines = (
        *(f"{method} {FORM} HTTP/1.1", f"Host: 127.0.0.1:{port}", f"Origin: https://127.0.0.1:{port}"),
        *("X-Forwarded-Proto: https", "Connection: close", f"Cookie: csrftoken={TOKEN}", *more, "", ""),
    )
    return "\r\n".join(lines).encode()


def _page(port: int) -> bytes:
    """The form of a line."""
    return _head("GET", port)


def _join(port: int) -> bytes:
    mark, values = uuid.uuid4().hex, {"csrfmiddlewaretoken": TOKEN, "code": str(uuid.uuid4()), "label": "x"}
    parts = [f'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}' for key, value in values.items()]
    parts.append('Content-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\na,b\n1,2\n')
    body = ("".join(f"--{mark}\r\n{part}\r\n" for part in parts) + f"--{mark}--\r\n").encode()
    kind = f"Content-Type: multipart/form-data; boundary={mark}"
    # Each from an address of its own: a join looks at all that its address has waiting, of which a site allows few.
    address = f"X-Real-IP: {ipaddress.IPv6Address(uuid.uuid4().bytes)}"
    return _head("POST", port, kind, address, f"Content-Length: {len(body)}") + body
