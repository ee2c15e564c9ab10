"""Settings: names, types, and what must hold between them."""

import sys
from pathlib import Path
from typing import Any

import pytest
import redis
from django.core.checks import run_checks
from django.core.exceptions import ImproperlyConfigured

from config import env
from queueing import checks
from queueing.checks import RELATIONS
from queueing.conf import Conf, check_all, conf, parse

FAILING: dict[str, dict[str, Any]] = {
    "queueing.E001": {"PRESENCE_TTL": 14.9},
    "queueing.E002": {"CLOSE_GRACE": 5},
    "queueing.E003": {"LOST_GRACE": 9},
    "queueing.E004": {"LEASE": 2},
    "queueing.E005": {"KEEP_GRACE": 60},
    "queueing.E006": {"MAX_ATTEMPTS": 0},
    "queueing.E007": {"POLL_TTL": 10},
    "queueing.E008": {"KEEPER_INTERVAL": 0},
    "queueing.E011": {"MIN_PRESENCE": 25},
    "queueing.E020": {"MAX_BYTES": -1},
    "queueing.E030": {"TASK_MEMORY_BYTES": 1000},
    "queueing.E040": {"CHECK_SECONDS": 0.5},
    "queueing.E050": {"ADDRESS_RATE": 0},
    "queueing.E051": {"BRAKE": "perhaps"},
    "queueing.E060": {"STALL_SECONDS": 0},
    "queueing.E070": {"MAX_PAGES_PER_ADDRESS": 0},
    "queueing.E071": {"SIGN_IN_ATTEMPTS": 0},
}


def found(*, deploy: bool = False) -> list[str]:
    return [str(message.id) for message in run_checks(tags=["queueing"], include_deployment_checks=deploy)]


def test_settings_are_read_again_after_a_change(settings: Any) -> None:
    settings.QUEUEING = {"LEASE": 12}
    assert (conf.LEASE, conf.MAX_ATTEMPTS) == (12, 2)
    settings.QUEUEING = {}
    assert conf.LEASE == 30
    assert found() == []


def test_texts_from_the_environment_get_their_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUEUEING_LEASE", "12.5")
    monkeypatch.setenv("QUEUEING_MAX_LINE", "7")
    monkeypatch.setenv("QUEUEING_CLOSED_LINES", "tables")
    parsed = parse(Conf, env.prefixed("QUEUEING_"))
    assert parsed == Conf(LEASE=12.5, MAX_LINE=7, CLOSED_LINES="tables")


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"TABLE_MAX_COLUMNS": "many"}, "QUEUEING_TABLE_MAX_COLUMNS must be of type int, not 'many'."),
        ({"HEART_BEAT": 1}, "Unknown QUEUEING settings: HEART_BEAT."),
        ({"LEASE": "soon"}, "QUEUEING_LEASE must be of type float, not 'soon'."),
        ({"LEASE": "nan"}, "QUEUEING_LEASE must be of type float, not 'nan'."),
        ({"LEASE": "inf"}, "QUEUEING_LEASE must be of type float, not 'inf'."),
        ({"LEASE": None}, "QUEUEING_LEASE must be of type float, not None."),
        ({"MAX_LINE": "1.5"}, "QUEUEING_MAX_LINE must be of type int, not '1.5'."),
        ({"MAX_LINE": 1.5}, "QUEUEING_MAX_LINE must be of type int, not 1.5."),
    ],
)
def test_a_wrong_setting_is_named(values: dict[str, Any], sentence: str, settings: Any) -> None:
    with pytest.raises(ImproperlyConfigured, match=sentence.replace(".", r"\.")):
        check_all(values)
    settings.QUEUEING = values
    assert found() == ["queueing.E000"]


@pytest.mark.parametrize("id_", sorted(FAILING))
def test_each_relation_is_checked(id_: str, settings: Any) -> None:
    settings.QUEUEING = FAILING[id_]
    messages = run_checks(tags=["queueing"])
    assert [message.id for message in messages] == [id_]
    assert messages[0].hint


def test_each_relation_has_a_failing_case() -> None:
    assert {id_ for id_, *_ in RELATIONS} == FAILING.keys()


@pytest.mark.parametrize("name", ["RESULT_TTL", "REDIS_PATIENCE", "DEAF_GRACE", "HEARTBEAT_INTERVAL", "INPUT_TTL"])
def test_a_duration_below_zero_is_found(name: str, settings: Any) -> None:
    settings.QUEUEING = {name: -1}
    assert "queueing.E008" in found()


def test_a_form_whose_file_would_find_no_room_is_named(settings: Any) -> None:
    settings.QUEUEING = {"UPLOADS_BYTES": 2**30}
    assert found() == []
    settings.QUEUEING = {"UPLOADS_BYTES": 900 * 2**20}
    messages = run_checks(tags=["queueing"])
    assert [message.id for message in messages] == ["queueing.E061"]
    assert "'tables'" in messages[0].msg


def test_another_prefix_of_rqs_keys_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert checks.check_prefix() == []
    monkeypatch.setattr("rq.defaults.RQ_KEY_PREFIX", "other")
    assert [message.id for message in checks.check_prefix()] == ["queueing.E009"]


@pytest.mark.parametrize(
    ("folder", "place", "is_refused"),
    [
        ("site/media", "site", True),
        ("site", "site", True),
        ("site/inner/media", "site", True),
        ("site/media.d/media", "site", False),  # a dot is no part of a module's name
        ("media", "site", False),
        ("site/kept_out/media", "site", False),
    ],
)
def test_uploads_where_python_imports_from_are_refused(
    folder: str, place: str, is_refused: bool, tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.path", [str(tmp_path / place)])
    monkeypatch.setitem(sys.modules, "kept_out", None)
    settings.MEDIA_ROOT = str(tmp_path / folder)
    assert [message.id for message in checks.check_media_root()] == ["queueing.E010"] * is_refused


def test_the_folder_of_the_shipped_site_is_not_refused(settings: Any) -> None:
    settings.MEDIA_ROOT = str(settings.VAR_DIR / "media")
    assert checks.check_media_root() == []


def test_a_redis_that_evicts_is_warned_of(db: None, valkey: redis.Redis) -> None:
    usual = {
        "queueing.W100",
        "queueing.I104",
        "queueing.I106",
        "queueing.W140",
    }  # no collected files, no worker, no keeper and no proxy are there
    assert set(found(deploy=True)) == usual
    valkey.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert set(found(deploy=True)) == usual | {"queueing.W001"}
    finally:
        valkey.config_set("maxmemory-policy", "noeviction")


# The environment


def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "eight")
    with pytest.raises(ImproperlyConfigured, match="PORT must be a whole number, not 'eight'"):
        env.number("PORT", 8000)
    monkeypatch.setenv("DEBUG", "perhaps")
    with pytest.raises(ImproperlyConfigured, match="DEBUG must be 1 or 0, not 'perhaps'"):
        env.boolean("DEBUG", default=False)


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME", " ")
    assert env.number("NAME", 8000) == 8000
    assert env.boolean("NAME", default=True)
    assert env.words("NAME", "a, b c") == ["a", "b", "c"]
