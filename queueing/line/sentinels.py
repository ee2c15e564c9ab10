"""The primary, as its sentinels name it, and the connections that go there.

redis-py has such connections, too. They ask the first sentinel that answers, which may be cut off together with an old
primary; and they ask only when a pool hands them out, so one that is made anew within a command goes to the old server.
Here a connection asks whenever it is made. The answer of most sentinels counts; without a majority, that of the latest
election.

A server that was cut off from its sentinels goes on answering: no error says that it is the primary no more. So the
sentinels are asked again every LOOK_INTERVAL, too.

Workers, the keeper and commands ask one sentinel after another. A web process asks all of them at the same time, in
threads: a request waits for a new connection within its allowance, and for a look not at all. Processes that fork have
no such threads.
"""

import asyncio
import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from queue import Empty, SimpleQueue
from typing import Any

import redis
import redis.asyncio.connection
from redis import connection as sync
from redis.backoff import NoBackoff
from redis.retry import Retry

from queueing.line.allowance import seconds_left
from queueing.line.failover import AsyncFollowing, Following, refusals

logger = logging.getLogger("queueing")

PATIENCE = 0.3  # seconds for the answer of one sentinel
FRESH = 1.0  # seconds for which an answer is good for further connections
AT_ONCE = 1.0  # seconds for the answers of all sentinels, if they are asked at the same time
SHORTEST = 0.01  # seconds for a connect when the sentinels have used up the allowance
LOOK_INTERVAL, LONGEST_INTERVAL = 2.0, 5.0  # seconds between two looks; they are rarer while no sentinel answers

type Server = tuple[str, int]
type Answer = tuple[int, Server]  # the number of the latest election that a sentinel knows, and who has won it
type Reply = tuple[redis.Redis, Answer | Exception]


class Primary:
    """The primary of one service. All connections of a process that go there share what is known of it."""

    def __init__(self, service: str, sentinels: Sequence[Server], options: dict[str, Any]) -> None:
        self.service = service
        self.known: Server | None = None
        self._latest: Answer | None = None
        self._options = options
        self._clients = [self._client(*sentinel) for sentinel in sentinels]  # the one that answered last is the first
        self._asked_at = -math.inf  # by the monotonic clock
        self._interval = LOOK_INTERVAL
        self._asked_after = 0  # refusals

    def address(self, seconds: float | None = None) -> Server:
        """Host and port of the primary. Raises redis.ConnectionError if no sentinel has ever named one.

        While no sentinel answers, nobody can elect another one, so the last one is as good as before. With `seconds`,
        all sentinels are asked at the same time, and have no longer.
        """
        is_fresh = time.monotonic() - self._asked_at < FRESH and self._asked_after == refusals.number
        if self.known and is_fresh:
            return self.known
        try:
            return self._ask(seconds)
        except redis.RedisError:
            if self.known is None:
                raise
            return self.known

    def look(self) -> None:
        """Ask the sentinels again if it is time to. Connections to another server are made anew."""
        if self.is_due():
            self._asked_at = time.monotonic()  # first: other threads need not ask, too
            self._look()

    def have_looked(self) -> None:
        """The same in a thread. Nobody waits for it."""
        if self.is_due():
            self._asked_at = time.monotonic()
            threading.Thread(target=self._look, args=(AT_ONCE,), name="sentinels", daemon=True).start()

    def _look(self, seconds: float | None = None) -> None:
        try:
            self._ask(seconds)
        except redis.RedisError:
            self._interval = min(2 * self._interval, LONGEST_INTERVAL)

    def is_due(self) -> bool:
        """True if the last answer is old."""
        return time.monotonic() - self._asked_at >= self._interval

    def doubt(self) -> None:
        """The server did not answer: the next connection asks."""
        self._asked_at = min(self._asked_at, time.monotonic() - FRESH)

    def forget(self) -> None:
        """Forget how to reach the sentinels."""
        self._options.clear()
        for client in self._clients:
            client.connection_pool.connection_kwargs.clear()
        self._clients = []

    def _ask(self, seconds: float | None = None) -> Server:
        clients = list(self._clients)
        replies = self._one_by_one(clients) if seconds is None else self._at_once(clients, seconds)
        answers: list[Answer] = []
        errors: list[tuple[redis.Redis, str]] = []
        for client, reply in replies:
            if isinstance(reply, Exception):
                errors.append((client, type(reply).__name__))
                continue
            answers.append(reply)
            most = _most_named(answers, len(clients))
            if most and not _is_older(most, self._latest):
                break
        if not answers:
            raise self._silence(errors)
        silent = [client for client, _ in errors]
        self._clients = sorted(self._clients, key=silent.count)  # stable: those that answered stay in front
        self._latest = _decide(answers, len(clients), self._latest)
        self._note(self._latest[1])
        return self._latest[1]

    def _silence(self, errors: Sequence[tuple[redis.Redis, str]]) -> redis.ConnectionError:
        reasons = Counter(reason for _, reason in errors)
        why = ", ".join(f"{number} x {reason}" for reason, number in reasons.items()) or "none in time"
        return redis.ConnectionError(f"no sentinel names a primary of the service {self.service!r}: {why}")

    def _one_by_one(self, clients: Iterable[redis.Redis]) -> Iterator[Reply]:
        for client in clients:
            yield client, self._reply_of(client)

    def _at_once(self, clients: Sequence[redis.Redis], seconds: float) -> Iterator[Reply]:
        """The replies as they come. Those that come later are left to their threads, which end by PATIENCE."""
        until, replies = time.monotonic() + seconds, SimpleQueue[Reply]()
        for client in clients:
            asks = threading.Thread(
                target=lambda asked=client: replies.put((asked, self._reply_of(asked))), daemon=True
            )
            asks.start()
        with suppress(Empty):
            for _ in clients:
                yield replies.get(timeout=max(until - time.monotonic(), 0))

    def _reply_of(self, client: redis.Redis) -> Answer | Exception:
        try:
            state: Any = client.sentinel_master(self.service, return_responses=True)
            return int(state["config-epoch"]), (str(state["ip"]), int(state["port"]))
        except Exception as error:  # noqa: BLE001  # of one sentinel; the others count
            return error

    def _note(self, found: Server) -> None:
        before, self.known = self.known, found
        if before not in (None, found):
            refusals.note()
            logger.warning("Redis: the primary of %s is %s:%d now", self.service, *found)
        self._asked_at, self._interval, self._asked_after = time.monotonic(), LOOK_INTERVAL, refusals.number

    def _client(self, host: str, port: int) -> redis.Redis:
        """A client of one sentinel. A connection that it has closed meanwhile is made anew; silence is an answer."""
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        options = self._options | {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE}
        return redis.Redis(host, port, driver_info=None, retry=retry, **options)


def _decide(answers: Sequence[Answer], of: int, before: Answer | None) -> Answer:
    """The answer of most of so many sentinels; without a majority, that of the latest election.

    If most know of an earlier election than was known before, either its news are on their way to them, or the
    sentinels were set up anew. Then no answer is as late as what was known.
    """
    most, latest = _most_named(answers, of), max(answers)
    if before and _is_older(latest, before):
        return most or before
    return most if most and not _is_older(most, before) else latest


def _is_older(answer: Answer, before: Answer | None) -> bool:
    return before is not None and answer[0] < before[0]


def _most_named(answers: Sequence[Answer], of: int) -> Answer | None:
    """The latest of the answers with the server that more than half of the sentinels name."""
    for server, number in Counter(server for _, server in answers).most_common(1):
        if 2 * number > of:
            return max(answer for answer in answers if answer[1] == server)
    return None


@contextmanager
def _doubting(primary: Primary) -> Iterator[None]:
    """Around a connect: if it fails, the next one asks the sentinels."""
    try:
        yield
    except Exception:
        primary.doubt()
        raise


NOBODY = Primary("", (), {})  # for the connections of a process that has forgotten the way


class Led(Following):
    """A connection to the primary."""

    def __init__(self, *, primary: Primary = NOBODY, connection_pool: Any = None, **options: Any) -> None:
        super().__init__(**options)
        self._primary = primary
        self._pool = connection_pool  # of redis-py's own kind, which keeps connections to one server only

    def _connect(self) -> Any:
        began, seconds = time.monotonic(), seconds_left()
        with _doubting(self._primary):
            self.host, self.port = self._primary.address(seconds)
            if self._pool is not None:
                self._pool.master_address = self.host, self.port
            if seconds is None:
                return super()._connect()
            with self._timeouts_of(max(seconds - (time.monotonic() - began), SHORTEST)):
                return super()._connect()

    @contextmanager
    def _timeouts_of(self, seconds: float) -> Iterator[None]:
        """The connect has only what the sentinels have left of a request's allowance."""
        usual = self.socket_timeout, self.socket_connect_timeout
        self.socket_timeout = self.socket_connect_timeout = seconds
        try:
            yield
        finally:
            self.socket_timeout, self.socket_connect_timeout = usual

    def look_for_a_move(self) -> None:
        """Ask the sentinels, from time to time. A request does not wait for that."""
        if seconds_left() is None:
            self._primary.look()
        else:
            self._primary.have_looked()


class AsyncLed(AsyncFollowing):
    """As `Led`, for an event loop."""

    def __init__(self, *, primary: Primary = NOBODY, **options: Any) -> None:
        super().__init__(**options)
        self._primary = primary

    async def _connect(self) -> None:
        with _doubting(self._primary):
            self.host, self.port = await asyncio.to_thread(self._primary.address, AT_ONCE)
            await super()._connect()

    def look_for_a_move(self) -> None:
        """Have the sentinels asked, from time to time. Nobody waits for that."""
        self._primary.have_looked()


@cache
def led(is_tls: bool) -> type[sync.AbstractConnection]:
    """The class of connections to the primary."""
    kind = sync.SSLConnection if is_tls else sync.Connection
    return type(f"Led{kind.__name__}", (Led, kind), {})


@cache
def led_async(is_tls: bool) -> type[redis.asyncio.connection.AbstractConnection]:
    """As `led`, for an event loop."""
    kind = redis.asyncio.connection.SSLConnection if is_tls else redis.asyncio.connection.Connection
    return type(f"Led{kind.__name__}", (AsyncLed, kind), {})
