"""The Redis of a site's tests: emptied if it is one for tests, else refused with a sentence that says what to do."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.files.storage import Storage

from queueing.exceptions import UnfitForTests
from queueing.line import clients, keys
from queueing.testing import beginning
from queueing.testing.clock import Clock
from tests.support.connections import forget_connections
from tests.support.own_line import on_own_valkey
from tests.support.paths import ROOT
from tests.support.servers import free_port
from tests.support.visitors import upload


@pytest.fixture
def other(settings: Any) -> Iterator[redis.Redis]:
    """Another database of the tests' Valkey, named in the settings."""
    settings.REDIS_URL = settings.REDIS_URL.removesuffix("0") + "5"
    forget_connections()
    client = clients.connection()
    client.flushdb()
    yield client
    beginning.end()
    client.flushdb()
    forget_connections()


def test_a_database_with_keys_of_somebody_else_is_left_as_it_is(other: redis.Redis) -> None:
    other.set("rq:line:documents:epoch", "x")
    with pytest.raises(UnfitForTests, match=r'has 1 keys, and a test empties it. .* QUEUEING\["REDIS_URL"\] = '):
        beginning.begin()
    assert other.keys("*") == [b"rq:line:documents:epoch"]
    beginning.end()
    assert other.dbsize() == 1


@pytest.mark.parametrize(
    ("url", "pasted"),
    [
        ("redis://cache.internal:6380/3", "redis://cache.internal:6380/15"),
        ("rediss://me:geheim@cache.internal/3?ssl_ca_certs=ca.pem", "rediss://…@cache.internal/15"),
        ("unix:///run/valkey.sock?db=3", "unix:///run/valkey.sock?db=15"),
        ("sentinel://me:geheim@one,two/primary/3", "redis://127.0.0.1:6379/15"),
    ],
)
def test_the_line_to_paste_is_about_the_redis_of_the_settings(url: str, pasted: str, settings: Any) -> None:
    settings.REDIS_URL = url
    assert beginning._line(15) == f'QUEUEING["REDIS_URL"] = "{pasted}"'


def test_an_empty_database_is_taken_and_given_back(other: redis.Redis) -> None:
    beginning.begin()
    other.set("left", 1)
    beginning.begin()
    assert not other.exists("left")
    beginning.end()
    assert other.dbsize() == 0


@pytest.mark.django_db
def test_the_redis_of_a_line_is_looked_at_and_emptied_too(settings: Any, valkey: redis.Redis) -> None:
    with on_own_valkey(settings, "tables") as own:
        with pytest.raises(UnfitForTests, match=rf":{own.port}, database 0 has \d+ keys, and a test empties it"):
            beginning.begin()
        own.client.flushall()
        beginning.begin()
        kept = {b"rq:line:tables:epoch", keys.WATCH.encode(), beginning.MARK.encode()}
        assert set(own.client.keys("*")) == kept
        own.client.zadd(keys.line_keys("tables").due, {"x": 100_000})
        Clock().advance(60)
        assert own.client.zscore(keys.line_keys("tables").due, "x") == 40_000
        beginning.end()
        assert own.client.dbsize() == 0


def test_what_a_killed_run_has_left_is_emptied(other: redis.Redis) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    other.set(beginning.MARK, f"{socket.gethostname()}:{ended.pid}")
    other.set("left", 1)
    beginning.begin()
    assert not other.exists("left")


def test_two_runs_at_a_time_do_not_share_a_database(other: redis.Redis) -> None:
    other.set(beginning.MARK, f"{socket.gethostname()}:{os.getppid()}")
    with pytest.raises(UnfitForTests, match=r"Other tests \(.*\) use the Redis .* PYTEST_XDIST_WORKER"):
        beginning.begin()


def test_a_database_that_others_take_at_the_same_moment_is_theirs(
    other: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, theirs = beginning._me(), f"{socket.gethostname()}:{os.getppid()}"

    def others_come_first() -> str:
        """The mark is written, and another process has been quicker."""
        monkeypatch.setattr(beginning, "_me", lambda: mine)
        other.set(beginning.MARK, theirs)
        return mine

    monkeypatch.setattr(beginning, "_me", others_come_first)
    with pytest.raises(UnfitForTests, match="Other tests"):
        beginning.begin()
    assert other.get(beginning.MARK) == theirs.encode()


def test_a_database_that_others_have_taken_meanwhile_is_not_emptied(other: redis.Redis) -> None:
    beginning.begin()
    other.set(beginning.MARK, f"{socket.gethostname()}:{os.getppid()}")
    other.set("theirs", 1)
    with pytest.raises(UnfitForTests, match="Other tests"):
        beginning.begin()
    beginning.end()
    assert other.exists("theirs")


def test_a_site_without_lines_may_begin(other: redis.Redis, settings: Any) -> None:
    settings.QUEUEING_TASKS = {}
    beginning.begin()
    assert other.exists(beginning.MARK)


@pytest.mark.parametrize(
    "address",
    [
        "redis://me:geheim@127.0.0.1:{port}/0",
        "redis://127.0.0.1:{port}/0?username=me&password=geheim",
        "redis://:geheim@127.0.0.1:{port}?db=0",
    ],
)
def test_without_redis_the_sentence_names_the_address_and_hides_the_password(settings: Any, address: str) -> None:
    port = free_port()
    settings.REDIS_URL = address.format(port=port)
    told = refused(settings)
    assert f"No Redis answers at 127.0.0.1:{port}, database 0 " in told
    assert "geheim" not in told
    assert "valkey-server" in told


def test_without_sentinels_the_sentence_names_their_service(settings: Any) -> None:
    options = "sentinel_username=me&sentinel_password=geheim2"
    settings.REDIS_URL = f"sentinel://me:geheim@127.0.0.1:{free_port()}/primary/2?{options}"
    told = refused(settings)
    assert "No Redis answers at primary of the sentinels, database 2 " in told
    assert "geheim" not in told


def refused(settings: Any) -> str:
    """The sentence of a test that cannot begin."""
    forget_connections()
    try:
        with pytest.raises(UnfitForTests) as told:
            beginning.begin()
    finally:
        settings.REDIS_URL = os.environ["REDIS_URL"]
        forget_connections()
    return str(told.value)


class ElsewhereStorage(Storage):
    """A storage that is no folder of this machine, as a bucket is none."""


@pytest.mark.parametrize(
    "backend",
    ["storages.backends.s3.S3Storage", "queueing.storage.objects.ObjectStorage", f"{__name__}.ElsewhereStorage"],
)
def test_the_storage_of_a_site_is_refused(settings: Any, backend: str) -> None:
    """The purge of a test would delete what no row of the tests' database names."""
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": backend, "OPTIONS": options_of(backend)}}
    with pytest.raises(UnfitForTests, match="would go to the storage of the site"):
        beginning.begin()


def options_of(backend: str) -> dict[str, Any]:
    if backend.endswith("ElsewhereStorage"):
        return {}
    pytest.importorskip("storages")
    return {"bucket_name": "the-sites", "endpoint_url": f"http://127.0.0.1:{free_port()}"}


@pytest.mark.django_db
def test_the_files_of_a_test_stay_out_of_the_bucket_of_the_site(
    request: pytest.FixtureRequest, settings: Any, tmp_path: Path
) -> None:
    settings.STORAGES = settings.STORAGES | {"default": {"BACKEND": f"{__name__}.ElsewhereStorage"}}
    anna = request.getfixturevalue("new_visitor")()
    anna.join("probe", file=upload())
    assert [path for path in (tmp_path / "media").rglob("*") if path.is_file()]


def test_the_plugin_disturbs_no_project_without_django() -> None:
    """pytest loads it wherever the wheel is installed."""
    code = "import queueing.testing.plugin, sys; sys.exit('django' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_plugin_is_loaded_once_where_it_is_also_installed(tmp_path: Path) -> None:
    """The name of the entry point is that of the module, by which `-p` loads it."""
    info = tmp_path / "client_queue-0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: client-queue\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[pytest11]\nqueueing.testing.plugin = queueing.testing.plugin\n")
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    command = [sys.executable, "-m", "pytest", "-c", "pytest.ini", "-p", "no:django", "--fixtures", "-q"]
    environment = os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}"}
    done = subprocess.run(
        [*command, "-p", "queueing.testing.plugin"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.count("new_visitor --") == 1, done.stdout + done.stderr
