"""The headers of every answer: what a browser may do with it, and who may keep it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.http import HttpResponse
from django.urls import URLPattern, URLResolver, get_resolver

from queueing.models import Entry
from queueing.web.guards import guards
from tests.support.paths import ROOT
from tests.support.visitors import Visitor, finished, url

pytestmark = pytest.mark.django_db(transaction=True)

METHODS = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
FRAMES = {"X-Frame-Options", "Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"}


def routes(patterns: Any = None, before: str = "") -> Iterator[str]:
    """Every path that the resolver knows, with its parameters as they are written."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        path = before + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from routes(pattern.url_patterns, path)
        elif isinstance(pattern, URLPattern):
            yield path


ROUTES = list(routes())


def filled(route: str, entry: Entry) -> str:
    values = {
        "<uuid:code>": str(entry.code), "<slug:name>": "probe", "<str:name>": "answer.txt", "<path:object_id>": "1",
        "<path:content_type_id>": "1", "<id>": "1", "(?P<url>.*)$": "nothing", "<app_label>": "queueing",
    }  # fmt: skip
    for name, value in values.items():
        route = route.replace(name, value)
    return "/" + route.replace("^", "").replace("(?P<app_label>auth|queueing)", "queueing").replace("/$", "/")


def assert_guarded(answer: Any, *, is_framed: bool = False) -> None:
    """With `is_framed`, pages of this very site may have it in a frame."""
    expected = guards()
    assert "frame-ancestors 'none'" in expected["Content-Security-Policy"]
    if is_framed:
        framed = expected["Content-Security-Policy"].replace("frame-ancestors 'none'", "frame-ancestors 'self'")
        expected |= {"X-Frame-Options": "SAMEORIGIN", "Content-Security-Policy": framed}
    for name in FRAMES:
        assert answer[name] == expected[name], name


def assert_private(answer: Any) -> None:
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.parametrize("route", ROUTES)
def test_every_answer_of_every_url_is_guarded_and_private(route: str) -> None:
    """For its owner, a stranger, and a superuser; with every method."""
    visitor, root = Visitor(), Visitor()
    root.client.force_login(User.objects.create_superuser("root"))
    path = filled(route, finished(visitor))
    for client in (visitor.client, Visitor().client, root.client):
        for method in METHODS:
            answer = client.generic(method, path)
            assert_guarded(answer, is_framed=route.endswith("/card/") and answer.status_code == 200)
            assert_private(answer)
            answer.close()


def test_the_resolver_has_been_walked() -> None:
    assert {"", "join/<slug:name>/", "entry/<uuid:code>/files/<str:name>", "admin/login/"} <= set(ROUTES)


def test_answers_of_django_itself_are_guarded(settings: Any) -> None:
    client = Visitor().client
    answers = [
        client.get("/nothing"),
        client.get("/", headers={"Host": "evil.example"}),
        client.get("/join/probe"),  # to its slash
        client.post("/join/probe/", b"x", content_type="multipart/form-data"),
    ]
    settings.SECURE_SSL_REDIRECT = True
    answers.append(Visitor().client.get("/"))
    assert [answer.status_code for answer in answers] == [404, 400, 301, 400, 301]
    for answer in answers:
        assert_guarded(answer)
        assert_private(answer)


def test_the_pages_that_explain_an_error_to_a_developer_have_their_style(settings: Any) -> None:
    """They are Django's, with style and script within themselves."""
    for path, is_free in (("/nowhere/", True), ("/", False)):
        settings.DEBUG = True
        assert ("Content-Security-Policy" not in Visitor().client.get(path).headers) is is_free
        settings.DEBUG = False
        assert "Content-Security-Policy" in Visitor().client.get(path).headers


def test_an_error_of_the_first_middleware_is_guarded(settings: Any) -> None:
    settings.MIDDLEWARE = [*django_settings.MIDDLEWARE[:1], "tests.unit.web.test_guards.break_down"]
    answer = Visitor(raise_request_exception=False).client.get("/healthz")
    assert answer.status_code == 500
    assert_guarded(answer)


def break_down(_view: Any) -> Any:
    def broken(_request: Any) -> HttpResponse:
        raise RuntimeError

    return broken


def test_a_static_file_is_guarded_and_may_be_kept() -> None:
    answer = Visitor().client.get("/static/queueing/style.css")
    assert answer.status_code == 200
    assert_guarded(answer)
    assert "no-store" not in answer["Cache-Control"]
    answer.close()


def test_a_file_of_a_result_is_kept_by_nobody() -> None:
    visitor = Visitor()
    answer = visitor.client.get(url(finished(visitor), "files/answer.txt"))
    assert b"".join(answer) == b"42"
    assert_private(answer)
    answer.close()


def test_browsers_keep_to_https_for_a_year(settings: Any) -> None:
    code = "import config.settings as s; print(s.SECURE_HSTS_SECONDS)"
    environment = os.environ | {"DEBUG": "0", "ALLOWED_HOSTS": "queue.example"}
    shown = subprocess.run([sys.executable, "-c", code], env=environment, cwd=ROOT, capture_output=True, check=True)
    settings.SECURE_HSTS_SECONDS = int(shown.stdout)
    assert Visitor().client.get("/", secure=True)["Strict-Transport-Security"] == "max-age=31536000"
