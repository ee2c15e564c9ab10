"""The requests of a browser that sends a form and follows its answer, on one kept connection to a real web process."""

import http.client
import re
import time
import uuid
from http.cookies import SimpleCookie


class Browser:
    """A visitor who sends the form of one line again and again."""

    def __init__(self, port: int, queue: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        self.form = f"/join/{queue}/"
        self.cookies: SimpleCookie = SimpleCookie()
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self._request("GET", self.form)[1])
        assert token is not None
        self.token = token[1]

    def join(self) -> float:
        """Send the form and open the page that its answer names; returns the time at which the answer was there."""
        boundary = uuid.uuid4().hex
        fields = {"csrfmiddlewaretoken": self.token, "code": str(uuid.uuid4())}
        parts = [f'Content-Disposition: form-data; name="{name}"\r\n\r\n{value}' for name, value in fields.items()]
        parts.append(
            'Content-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\na,b\n1,2\n'
        )
        body = "".join(f"--{boundary}\r\n{part}\r\n" for part in parts) + f"--{boundary}--\r\n"
        page, _ = self._request("POST", self.form, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
        answered = time.time()
        self._request("GET", page)
        return answered

    def _request(
        self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None
    ) -> tuple[str, str]:
        """The address that the answer leads to ("" for a page), and the answer's text."""
        cookies = "; ".join(f"{name}={cookie.value}" for name, cookie in self.cookies.items())
        self.connection.request(method, path, body.encode(), (headers or {}) | {"Cookie": cookies})
        answer = self.connection.getresponse()
        text = answer.read().decode()
        assert answer.status in (200, 303), text
        for header in answer.headers.get_all("Set-Cookie") or []:
            self.cookies.load(header)
        return answer.headers.get("Location", ""), text
