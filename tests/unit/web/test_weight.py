"""The weight of a page, and the transfer of its files."""

import gzip
import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client

from tests.support.every_page import rendered
from tests.support.visitors import FORM, Visitor, url

pytestmark = pytest.mark.django_db(transaction=True)

SCRIPTS, STYLES, FIRST_PAGE = 8 * 1024, 6 * 1024, 20_000  # bytes as they travel: without comments, compressed
ASSET = re.compile(r'<(?:script|link|img)\b[^>]*?\b(?:src|href)="([^"]+)"')
PRELOADED = re.compile(r'<link rel="modulepreload" href="([^"]+)"')
MODULE = re.compile(r'<script src="([^"]+)" type="module"')
IMPORT = re.compile(r'\bimport\b(?!\()[^;]*?"([^"]+)"')
LATER = re.compile(r'\bimport\("([^"]+)"\)')  # when it is wanted
HASHED = re.compile(r"\.[0-9a-f]{12}\.(?:js|css|svg)$")


@pytest.fixture
def collected(settings: Any, tmp_path: Path) -> Client:
    """The site with its static files as `collectstatic` leaves them when DEBUG is off."""
    settings.DEBUG = settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = False
    settings.STATIC_ROOT = tmp_path
    storage = {"BACKEND": "config.storage.MinifiedStaticFilesStorage"}
    settings.STORAGES = settings.STORAGES | {"staticfiles": storage}
    call_command("collectstatic", "--noinput", verbosity=0)
    return Client()


def assets(html: str) -> set[str]:
    return set(ASSET.findall(html))


def served(client: Client, path: str) -> tuple[bytes, str]:
    """A static file as it travels, and how it is encoded."""
    answer = client.get(path, headers={"Accept-Encoding": "gzip, br"})
    assert answer.status_code == 200, path
    content = answer.getvalue()
    answer.close()
    return content, answer.get("Content-Encoding", "")


def weight(client: Client, paths: set[str], kind: str) -> int:
    return sum(len(served(client, path)[0]) for path in paths if path.endswith(kind))


def test_every_page_is_light_and_loads_nothing_from_elsewhere(settings: Any, collected: Client) -> None:
    """Every page: its scripts, its styles, and nothing from elsewhere."""
    pages = {name: page.content.decode() for name, page in rendered(settings).items() if "admin" not in name}
    assert weight(collected, assets(pages["waiting"]), ".js") > 5_000
    for name, html in pages.items():
        paths = assets(html)
        assert all(path.startswith(("/static/queueing/", "/entry/")) for path in paths), name
        assert weight(collected, paths, ".js") <= SCRIPTS, name
        assert 0 < weight(collected, paths, ".css") <= STYLES, name


def test_the_form_is_light_with_the_work_of_the_brake(settings: Any, collected: Client) -> None:
    settings.QUEUEING = {"BRAKE": "on"}
    html = collected.get(FORM).content.decode()
    (worker,) = re.findall(r'data-worker="([^"]+)"', html)
    assert HASHED.search(worker)
    assert 0 < weight(collected, {*assets(html), worker}, ".js") <= SCRIPTS


def test_the_first_page_is_light(collected: Client) -> None:
    html = collected.get("/").content
    paths = assets(html.decode())
    assert len(html) + sum(weight(collected, paths, kind) for kind in (".js", ".css", ".svg")) < FIRST_PAGE


def test_all_modules_of_a_page_are_preloaded_by_the_names_that_they_import(collected: Client) -> None:
    """A module under two names would be loaded, and run, twice; one that is not preloaded would come late."""
    visitor = Visitor()
    entry = visitor.join()
    for page in (collected.get(FORM), visitor.client.get(url(entry))):
        html = page.content.decode()
        (main,) = MODULE.findall(html)
        assert set(PRELOADED.findall(html)) == imported(collected, main)


def imported(client: Client, module: str) -> set[str]:
    """The paths of all modules that this one imports, and those import in turn."""
    content, encoding = served(client, module)
    text = (gzip.decompress(content) if encoding else content).decode()
    found = {urljoin(module, path) for path in IMPORT.findall(text)}
    later = {urljoin(module, path) for path in LATER.findall(text)}
    assert all(HASHED.search(path) for path in found | later), f"{module} imports {found | later}"
    assert all(served(client, path) for path in later)
    return found.union(*(imported(client, path) for path in found))


def test_no_comment_travels(collected: Client) -> None:
    visitor = Visitor()
    entry = visitor.join()
    paths = {path for path in assets(visitor.client.get(url(entry)).content.decode()) if path.endswith((".js", ".css"))}
    assert len(paths) > 5
    for path in paths:
        source = finders.find(HASHED.sub(Path(path).suffix, path.removeprefix("/static/")))
        assert source
        assert re.search(r"^(//|/\*)", Path(source).read_text()), f"{source} has no comment"
        assert not re.search(rb"(^|\n)\s*(//|/\*)", gzip.decompress(served(collected, path)[0])), path


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
