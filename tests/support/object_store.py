"""A real S3 server for the tests: SeaweedFS, one process on this machine, from a wheel that has its program.

It checks signatures, streams, lists in pages, deletes many objects in a call, and keeps parts of uploads, as Amazon's
own does. The packages are in requirements-dev.in; without them every test that needs the server is skipped.
"""

import contextlib
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings as django_settings

from queueing.storage import address
from tests.support import certificates
from tests.support.servers import FOLDER, free_port
from tests.support.waiting import wait_for
from tools.machine import is_ci

KEY, SECRET = "the-site", "secret/with+signs="
READER, READERS_SECRET = "reader", "may-only-read"
WRITER, WRITERS_SECRET = "writer", "may-not-list"
BUCKET = "queue"
NEEDED = ("storages", "boto3")


def _program() -> str | None:
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


def require() -> None:
    """Skip the running test without the server or its client. In CI it fails, because nobody would notice a skip."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    missing += [] if _program() else ["weed"]
    if missing:
        sentence = f"NO TEST OF OBJECT STORAGE: {', '.join(missing)} missing; install requirements-dev.txt again"
        if is_ci():
            pytest.fail(sentence)
        pytest.skip(sentence)


class ObjectStore:
    """The server, with one bucket. With TLS its certificate is by an authority of its own, `folder / "ca.pem"`."""

    def __init__(self, *, tls: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(dir=FOLDER))
        self.port, self.tls = free_port(), tls
        if tls:
            certificates.write(self.folder)
        (self.folder / "s3.json").write_text(json.dumps({"identities": list(_identities())}))
        with (self.folder / "log").open("wb") as log:
            self.process = subprocess.Popen(
                [str(_program()), "-logtostderr=true", "server", *self._options()], stdout=log, stderr=log
            )
        self.make_bucket()

    def url(self, *, key: str = KEY, secret: str = SECRET, port: int = 0, bucket: str = BUCKET, **options: str) -> str:
        """STORAGE_URL. A port of a proxy leads there by another way."""
        told = "".join(f"&{name}={value}" for name, value in options.items())
        return f"s3://{key}:{quote(secret, safe='')}@127.0.0.1:{port or self.port}/{bucket}?tls={self.tls:d}{told}"

    def make_bucket(self) -> None:
        wait_for(self._made, 60)

    def empty(self) -> None:
        """Delete all objects."""
        while names := self.names():
            objects = [{"Key": name} for name in names]
            self.client().delete_objects(Bucket=BUCKET, Delete={"Objects": objects})

    def names(self) -> list[str]:
        """The names of all objects; of the first thousand, if there are more."""
        return [found["Key"] for found in self.client().list_objects_v2(Bucket=BUCKET).get("Contents", ())]

    @cache  # noqa: B019  # a few of them, and to make one takes long
    def client(self) -> Any:
        """A plain client of boto3's, beside those of the site."""
        import boto3

        keys = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET, "region_name": "us-east-1"}
        scheme, authority = ("https", str(self.folder / "ca.pem")) if self.tls else ("http", None)
        return boto3.Session(**keys).client("s3", endpoint_url=f"{scheme}://127.0.0.1:{self.port}", verify=authority)

    def hang(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    def stop(self) -> None:
        self.go_on()
        self.process.kill()
        self.process.wait(10)

    def _made(self) -> bool:
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            self.client().create_bucket(Bucket=BUCKET)
        except (BotoCoreError, ClientError):
            time.sleep(0.2)
            return False
        return True

    def _options(self) -> Iterator[str]:
        for name in ("master.port", "volume.port", "filer.port"):
            yield from (f"-{name}={free_port()}", f"-{name}.grpc={free_port()}")
        yield from (f"-dir={self.folder}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-iam=false")
        yield from (f"-s3.port={self.port}", f"-s3.port.grpc={free_port()}", f"-s3.config={self.folder / 's3.json'}")
        yield from ("-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false", "-s3.autoCreateBucket=false")
        if self.tls:
            yield from (f"-s3.cert.file={self.folder / 'server.pem'}", f"-s3.key.file={self.folder / 'server.key'}")
        # Little room on the disk of a test, and none that is taken beforehand.
        yield from ("-master.volumeSizeLimitMB=64", "-volume.max=40", "-volume.minFreeSpace=0")
        yield "-master.telemetry=false"


def _identities() -> Iterator[dict[str, Any]]:
    for name, secret, actions in (
        (KEY, SECRET, ["Admin", "Read", "Write", "List"]),
        (READER, READERS_SECRET, [f"Read:{BUCKET}", f"List:{BUCKET}"]),
        (WRITER, WRITERS_SECRET, [f"Read:{BUCKET}", f"Write:{BUCKET}"]),
    ):
        yield {"name": name, "credentials": [{"accessKey": name, "secretKey": secret}], "actions": actions}


def use(settings: Any, url: str) -> None:
    """Have this process store in the bucket of this STORAGE_URL. Others take it from the environment."""
    found = address.parsed(url)
    settings.STORAGE_URL = url
    settings.STORAGES = django_settings.STORAGES | {"default": found.storage}


@contextlib.contextmanager
def started(*, tls: bool = False) -> Iterator[ObjectStore]:
    require()
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    store = ObjectStore(tls=tls)
    try:
        yield store
    finally:
        store.stop()
