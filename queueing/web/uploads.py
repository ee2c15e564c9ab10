"""Room for the bodies that are under way in this process.

A body lies in the temporary folder from its first byte until its request is over. Its room is reserved at the headers,
by the length that they declare, so that an upload that has begun is never broken off for want of room.
"""

from collections import Counter
from collections.abc import Callable

from queueing.conf import conf

SLACK = 1024**2  # bytes of a form beside its file: its other fields, and the marks between them
COPIES = 2  # of a body in the temporary folder, while Django takes it apart
SHARE = 4  # one address holds at most a quarter of the room, or a single body
SMALL_ROOM = 64 * 1024**2  # bytes for all small bodies; they lie in memory
MEDIUM = 2 * 1024**2  # bytes that a medium body declares at most
MEDIUM_ROOM = 128 * 1024**2  # bytes for all of them, beside UPLOADS_BYTES: large uploads do not keep them out
LEAST = 4096  # bytes that a body counts at least: its connection and request cost that much


class Room:
    """A number of bytes, and who holds how many of them."""

    def __init__(self, size: Callable[[], int]) -> None:
        self.size = size
        self.total = 0  # bytes that are held
        self.held: Counter[str] = Counter()  # the same by address; the empty one stands for all unknown ones

    def reserve(self, address: str, size: int) -> "Ticket | None":
        """Room for one more body of this address. None if there is not enough."""
        size = max(size, LEAST)
        mine = self.held[address]
        if self.total + size > self.size():
            return None
        if address and mine and mine + size > self.size() // SHARE:
            return None
        self.held[address] += size
        self.total += size
        return Ticket(self, address, size)


class Ticket:
    """A reservation. Release it when the request is over; a second release does nothing."""

    def __init__(self, room: Room, address: str, size: int) -> None:
        self.room, self.address, self.size = room, address, size

    def release(self) -> None:
        """Give the room back."""
        held = self.room.held
        held[self.address] -= self.size
        self.room.total -= self.size
        if not held[self.address]:
            del held[self.address]
        self.size = 0


large = Room(lambda: conf.UPLOADS_BYTES)
medium = Room(lambda: MEDIUM_ROOM)
small = Room(lambda: SMALL_ROOM)
