"""Time that passes because stored times move: nobody sleeps, and no clock is replaced.

All that the queue has stored becomes older: moments in rows and in Redis are moved back, deadlines come nearer, and
what would have run out is gone. The memory of a line's minutes (the charts of staff) stays as it is, like sessions.
"""

from datetime import timedelta
from typing import Any, cast

from django.db.models import DateTimeField, F

from queueing.line.clients import SyncRedis
from queueing.line.keys import KEEPER, WATCH, gone_key, line_keys, presence_key
from queueing.line.servers import Server, every_server
from queueing.models import Entry, EntryEvent, Line
from queueing.testing.beginning import MARK

# Keys whose lives do not run out here: processes renew them all the time.
RENEWED = (KEEPER.encode(), WATCH.encode(), MARK.encode())
OF_WORKERS = b"queueing:worker:"


class Clock:
    """The clock of a test."""

    def advance(self, seconds: float) -> None:
        """Let so many seconds pass, in which no page beats and no keeper goes round.

        Visitors whose page is open beat afterwards (`Visitor.beat`); `keeper_round` does what is due.
        """
        if seconds < 0:
            raise ValueError(f"Time does not go back: {seconds} s")
        for model in (Entry, EntryEvent, Line):
            _move_rows(model, timedelta(seconds=seconds))
        for server in every_server():
            _move_redis(server, round(seconds * 1000))


def _move_rows(model: Any, time: timedelta) -> None:
    names = [field.name for field in model._meta.fields if isinstance(field, DateTimeField)]
    model.objects.update(**{name: F(name) - time for name in names})


def _move_redis(server: Server, milliseconds: int) -> None:
    client = server.client
    for queue in server.lines:
        _move_line(client, queue, milliseconds)
    _move_texts(client, milliseconds)
    for key in cast("list[bytes]", client.keys("*")):
        left = client.pttl(key)
        if left < 0 or key in RENEWED or key.startswith(OF_WORKERS):
            continue
        if left > milliseconds:
            client.pexpire(key, left - milliseconds)
        else:
            client.delete(key)


def _move_line(client: SyncRedis, queue: str, milliseconds: int) -> None:
    """The sorted sets whose scores are moments; in the claims the moment is the last part."""
    keys = line_keys(queue)
    joins = [key.decode() for key in cast("list[bytes]", client.keys(f"{keys.line}:from:*"))]
    for key in [keys.due, keys.reserved, keys.running, keys.starts, *joins]:
        for member in cast("list[bytes]", client.zrange(key, 0, -1)):
            client.zincrby(key, -milliseconds, member.decode())
    for worker, claim in cast("dict[bytes, bytes]", client.hgetall(keys.claims)).items():
        begin, _, moment = claim.decode().rpartition(":")
        client.hset(keys.claims, worker.decode(), f"{begin}:{int(moment) - milliseconds}")


def _move_texts(client: SyncRedis, milliseconds: int) -> None:
    """The keys whose text begins with a moment. The presence of an entry that needs nobody is "1"."""
    names = [WATCH.encode()]
    for pattern in (presence_key("*"), gone_key("*"), "queueing:joins:*"):
        names += cast("list[bytes]", client.keys(pattern))
    for key in names:
        text = cast("bytes", client.get(key) or b"").decode()
        moment, colon, rest = text.partition(":")
        if moment not in {"", "1"}:
            client.set(key, f"{float(moment) - milliseconds:.0f}{colon}{rest}", keepttl=True)
