"""Alive and ready."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import InterfaceError, connection
from django.db.migrations.recorder import MigrationRecorder

from queueing import serving
from queueing.line import keys
from queueing.web import readiness, views
from queueing.web.asgi import LobbyStarter
from tests.support.connections import forget_connections
from tests.support.levers import set_levers
from tests.support.servers import free_port
from tests.support.visitors import Visitor, url

pytestmark = pytest.mark.django_db(transaction=True)


DEPLOYED = {"migrations": True, "static": True, "sockets": False}  # Django's client calls no ASGI application
OPEN = {"lines": {"documents": "open", "tables": "open", "probe": "open"}}


@pytest.fixture(autouse=True)
def without_sockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process, whatever was served before in this one."""
    monkeypatch.setattr(serving, "_has_sockets", False)


def ready() -> tuple[int, dict[str, Any]]:
    answer = Visitor().client.get("/readyz")
    return answer.status_code, answer.json()


def test_a_site_that_answers_is_alive() -> None:
    answer = Visitor().client.get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_a_site_without_keeper_and_workers_is_not_ready() -> None:
    parts = {
        "database": True,
        "redis": True,
        "keeper": False,
        "places": True,
        "workers": False,
        "storage": True,
    } | DEPLOYED
    assert ready() == (503, parts | OPEN)


def test_the_log_names_the_parts_without_which_the_site_is_not_ready(caplog: pytest.LogCaptureFixture) -> None:
    assert ready()[0] == 503
    [line] = [record for record in caplog.records if record.name == "django.request"]
    assert line.getMessage().startswith("Service Unavailable (without keeper, workers, sockets): ")


def test_the_state_of_a_line_is_told_and_is_no_fault_of_the_site(valkey: redis.Redis) -> None:
    """A paused line needs no worker: the site stays ready while staff mend the machine."""
    valkey.set(keys.KEEPER, 1)
    for queue in django_settings.QUEUEING_TASKS:
        set_levers(queue, state="paused")
    set_levers("probe", state="stopped")
    serving.sockets_are_served()
    status, parts = ready()
    assert (status, parts["workers"]) == (200, True)
    assert parts["lines"] == {"documents": "paused", "tables": "paused", "probe": "stopped"}
    set_levers("tables", state="closed")
    assert ready()[1]["workers"] is False


def test_a_connection_that_was_closed_underneath_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Django's InterfaceError is no DatabaseError."""

    def broken() -> bool:
        raise InterfaceError("connection already closed")

    monkeypatch.setattr(readiness, "_database", broken)
    status, parts = ready()
    assert (status, parts["database"], parts["redis"]) == (503, False, True)


def test_a_site_whose_places_were_not_restored_yet_is_not_ready(valkey: redis.Redis) -> None:
    valkey.flushall()
    assert ready()[1]["places"] is False


def test_a_site_without_redis_is_alive_and_not_ready(settings: Any, valkey: redis.Redis) -> None:
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    forget_connections()
    try:
        assert Visitor().client.get("/healthz").status_code == 200
        parts = {
            "database": True,
            "redis": False,
            "keeper": False,
            "places": False,
            "workers": False,
            "storage": True,
        } | DEPLOYED
        assert ready() == (503, parts | OPEN)
    finally:
        forget_connections()


def test_a_site_whose_static_files_are_not_collected_is_not_ready(settings: Any, tmp_path: Path) -> None:
    settings.DEBUG, settings.STATIC_ROOT = False, tmp_path
    storage = {"BACKEND": "config.storage.MinifiedStaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": storage}
    assert ready()[1]["static"] is False
    call_command("collectstatic", "--noinput", verbosity=0)
    settings.STORAGES = {**settings.STORAGES}  # a process that is started then
    assert ready()[1]["static"] is True


@pytest.mark.parametrize(
    ("values", "is_fine"),
    [
        ({}, False),
        ({"STATIC_URL": "https://files.example/"}, True),
        ({"SILENCED_SYSTEM_CHECKS": ["queueing.W100"]}, True),
    ],
)
def test_plain_static_files_that_nobody_has_are_told(
    values: dict[str, Any],
    is_fine: bool,
    settings: Any,
    tmp_path: Path,
) -> None:
    settings.DEBUG, settings.STATIC_ROOT, settings.SILENCED_SYSTEM_CHECKS = False, tmp_path, []
    for name, value in values.items():
        setattr(settings, name, value)
    assert ready()[1]["static"] is is_fine


def test_an_application_with_sockets_says_so() -> None:
    async def answer(*_: object) -> None:
        pass

    assert ready()[1]["sockets"] is False
    asyncio.run(LobbyStarter(answer)({"type": "http"}, None, None))
    assert ready()[1]["sockets"] is True


def test_pages_without_sockets_are_one_line_of_the_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """In a process of Django's own application, which is no test's."""
    monkeypatch.setattr(serving, "_is_looked_at", False)
    views._tell_of_missing_sockets.cache_clear()
    anna = Visitor()
    entry = anna.join()
    for _ in range(2):
        assert anna.client.get(url(entry)).status_code == 200
    told = [line for line in caplog.messages if "without sockets" in line]
    assert len(told) == 1
    assert told[0].endswith("Start the server with the application that has them: queueing.asgi:application")


def test_a_site_whose_tables_are_missing_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "_is_migrated", False)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM django_migrations WHERE name = '0015_enqueue'")
    try:
        assert ready()[1]["migrations"] is False
    finally:
        MigrationRecorder(connection).record_applied("queueing", "0015_enqueue")
    assert ready()[1]["migrations"] is True


def test_a_site_that_may_not_write_is_not_ready(settings: Any) -> None:
    settings.MEDIA_ROOT = "/dev/null/media"
    assert ready()[1]["storage"] is False
