"""Presence without a page: for tests of something else, and for silent ends."""

from queueing.conf import conf
from queueing.line import clients, keys, presence
from queueing.line.servers import servers
from queueing.models import Entry
from queueing.states import Absence


def stay(*entries: Entry) -> None:
    """Keep the visitors of these entries present without end, in tests of something else than presence."""
    for entry in entries:
        presence.beat(entry.queue, [entry.job_id], conf.POLL_TTL)
        clients.connection(entry.queue).persist(keys.presence_key(entry.job_id))


def go(entry: Entry, absence: Absence = Absence.LOST) -> None:
    """End the visitor's presence: with a goodbye, or silently, as when the connection dies."""
    if absence == Absence.CLOSED:
        presence.close(entry.queue, entry.job_id, absence)
    else:
        clients.connection(entry.queue).delete(keys.presence_key(entry.job_id))


def watch_since(seconds: float, *, life: float = 60) -> None:
    """Let web processes have been beating for that long. Without a watch nobody is dropped."""
    for server in servers():
        now, _ = server.client.time()
        server.client.set(keys.WATCH, round((now - seconds) * 1000), px=round(life * 1000))
