"""Ways to a storage: TLS, another address for browsers, and keys that boto3 finds in its usual places."""

import json
import ssl
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from queueing.checks import deployed
from tests.support import object_store
from tests.support.browser.proxy import Proxy
from tests.support.object_store import KEY, SECRET, ObjectStore

storage: Any = default_storage  # which has more than Django's types know


def there_and_back() -> str:
    """Store a file and read it again; returns its signed address."""
    name = storage.save("entries/a.csv", ContentFile(b"a;b\n"))
    with storage.open(name) as file:
        assert file.read() == b"a;b\n"
    address: str = storage.signed_url(name, filename="a.csv", content_type="text/csv")
    return address


def fetched(address: str, trusted: ssl.SSLContext | None = None) -> bytes:
    with urllib.request.urlopen(address, timeout=10, context=trusted) as answer:  # noqa: S310
        content: bytes = answer.read()
    return content


def test_browsers_may_find_the_storage_at_another_address(s3: ObjectStore, settings: Any) -> None:
    proxy = Proxy(s3.port)
    try:
        object_store.use(settings, s3.url(public=proxy.url))
        address = there_and_back()
        assert address.startswith(f"{proxy.url}/queue/")
        assert fetched(address) == b"a;b\n"
        with pytest.raises(urllib.error.HTTPError):  # the signature is for that address alone
            fetched(address.replace(proxy.url, f"http://127.0.0.1:{s3.port}", 1))
    finally:
        proxy.stop()


def test_a_key_may_be_in_the_environment(s3: ObjectStore, settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    object_store.use(settings, f"s3://127.0.0.1:{s3.port}/queue?tls=0")
    assert fetched(there_and_back()) == b"a;b\n"


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The service that gives a container the keys of its role; the paths that it was asked for. Keys last a moment."""
    asked: list[str] = []

    class Service(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            until = datetime.now(UTC) + timedelta(minutes=1)  # boto3 asks again in the last 10 to 15 minutes
            found = {"AccessKeyId": KEY, "SecretAccessKey": SECRET, "Token": "", "Expiration": until.isoformat()}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(found).encode())

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", f"http://127.0.0.1:{server.server_port}/role")
    yield asked
    server.shutdown()
    server.server_close()


def test_a_role_gives_keys_which_are_asked_for_again(s3: ObjectStore, settings: Any, role: list[str]) -> None:
    object_store.use(settings, f"s3://127.0.0.1:{s3.port}/queue?tls=0")
    assert fetched(there_and_back()) == b"a;b\n"
    assert set(role) == {"/role"}
    before = len(role)
    storage.save("entries/b.csv", ContentFile(b""))
    assert len(role) > before


@pytest.mark.slow
def test_tls_by_an_authority_of_ones_own(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with object_store.started(tls=True) as store:
        object_store.use(settings, store.url())
        (found,) = deployed.check_objects()
        assert "certificate" in found.msg
        monkeypatch.setenv("AWS_CA_BUNDLE", str(store.folder / "ca.pem"))
        object_store.use(settings, store.url(region="eu-central-1"))  # another one, so that no client is kept
        assert deployed.check_objects() == []
        address = there_and_back()
        assert address.startswith(f"https://127.0.0.1:{store.port}/queue/")
        assert fetched(address, ssl.create_default_context(cafile=store.folder / "ca.pem")) == b"a;b\n"
