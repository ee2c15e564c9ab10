"""Checks of hosts, proxies, the prefix of the sockets, and the style sheet."""

from typing import Any

import pytest

from tests.unit.test_checks import found


@pytest.mark.parametrize(
    ("values", "id_", "line"),
    [
        ({"ALLOWED_HOSTS": ["https://queue.example/"]}, "queueing.E106", "Name the host alone: 'queue.example'"),
        ({"ALLOWED_HOSTS": ["queue.example:8000"]}, "queueing.E106", "Name the host alone: 'queue.example'"),
        ({"ALLOWED_HOSTS": ["[::1]:8000"]}, "queueing.E106", "Name the host alone: '[::1]'"),
        ({"TRUSTED_PROXIES": ["nginx"]}, "queueing.E107", "TRUSTED_PROXIES has 'nginx'"),
        ({"QUEUEING": {"TRUSTED_PROXIES": "10.0.0.1 10.0.0.0/99"}}, "queueing.E107", "has '10.0.0.0/99'"),
        ({"CLIENT_ADDRESS_HEADER": "HTTP_X_REAL_IP"}, "queueing.E108", "as the proxy sends it: 'X-Real-Ip'"),
        ({"QUEUEING": {"SOCKET_PREFIX": "/queue/ws"}}, "queueing.E109", '"SOCKET_PREFIX": "queue/ws/"'),
        ({"QUEUEING": {"STYLESHEET": "shop/nowhere.css"}}, "queueing.E110", "STYLESHEET is 'shop/nowhere.css'"),
        ({"QUEUEING": {"STYLESHEET": "/static/queueing/style.css"}}, "queueing.E110", "shop/static/shop/queue.css"),
    ],
)
def test_what_is_wrong_at_the_front_is_found(values: dict[str, Any], id_: str, line: str, settings: Any) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    assert line in found()[id_]


@pytest.mark.parametrize(
    "values",
    [
        {"ALLOWED_HOSTS": ["*", ".queue.example", "[::1]", "127.0.0.1", "localhost"]},
        {"TRUSTED_PROXIES": "10.0.0.1, fd00::/8"},
        {"QUEUEING": {"STYLESHEET": "queueing/style.css", "SOCKET_PREFIX": "queue/ws/"}},
    ],
)
def test_settings_at_the_front_that_fit_are_not_named(values: dict[str, Any], settings: Any) -> None:
    for name, value in values.items():
        setattr(settings, name, value)
    assert not [id_ for id_ in found() if id_ in {f"queueing.E{number}" for number in range(106, 111)}]


@pytest.mark.django_db
def test_forms_that_no_browser_can_send_over_http_are_warned_of(settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT, settings.CSRF_COOKIE_SECURE = False, True
    assert "SECURE_COOKIES=0" in found(deploy=True)["queueing.W142"]
    settings.SECURE_SSL_REDIRECT = True
    assert "queueing.W142" not in found(deploy=True)
    settings.SECURE_SSL_REDIRECT, settings.CSRF_COOKIE_SECURE = False, False
    assert "queueing.W142" not in found(deploy=True)


@pytest.mark.django_db
def test_a_site_in_production_that_names_no_proxy_is_warned(settings: Any) -> None:
    settings.DEBUG, settings.TRUSTED_PROXIES = False, []
    assert "TRUSTED_PROXIES=127.0.0.1" in found(deploy=True)["queueing.W140"]
    assert "queueing.W140" not in found()
    settings.TRUSTED_PROXIES = ["10.0.0.7"]
    assert "queueing.W140" not in found(deploy=True)
    settings.DEBUG, settings.TRUSTED_PROXIES = True, []
    assert "queueing.W140" not in found(deploy=True)
