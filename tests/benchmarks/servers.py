"""uvicorn beside daphne, with the same application: what a page costs that opens and then waits."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psutil

from queueing.conf import conf
from tests.benchmarks import sockets
from tests.benchmarks.report import Row
from tests.benchmarks.sockets import OURS, SOCKETS, STEPS, Measured, WaitingPage
from tests.benchmarks.ws_crowd import raise_limit
from tests.support.servers import free_port
from tests.support.web import SERVERS, is_listening


def rows() -> Iterator[Row]:
    raise_limit(2 * SOCKETS)
    ours, theirs = asyncio.run(_measure())
    pages = f"{SOCKETS:,} pages"
    yield Row(
        "uvicorn: opening a page, CPU", "ms", theirs.handshake, rival=ours.handshake,
        meaning=f"While {SOCKETS // STEPS:,} come back together. The rival is the same application under daphne, as "
        "`config.serve` starts it; both have a page of each of the same entries.",
    )  # fmt: skip
    yield Row(
        f"uvicorn's CPU, {pages} at rest", "%", theirs.rest, rival=ours.rest,
        meaning="Of one core. Both rest in the same seconds.",
    )  # fmt: skip
    yield Row("uvicorn: memory of a socket", "KB", theirs.memory, rival=ours.memory, meaning="Growth of its RSS.")


async def _measure() -> tuple[Measured, Measured]:
    daphnes, uvicorns = Measured(), Measured()
    entries, cookie = await asyncio.to_thread(sockets.wait_in_line, SOCKETS)
    with sockets.web(OURS) as (daphne, port), _uvicorn() as (uvicorn, other):
        for process, its_port, measured in ((daphne, port, daphnes), (uvicorn, other, uvicorns)):
            signed_in = sockets.headers(its_port) | {"Cookie": cookie}
            pages = [WaitingPage(f"/ws/entry/{entry.code}/?have=waiting", signed_in) for entry in entries]
            await sockets.open_in_steps(process, its_port, pages, measured)
        await asyncio.sleep(2 * conf.HEARTBEAT_INTERVAL)
        daphnes.rest, uvicorns.rest = await sockets.rest(daphne, uvicorn)
    return daphnes, uvicorns


@contextmanager
def _uvicorn() -> Iterator[tuple[psutil.Process, int]]:
    port = free_port()
    command = [sys.executable, *SERVERS["uvicorn"], str(port)]
    process = subprocess.Popen(command, env=os.environ | sockets.LIMITS)
    try:
        while not is_listening(port):
            assert process.poll() is None, "uvicorn does not start"
            time.sleep(0.1)
        yield psutil.Process(process.pid), port
    finally:
        process.kill()
        process.wait(20)
