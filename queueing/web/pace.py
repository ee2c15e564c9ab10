"""The pace of a transfer: a body that comes in, or an answer that goes out."""

from queueing.conf import conf


class Pace:
    """A transfer has to move MIN_RATE bytes a second in each window of STALL_SECONDS, and end in TRANSFER_SECONDS.

    The windows do not add up: a fast beginning is no credit for a connection that then stands still. A body that has
    declared `size` bytes needs the rate with which it ends in time: it holds room for all of them from its first byte.
    """

    def __init__(self, now: float, size: int = 0) -> None:
        self.rate = max(conf.MIN_RATE, size / conf.TRANSFER_SECONDS)  # bytes a second
        self.began = self.window = now
        self.moved = 0  # bytes in this window

    def add(self, size: int) -> None:
        """So many bytes have travelled."""
        self.moved += size

    def is_too_slow(self, now: float) -> bool:
        """True if the transfer must end. Ask often; a window is judged by the first call after its end."""
        if now - self.began > conf.TRANSFER_SECONDS:
            return True
        age = now - self.window
        if age < conf.STALL_SECONDS:
            return False
        # This process stood still, and not the client: what was sent meanwhile has not been read yet.
        is_overdue = age > 2 * conf.STALL_SECONDS
        is_slow = self.moved < self.rate * conf.STALL_SECONDS
        self.window, self.moved = now, 0
        return is_slow and not is_overdue
