"""Checks of a heavy task's template: each hint names the file, the address or the app that was meant."""

import importlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from queueing import registry
from tests.support import probe
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
