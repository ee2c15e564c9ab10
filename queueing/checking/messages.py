"""The messages between a web process and a checker: one line of JSON each, over a pair of sockets.

The checker reads hostile files, so the web process takes none of its answers on trust.
"""

import json
import os
import socket
import time
from typing import Any

LIMIT = 64 * 1024  # bytes of one message

type Message = dict[str, Any]


def send(to: socket.socket, message: Message, *descriptors: int) -> None:
    """Send a message, with open files. Raises OSError if nobody reads it."""
    line = json.dumps(message).encode() + b"\n"
    sent = socket.send_fds(to, [line], list(descriptors))
    to.sendall(line[sent:])


def receive(source: socket.socket, deadline: float) -> Message:
    """The next message. Raises OSError if none comes before the deadline, and ValueError if it is not one."""
    line = b""
    while not line.endswith(b"\n"):
        if (left := deadline - time.monotonic()) <= 0:
            raise TimeoutError
        source.settimeout(left)
        part = source.recv(LIMIT)
        if not part:
            raise ConnectionResetError
        line += part
        if len(line) > LIMIT:
            raise ValueError
    return _parsed(line)


def receive_with_file(source: socket.socket) -> tuple[Message, int] | None:
    """The next message with the open file that comes with it; None when the other side has ended."""
    line, descriptors, _, _ = socket.recv_fds(source, LIMIT, 1)
    while line and not line.endswith(b"\n"):
        part = source.recv(LIMIT)
        if not part:
            return None
        line += part
    if not line or not descriptors:
        for descriptor in descriptors:
            os.close(descriptor)
        return None
    return _parsed(line), descriptors[0]


def _parsed(line: bytes) -> Message:
    try:
        message = json.loads(line)
    except RecursionError as error:  # a line of brackets
        raise ValueError from error
    if not isinstance(message, dict):
        raise ValueError  # noqa: TRY004  # all that is wrong with a message is one kind of error
    return message
