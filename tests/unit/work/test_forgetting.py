"""Which settings are secret, and what is left of them."""

from typing import Any

import pytest

from queueing.work.forgetting import _emptied, _is_secret


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASES", {"default": {"NAME": "site"}}),
        ("REDIS_URL", "unix:///run/valkey.sock"),
        ("STORAGE_URL", "s3://key:word@files.example/queue"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("EMAIL_HOST_PASSWORD", "x"),
        ("SENTRY_DSN", "https://x"),
        ("CAPTCHA", {"site": "a", "secret": "b"}),
        ("SEARCH", "https://user:word@search.example"),
        ("BROKERS", [{"address": "redis://:word@cache.example/0"}]),
    ],
)
def test_addresses_and_passwords_are_secret(name: str, value: Any) -> None:
    assert _is_secret(name, value)
    emptied = _emptied(value)
    assert not emptied
    assert type(emptied) is type(value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QUEUEING", {"SIGN_IN_PAUSE": 900, "TOKENS": 1}),
        ("LANGUAGE_CODE", "en"),
        ("MEDIA_ROOT", "/srv/media"),
        ("USE_TZ", True),
        ("CSRF_TRUSTED_ORIGINS", ["https://queue.example"]),
        ("MODEL_FOLDER", "/opt/models"),
    ],
)
def test_other_settings_stay(name: str, value: Any) -> None:
    assert not _is_secret(name, value)


def test_what_others_hold_is_emptied_in_place() -> None:
    inner = {"PASSWORD": "word"}
    databases = {"default": inner}
    assert _emptied(databases) is databases
    assert (databases, inner) == ({}, {})
