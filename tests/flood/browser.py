"""A client of the flood: one browser session from one address, by plain HTTP."""

import http.client
import re
import secrets
import socket
from http.cookies import SimpleCookie
from typing import NamedTuple

from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

TIMEOUT = 60.0  # seconds


class Answer(NamedTuple):
    status: int
    body: bytes
    location: str


class Browser:
    """A browser session. Raises OSError or http.client.HTTPException when the site does not answer."""

    def __init__(self, address: str, port: int, timeout: float = TIMEOUT) -> None:
        self.address, self.port, self.timeout = address, port, timeout
        self.cookies: dict[str, str] = {}
        self.token = ""

    def get(self, path: str) -> Answer:
        return self._ask("GET", path)

    def form(self, task: str) -> Answer:
        """The page of a task's form; its token is kept."""
        answer = self.get(f"/join/{task}/")
        if found := re.search(rb'csrfmiddlewaretoken" value="([^"]+)', answer.body):
            self.token = found[1].decode()
        return answer

    def post(self, path: str, file: tuple[str, bytes] | None = None, **fields: str) -> Answer:
        body, kind = _multipart({"csrfmiddlewaretoken": self.token} | fields, file)
        return self._ask("POST", path, body, {"Content-Type": kind})

    def open(self, path: str) -> ClientConnection:
        """The socket of an entry's page."""
        raw = socket.create_connection(("127.0.0.1", self.port), self.timeout, source_address=(self.address, 0))
        origin = f"http://127.0.0.1:{self.port}"
        address = f"ws{origin[4:]}/ws{path}"
        return connect(
            address,
            sock=raw,
            origin=Origin(origin),
            additional_headers={"Cookie": self._cookie()},
            proxy=None,
            ping_interval=None,
            open_timeout=min(self.timeout, 10),
            close_timeout=min(self.timeout, 10),
        )

    def _ask(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.port, timeout=self.timeout, source_address=(self.address, 0)
        )
        try:
            connection.request(method, path, body, {"Cookie": self._cookie()} | (headers or {}))
            answer = connection.getresponse()
            for value in answer.headers.get_all("Set-Cookie") or []:
                self.cookies |= {name: morsel.value for name, morsel in SimpleCookie(value).items()}
            return Answer(answer.status, answer.read(), answer.headers.get("Location") or "")
        finally:
            connection.close()

    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())


def _multipart(fields: dict[str, str], file: tuple[str, bytes] | None) -> tuple[bytes, str]:
    mark = secrets.token_hex(8)
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    ]
    if file is not None:
        name, content = file
        head = f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
        parts.append(head.encode() + content + b"\r\n")
    return b"".join(parts) + f"--{mark}--\r\n".encode(), f"multipart/form-data; boundary={mark}"
