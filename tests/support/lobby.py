"""Pages without sockets, in a Lobby."""

import uuid
from typing import Any

import redis

from queueing.line import presence
from queueing.line.places import Line
from queueing.models import Entry
from queueing.web.announcer import Seat
from queueing.web.lobby import Lobby
from queueing.web.rights import Right
from tests.support.standing import stand


class Page:
    """A socket that remembers what it was told."""

    def __init__(self, entry: Entry, *, fails: bool = False) -> None:
        self.entry = entry
        self.right = Right("", is_of_browser=True, user_id=None)
        self.fails = fails
        self.frames: list[Any] = []

    async def send_numbers(self, numbers: dict[str, Any]) -> None:
        self._note((numbers["position"], numbers["held_ahead"]))

    async def send_tick(self) -> None:
        self._note("tick")

    async def refresh(self) -> None:
        self._note("refresh")

    async def go_elsewhere(self) -> None:
        self._note("elsewhere")

    async def lose_right(self) -> None:
        self._note("no right")

    def _note(self, frame: Any) -> None:
        if self.fails:
            raise ConnectionError("nobody listens")
        self.frames.append(frame)

    def told(self) -> list[Any]:
        """The frames that came since the last call."""
        frames, self.frames = self.frames, []
        return frames


def waiting(line: Line, number: int = 1, *, present: bool = True) -> Entry:
    """An entry that waits, as the row says; nothing of it is in the database, which the Lobby never asks."""
    entry = Entry(id=number, code=uuid.uuid4(), queue="probe")
    stand(line, entry.job_id, entry.score, presence=60 if present else 0.001)
    return entry


def is_present(entry: Entry) -> bool:
    return presence.is_present(entry.queue, entry.job_id)


async def sit(lobby: Lobby, page: Page, *, is_owner: bool = True) -> Seat:
    return await lobby.page_opened(page, is_owner=is_owner)


def script_calls(valkey: redis.Redis) -> int:
    stats = valkey.info("commandstats")
    return sum(stats.get(f"cmdstat_{name}", {}).get("calls", 0) for name in ("evalsha", "eval"))
