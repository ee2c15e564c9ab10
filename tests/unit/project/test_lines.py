"""The lines of the tests, when a developer has added one to config/settings.py as docs/tasks.md shows."""

import copy
import runpy
from typing import Any

import pytest

from config import settings as of_the_site
from tests.support.paths import ROOT

LINES = {
    "words": "queueing.tasks.words",
    "documents": "queueing.tasks.documents.task",
    "tables": "queueing.tasks.tables.task",
}


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The lines in tests/settings.py, on a site with a line more."""
    backend = copy.deepcopy(of_the_site.TASKS["default"]) | {"QUEUES": list(LINES)}
    monkeypatch.setattr(of_the_site, "QUEUEING_TASKS", dict(LINES))
    monkeypatch.setattr(of_the_site, "RQ_QUEUES", {name: {"URL": name} for name in LINES})
    monkeypatch.setattr(of_the_site, "TASKS", {"default": backend})
    return runpy.run_path(str(ROOT / "tests" / "settings.py"))


def test_the_projects_own_tests_do_not_see_a_line_of_the_developer(found: dict[str, Any]) -> None:
    assert list(found["QUEUEING_TASKS"]) == list(found["RQ_QUEUES"]) == ["documents", "tables", "probe"]


def test_the_developers_tests_have_that_line(found: dict[str, Any]) -> None:
    """`further_lines` in tests/conftest.py adds it; `@task` needs its name when the module is imported."""
    assert found["FURTHER_TASKS"] == {"words": "queueing.tasks.words"}
    for backend in found["TASKS"].values():
        assert sorted(backend["QUEUES"]) == ["documents", "probe", "tables", "words"]
