"""The proxies of docs/operations.md take http beside https, and say which one it was: the site sends http to https."""

import ssl
import subprocess
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.support import certificates
from tests.support.proxies import example, program
from tests.support.servers import free_port
from tests.support.waiting import wait_for
from tests.support.web import is_listening


class Scheme(BaseHTTPRequestHandler):
    """Answers with what the proxy says about the request."""

    def do_GET(self) -> None:  # the name that http.server asks for
        said = ", ".join(self.headers.get_all("X-Forwarded-Proto", []))
        self.send_response(200)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said.encode())

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def web() -> Iterator[int]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Scheme) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


def configuration(name: str, folder: Path, plain: int, secure: int, web: int) -> tuple[str, list[str]]:
    """The document's own, at other ports; and the options that it is started with."""
    text = example(name).replace("127.0.0.1:8000", f"127.0.0.1:{web}").replace("/etc/queue/", f"{folder}/")
    if name == "haproxy":
        text = text.replace("bind :80 ", f"bind 127.0.0.1:{plain} ").replace("bind :443 ", f"bind 127.0.0.1:{secure} ")
        return text.replace("/etc/haproxy/", f"{folder}/"), ["-db", "-f"]
    text = text.replace("listen 80;", f"listen 127.0.0.1:{plain};").replace(
        "listen 443 ", f"listen 127.0.0.1:{secure} "
    )
    return f"daemon off; pid {folder}/pid; error_log stderr; events {{}} http {{ access_log off; {text} }}", ["-c"]


@pytest.mark.parametrize("name", ["nginx", "haproxy"])
def test_a_proxy_says_whether_it_was_http_or_https(name: str, web: int, tmp_path: Path) -> None:
    if program(name) is None:
        pytest.skip(f"{name} is not installed")
    certificates.write(tmp_path)
    for old, new in (("server.pem", "site.crt"), ("server.key", "site.key")):
        (tmp_path / new).write_bytes((tmp_path / old).read_bytes())
    (tmp_path / "site.pem").write_bytes((tmp_path / "site.crt").read_bytes() + (tmp_path / "site.key").read_bytes())
    plain, secure = free_port(), free_port()
    text, options = configuration(name, tmp_path, plain, secure, web)
    (tmp_path / "conf").write_text(text)
    with (tmp_path / "out").open("wb") as log:
        proxy = subprocess.Popen([str(program(name)), *options, str(tmp_path / "conf")], stderr=log)
    trusted = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
    try:
        wait_for(lambda: is_listening(secure) or proxy.poll() is not None)
        assert proxy.poll() is None, (tmp_path / "out").read_text()
        for scheme, port in (("http", plain), ("https", secure)):
            address = f"{scheme}://127.0.0.1:{port}/"
            spoofed = urllib.request.Request(address, headers={"X-Forwarded-Proto": "https"})  # noqa: S310  # our own
            with urllib.request.urlopen(spoofed, timeout=10, context=trusted) as answer:  # noqa: S310
                assert answer.read().decode() == scheme
    finally:
        proxy.terminate()
        proxy.wait(20)
