"""Checks of a heavy task's template: each hint names the file, the address or the app that was meant."""

import importlib
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from queueing import registry
from queueing.checks.front import check_shown
from tests.support import probe
from tests.support.paths import ROOT
from tests.unit.test_checks import found


def test_a_missing_template_is_told_the_one_that_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    mistaken = replace(probe.heavy_task, result_template="tables/reslt.html")
    monkeypatch.setitem(registry.all_tasks(), "probe", mistaken)
    assert "Did you mean 'tables/result.html'? Otherwise make the file /" in found()["queueing.E080"]


def test_a_template_in_a_package_that_is_no_app_is_told_the_app(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "forgotten"
    (package / "templates" / "forgotten").mkdir(parents=True)
    (package / "templates" / "forgotten" / "result.html").write_text("{{ result }}")
    (package / "__init__.py").touch()
    (package / "heavy.py").write_text("def work(context): pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    work = importlib.import_module("forgotten.heavy").work
    mistaken = replace(
        probe.heavy_task, result_template="forgotten/result.html", task=replace(probe.heavy_task.task, func=work)
    )
    monkeypatch.setitem(registry.all_tasks(), "probe", mistaken)
    assert found()["queueing.E080"].endswith('Paste: INSTALLED_APPS = [*INSTALLED_APPS, "forgotten"]')


def test_a_template_with_a_misspelt_address_is_one_sentence_with_one_mark(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "astray.html").write_text("{% url 'queueing:files' code=entry.code name='a' %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path, *settings.TEMPLATES[0]["DIRS"]]}]
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, result_template="astray.html"))
    assert "Did you mean 'queueing:file'? Correct" in found()["queueing.E079"]


def test_a_part_with_a_condition_may_be_for_an_app_that_is_not_here(
    tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "careful.html").write_text(
        "{% if shop %}{% url 'shop:basket' %}{% endif %}{% for row in rows %}{% url 'queueing:hme' %}{% endfor %}"
    )
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path, *settings.TEMPLATES[0]["DIRS"]]}]
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, result_template="careful.html"))
    assert "'queueing:hme'" in found()["queueing.E079"]
    assert "'shop'" in found()["queueing.W079"]


OURS = "{% extends 'queueing/base.html' %}{% block footer %}{% endblock %}"
MAIN = "<main>{% block content %}{% endblock %}</main>"
SHOP = "<title>{% block title %}{% endblock %}</title>{% block body %}" + MAIN + "{% endblock %}"
FILLED = "{% block body %}<i class='{% block width %}{% endblock %}'></i>" + MAIN + "{% endblock %}"
FRAMES = {
    "of its own": (
        {"queueing/base.html": "<body>{% block title %}{% endblock %}</body>"},
        ["head", "width", "content"],
    ),
    "of the site": ({"queueing/base.html": "{% extends 'shop.html' %}", "shop.html": SHOP}, ["head", "width"]),
    "a block that its parent has not": (
        {"queueing/base.html": "{% extends 'shop.html' %}{% block head %}{% endblock %}" + FILLED, "shop.html": SHOP},
        ["head"],
    ),
    "a block that it replaces": (
        {"queueing/base.html": "{% extends 'shop.html' %}{% block body %}{% endblock %}", "shop.html": SHOP},
        ["head", "width", "content"],
    ),
    "a block that it adds to": (
        {
            "queueing/base.html": "{% extends 'shop.html' %}{% block body %}{{ block.super }}{% endblock %}",
            "shop.html": SHOP,
        },
        ["head", "width"],
    ),
    "ours with another footer": ({"queueing/base.html": OURS}, []),
    "a parent by a variable": ({"queueing/base.html": "{% extends frame %}"}, []),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame_of_the_pages_is_told_the_blocks_that_it_lacks(name: str, tmp_path: Path, settings: Any) -> None:
    files, lacking = FRAMES[name]
    (tmp_path / "queueing").mkdir()
    for path, text in files.items():
        (tmp_path / path).write_text(text)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path, *settings.TEMPLATES[0]["DIRS"]]}]
    said = found().get("queueing.E126", "")
    assert [block for block in ("title", "head", "width", "content") if f"{{% block {block} %}}" in said] == lacking
    assert bool(lacking) == said.startswith(f"{tmp_path / 'queueing' / 'base.html'} lacks the block")


def test_a_frame_of_the_pages_that_extends_nothing_is_one_sentence(tmp_path: Path, settings: Any) -> None:
    (tmp_path / "queueing").mkdir()
    (tmp_path / "queueing" / "base.html").write_text("{% extends 'shoop.html' %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path, *settings.TEMPLATES[0]["DIRS"]]}]
    assert "cannot be used: TemplateDoesNotExist (shoop.html)." in found()["queueing.E126"]


DOCUMENTED = (ROOT / "docs" / "adopting.md").read_text().partition("```django\n")[2].partition("```")[0]
WITHOUT_TAGS = re.sub(r"{% queue_.*", "</body>", DOCUMENTED)
STYLE_LINK = """<link rel="stylesheet" href="{% static 'queueing/style.css' %}">"""
LACKING = {
    "of the documents": (DOCUMENTED, []),
    "without the tags": (WITHOUT_TAGS, ["your STYLESHEET, 'queueing/admin/admin.css'", "your FOOTER"]),
    "without the style": (DOCUMENTED.replace(STYLE_LINK, ""), ["the style sheet of the queue"]),
    "with the style in head": (
        DOCUMENTED.replace(STYLE_LINK, "").replace("{% block head %}", "{% block head %}" + STYLE_LINK),
        ["the style sheet of the queue"],
    ),
    "without main": (DOCUMENTED.replace('id="main" ', ""), ['an element with id="main", which the scripts replace']),
    "of ours with a look of its own": (
        "{% extends 'queueing/base.html' %}{% block look %}{% endblock %}",
        ["your STYLESHEET, 'queueing/admin/admin.css'"],
    ),
    "that needs more than a check has": ("{% url 'shop:nowhere' %}" + MAIN, []),
}


@pytest.mark.parametrize("name", LACKING)
def test_a_frame_of_the_pages_is_told_what_it_does_not_show(name: str, tmp_path: Path, settings: Any) -> None:
    source, lacking = LACKING[name]
    (tmp_path / "queueing").mkdir()
    (tmp_path / "queueing" / "base.html").write_text(source)
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path, *settings.TEMPLATES[0]["DIRS"]]}]
    settings.QUEUEING |= {"STYLESHEET": "queueing/admin/admin.css", "FOOTER": "Tea & cake"}
    where = tmp_path / "queueing" / "base.html"
    assert [message.msg for message in check_shown()] == [f"{where} does not show {what}." for what in lacking]


def test_the_frame_of_the_package_shows_all(settings: Any) -> None:
    assert check_shown() == []
    settings.QUEUEING |= {"STYLESHEET": "queueing/admin/admin.css", "FOOTER": "Tea & cake"}
    assert check_shown() == []
