"""A result template that breaks: found by `check` where it is written out, and else told to the visitor as it is."""

import logging
from collections.abc import Callable
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import Client

from queueing import registry
from queueing.models import Entry
from queueing.testing.lines import InProcessLine
from queueing.testing.visitors import Visitor
from tests.support import probe
from tests.support.visitors import upload

pytestmark = pytest.mark.django_db
READY = "Your result is ready, but this page cannot show it"


@pytest.fixture
def write(settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Writes the result template of the probe."""
    (first, *others) = settings.TEMPLATES
    settings.TEMPLATES = [first | {"DIRS": [tmp_path, *first["DIRS"]]}, *others]
    task = replace(probe.heavy_task, result_template="mine.html")
    monkeypatch.setitem(registry.all_tasks(), "probe", task)

    def write_text(text: str) -> None:
        (tmp_path / "mine.html").write_text(text)

    return write_text


def sentences() -> list[str]:
    return [f"{message.msg} {message.hint}" for message in run_checks(tags=["queueing"])]


FOUND = [
    ("{% url 'queueing:fiel' code=entry.code name='x' %}", "has no address. Did you mean 'queueing:file'?"),
    (
        "\n\n{% url 'queueing:file' code=entry.code %}",
        "mine.html, line 3: {% url 'queueing:file' %} takes code=…, name=…",
    ),
    ("{% url 'queueing:file' entry.code %}", "takes code=…, name=…"),
    ("{% if result %}{% url 'shop:home' %}{% endif %}", "names the namespace 'shop'"),
    ("{% for word in result %}{% url 'nowhere' %}{% endfor %}", "{% url 'nowhere' %} has no address"),
    ("{% include 'nowhere.html' %}", "there is no template 'nowhere.html'"),
    ("{% extends 'nowhere.html' %}", "there is no template 'nowhere.html'"),
    ("{% include 'mine.html' %}{% url 'nowhere' %}", "mine.html, line 1: {% url 'nowhere' %} has no address"),
    ("{{ result|nothing }}", "Invalid filter: 'nothing'"),
    ("{% if %}", "Correct mine.html."),
]


@pytest.mark.parametrize(("text", "sentence"), FOUND)
def test_a_fault_that_is_written_out_is_found_by_check(text: str, sentence: str, write: Callable[[str], None]) -> None:
    write(text)
    assert any(sentence in found and "'probe'" in found for found in sentences())


RIGHT = [
    "{% url 'queueing:file' code=entry.code name='x' %}{% url 'queueing:file' entry.code 'x' %}",
    "{% url name %}{% url 'queueing:'|add:'home' %}{% url 'nowhere' as it %}{% include name %}",
    "{% url 'admin:queueing_entry_change' entry.pk %}{% url 'queueing:home' %}{% include 'queueing/change.html' %}",
]


@pytest.mark.parametrize("text", RIGHT)
def test_what_is_right_or_not_written_out_is_not_named(text: str, write: Callable[[str], None]) -> None:
    write(text)
    assert not sentences()


BREAKING = [
    ("{% url 'queueing:file' code=entry.code name=result.nothing %}", "mine.html: NoReverseMatch: Reverse for 'file'"),
    ("{{ result.label|add:kind }}", "mine.html: VariableDoesNotExist: no 'kind' is known"),
]


@pytest.mark.parametrize(("text", "sentence"), BREAKING)
def test_a_page_that_cannot_show_its_result_says_what_is_true(
    text: str,
    sentence: str,
    write: Callable[[str], None],
    new_visitor: Callable[..., Visitor],
    queue_line: Callable[[str], InProcessLine],
    caplog: pytest.LogCaptureFixture,
    admin_client: Client,
) -> None:
    write(text)
    anna = new_visitor()
    entry = anna.join("probe", file=upload(), label="anna")
    queue_line("probe").run()
    told = anna.client.get(f"/entry/{entry.code}/status.json?have=running").json()
    assert READY in told["html"]
    caplog.clear()
    page = anna.open(entry)
    assert READY in page
    assert f"/entry/{entry.code}/files/answer.txt" in page
    assert f"/entry/{entry.code}/result/" in page
    assert "For staff" not in page
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert str(entry.code) in record.getMessage()
    assert sentence in record.getMessage()
    assert record.exc_info is None
    assert sentence in unescape(admin_client.get(f"/entry/{entry.code}/").content.decode())


@pytest.mark.parametrize(
    "as_found", [lambda _, result: result["nothing"], lambda _, result: None], ids=["raises", "returns nothing"]
)
def test_a_form_that_fails_to_read_a_result_takes_nothing_else_away(
    as_found: Callable[..., Any],
    new_visitor: Callable[..., Visitor],
    queue_line: Callable[[str], InProcessLine],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probe.ProbeForm, "as_found", classmethod(as_found))
    anna = new_visitor()
    entry: Entry = anna.join("probe", file=upload(), label="anna")
    queue_line("probe").run()
    assert "Kept for you" in anna.open(entry)
