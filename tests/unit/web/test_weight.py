"""How much a page weighs, and how its files travel."""

import re
from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from tests.support.every_page import rendered
from tests.support.visitors import FORM, Visitor, url

pytestmark = pytest.mark.django_db(transaction=True)

SCRIPTS, STYLES, FIRST_PAGE = 15_000, 25_000, 100_000  # bytes, not compressed
ASSET = re.compile(r'<(?:script|link|img)\b[^>]*?\b(?:src|href)="([^"]+)"')


@pytest.fixture
def collected(settings: Any, tmp_path: Path) -> Client:
    """The site with its static files as `collectstatic` leaves them when DEBUG is off."""
    settings.DEBUG = settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = False
    settings.STATIC_ROOT = tmp_path
    storage = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": storage}
    call_command("collectstatic", "--noinput", verbosity=0)
    return Client()


def assets(html: str) -> set[str]:
    return set(ASSET.findall(html))


def weight(paths: set[str], kind: str) -> int:
    found = [finders.find(path.removeprefix("/static/")) for path in paths if path.endswith(kind)]
    return sum(Path(path).stat().st_size for path in found if path)


def test_every_page_is_light_and_loads_nothing_from_elsewhere(settings: Any) -> None:
    """Every page: its scripts, its styles, and nothing from elsewhere."""
    pages = {name: page.content.decode() for name, page in rendered(settings).items() if "admin" not in name}
    assert weight(assets(pages["waiting"]), ".js") > 10_000
    for name, html in pages.items():
        paths = assets(html)
        assert all(path.startswith(("/static/queueing/", "/entry/")) for path in paths), name
        assert weight(paths, ".js") < SCRIPTS, name
        assert 0 < weight(paths, ".css") < STYLES, name


def test_the_first_page_is_light(db: None) -> None:
    html = Visitor().client.get("/").content
    paths = assets(html.decode())
    assert len(html) + sum(weight(paths, kind) for kind in (".js", ".css", ".svg")) < FIRST_PAGE


def test_files_are_compressed_and_kept_for_ever(collected: Client) -> None:
    """Their names change with their content, so no browser asks for one twice."""
    visitor = Visitor()
    entry = visitor.join()
    for page in (collected.get("/"), collected.get(FORM), visitor.client.get(url(entry))):
        paths = {path for path in assets(page.content.decode()) if path.startswith("/static/")}
        assert paths
        for path in paths:
            answer = collected.get(path, headers={"Accept-Encoding": "gzip, br"})
            assert answer.status_code == 200, path
            assert "immutable" in answer["Cache-Control"], path
            assert int(re.findall(r"max-age=(\d+)", answer["Cache-Control"])[0]) >= 31_536_000
            if path.endswith((".js", ".css")):
                assert answer["Content-Encoding"] == "gzip", path
                assert "Accept-Encoding" in answer["Vary"]
            answer.close()


def test_pages_are_never_kept_by_anything_between() -> None:
    visitor = Visitor()
    entry = visitor.join()
    for path in (FORM, url(entry), url(entry, "status.json")):
        assert {"no-store", "private"} <= set(visitor.client.get(path)["Cache-Control"].split(", "))
    assert "Cookie" in visitor.client.get("/")["Vary"]


def test_every_page_says_what_a_browser_wants_to_know(settings: Any) -> None:
    for name, page in rendered(settings).items():
        if "admin" not in name:
            html = page.content.decode()
            for part in ("<!doctype html>", '<html lang="en">', 'name="viewport"', "<title>", 'name="description"'):
                assert part in html, name
