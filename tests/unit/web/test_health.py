"""Alive and ready."""

from pathlib import Path
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.core.management import call_command
from django.db import InterfaceError, connection
from django.db.migrations.recorder import MigrationRecorder

from queueing.line import keys
from queueing.web import readiness
from tests.support.connections import forget_connections
from tests.support.levers import set_levers
from tests.support.servers import free_port
from tests.support.visitors import Visitor

pytestmark = pytest.mark.django_db(transaction=True)


DEPLOYED = {"migrations": True, "static": True}
OPEN = {"lines": {"documents": "open", "tables": "open", "probe": "open"}}


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


def test_the_state_of_a_line_is_told_and_is_no_fault_of_the_site(valkey: redis.Redis) -> None:
    """A paused line needs no worker: the site stays ready while staff mend the machine."""
    valkey.set(keys.KEEPER, 1)
    for queue in django_settings.QUEUEING_TASKS:
        set_levers(queue, state="paused")
    set_levers("probe", state="stopped")
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
