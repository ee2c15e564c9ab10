"""Forms that are sent to a real web process."""

import http.client
import re
import uuid
from typing import NamedTuple


class Answer(NamedTuple):
    code: int
    retry_after: str | None
    text: str
    location: str = ""
    cookie: str = ""  # of the session, if there is a new one


class Poster:
    """A browser that sends the form of a line, each time on a connection of its own."""

    def __init__(self, port: int, line: str, path: str = "") -> None:
        self.port, self.path = port, path or f"/join/{line}/"
        self.headers: dict[str, str] = {}  # of each form that is sent
        answer, self.page = self._ask("GET", b"", {})
        page = self.page
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
        assert token is not None, page
        self.token = token[1]
        self.cookie = str(answer.headers["Set-Cookie"]).partition(";")[0]

    def send(self, content: bytes, name: str = "a.csv", **fields: str) -> Answer:
        boundary = uuid.uuid4().hex
        values = {"csrfmiddlewaretoken": self.token, "code": str(uuid.uuid4())} | fields
        parts = [f'Content-Disposition: form-data; name="{key}"\r\n\r\n{value}' for key, value in values.items()]
        parts.append(f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n')
        body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts).removesuffix("\r\n").encode()
        body += content + f"\r\n--{boundary}--\r\n".encode()
        headers = {"Content-Type": f"multipart/form-data; boundary={boundary}", "Cookie": self.cookie} | self.headers
        answer, text = self._ask("POST", body, headers)
        cookies = [cookie.partition(";")[0] for cookie in answer.headers.get_all("Set-Cookie", [])]
        session = next((cookie for cookie in cookies if cookie.startswith("sessionid=")), "")
        return Answer(answer.status, answer.headers["Retry-After"], text, answer.headers["Location"] or "", session)

    def _ask(self, method: str, body: bytes, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        try:
            connection.request(method, self.path, body, headers)
            answer = connection.getresponse()
            return answer, answer.read().decode()
        finally:
            connection.close()
