"""The messages between a horse and the process of its isolated task: a packet of JSON each, with at most one open file.

That process works on a hostile file, so the horse takes nothing of a message on trust: neither its size nor its shape.
A file travels as a descriptor, so there is no path to believe.
"""

import io
import json
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LIMIT = 64 * 1024  # bytes of one packet

type Message = dict[str, Any]


def pair() -> tuple[socket.socket, socket.socket]:
    """Two sockets that are connected to each other, and to nothing else. They keep packets apart."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send(to: socket.socket, message: Message, *descriptors: int) -> None:
    """Send a message, with open files. Raises OSError if nobody reads it."""
    socket.send_fds(to, [json.dumps(message).encode()], list(descriptors))


@contextmanager
def received(source: socket.socket) -> Iterator[tuple[Message, int | None] | None]:
    """The next message with its open file, which is closed after the block; None when the other side has ended.

    Raises OSError, and ValueError for what is no message.
    """
    try:
        packet, descriptors, flags, _ = _next(source)
    except ConnectionResetError:  # said once, if it ended before it read an answer; what it had sent is still there
        packet, descriptors, flags, _ = _next(source)
    try:
        if flags & socket.MSG_TRUNC:
            raise ValueError("a message is too long")
        yield (_parsed(packet), descriptors[0] if descriptors else None) if packet else None
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def _next(source: socket.socket) -> tuple[bytes, list[int], int, Any]:
    return socket.recv_fds(source, LIMIT, 1, socket.MSG_CMSG_CLOEXEC)


def _parsed(packet: bytes) -> Message:
    try:
        message = json.loads(packet)
    except RecursionError as error:
        raise ValueError("a message is too deep") from error
    if not isinstance(message, dict):
        raise ValueError("a message is no object")  # noqa: TRY004  # all that is wrong with one is one kind of error
    return message


class Content(io.RawIOBase):
    """The content of an open file that somebody else may change meanwhile: never more bytes than it has now.

    Raises ValueError if it is no ordinary file, which could keep the reader waiting.
    """

    def __init__(self, descriptor: int | None) -> None:
        status = None if descriptor is None else os.fstat(descriptor)
        if descriptor is None or status is None or not stat.S_ISREG(status.st_mode):
            raise ValueError("no ordinary file came with this message")
        self.size = status.st_size
        self._descriptor, self._at = descriptor, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        wanted = max(0, min(len(buffer), self.size - self._at))
        part = os.pread(self._descriptor, wanted, self._at)
        if wanted and not part:
            raise OSError("the file has become shorter")
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)
