"""A client that speaks HTTP by hand, so that it can stop in the middle."""

import contextlib
import socket
import time
from dataclasses import dataclass
from typing import Self

CSRF = "csrftoken=" + "a" * 32


@dataclass
class Answer:
    """What the server said until it closed the connection."""

    status: int
    headers: dict[str, str]
    body: bytes

    @classmethod
    def parse(cls, data: bytes) -> "Answer":
        head, _, body = data.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        pairs = (line.split(": ", 1) for line in lines)
        return cls(int(first.split(" ")[1]), {name.lower(): value for name, value in pairs}, body)


class Raw:
    """One connection."""

    def __init__(self, port: int, source: str = "127.0.0.1") -> None:
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=20, source_address=(source, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(self, method: str, path: str, **headers: str) -> Self:
        """Send the headers. An underscore in a name stands for a hyphen."""
        pairs = {"Host": f"127.0.0.1:{self.port}"} | {name.replace("_", "-"): text for name, text in headers.items()}
        lines = [f"{method} {path} HTTP/1.1", *(f"{name}: {text}" for name, text in pairs.items()), "", ""]
        self.send("\r\n".join(lines).encode("latin-1"))
        return self

    def read(self, seconds: float = 20) -> bytes:
        """All that comes until the server closes the connection. Raises TimeoutError if it does not."""
        data, deadline = b"", time.monotonic() + seconds
        while True:
            self.socket.settimeout(max(0.01, deadline - time.monotonic()))
            try:
                part = self.socket.recv(65536)
            except ConnectionResetError:
                return data
            if not part:
                return data
            data += part

    def answer(self, seconds: float = 20) -> Answer:
        return Answer.parse(self.read(seconds))

    def status(self, seconds: float = 10) -> int:
        """The status of the next answer; the connection may stay open."""
        self.socket.settimeout(seconds)
        data = b""
        while b"\r\n\r\n" not in data and (part := self.socket.recv(4096)):
            data += part
        return Answer.parse(data).status

    def drip(self, piece: bytes, every: float, seconds: float) -> float:
        """Send the piece again and again until the server hangs up or answers; returns the seconds that it took."""
        began = time.monotonic()
        self.socket.settimeout(0.01)
        while time.monotonic() - began < seconds:
            with contextlib.suppress(TimeoutError):
                self.socket.recv(1, socket.MSG_PEEK)
                break
            try:
                self.socket.sendall(piece)
            except OSError:
                break
            time.sleep(every)
        self.socket.settimeout(20)
        return time.monotonic() - began


def form(boundary: str = "mark") -> tuple[bytes, bytes, str]:
    """The beginning and the end of a form around the content of its file, and its Content-Type."""
    token = CSRF.partition("=")[2]
    fields = f'--{boundary}\r\nContent-Disposition: form-data; name="csrfmiddlewaretoken"\r\n\r\n{token}\r\n'
    name = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n\r\n'
    return (fields + name).encode(), f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"
