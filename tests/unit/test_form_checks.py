"""Checks of the forms of heavy tasks: names of fields, methods, and what is declared beside the fields."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django import forms
from django.core.checks import run_checks
from django.tasks import task

from queueing import registry
from queueing.checks.fields import TAKEN
from queueing.forms import EntryForm
from queueing.registry import Context
from tests.support import probe
from tests.support.paths import ROOT

type Found = Callable[..., dict[str | None, str]]


@pytest.fixture
def found_in(monkeypatch: pytest.MonkeyPatch) -> Found:
    """The messages of `check`, each with its hint, by id, for the probe with a form that declares this."""

    def found(own: dict[str, Any], **values: Any) -> dict[str | None, str]:
        form = type("DeclaringForm", (values.pop("base", probe.ProbeForm),), own)
        monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, form=form, **values))
        return {message.id: f"{message.msg} {message.hint}" for message in run_checks(tags=["queueing"])}

    return found


@task(queue_name="probe", takes_context=True)  # type: ignore[arg-type]  # our context can do more than Django's
def takes_more(context: Context, **more: str) -> str:
    return str(more)


@task(queue_name="probe")
def takes_context_as_field(*, context: str) -> str:
    return context


@pytest.mark.parametrize(
    "name", ["code", "sample", "change", "proof", "csrfmiddlewaretoken", "errors", "action", "context"]
)
def test_a_field_with_a_name_of_the_pages_own_is_found(name: str, found_in: Found) -> None:
    said = found_in({name: forms.CharField()}, base=EntryForm, task=takes_more)
    assert f"The field '{name}' of " in said["queueing.E127"]
    assert f"own_{name} = …" in said["queueing.E127"]
    assert "queueing.E088" not in said


def test_names_that_nothing_else_has_are_not_named(found_in: Found) -> None:
    said = found_in({"address": forms.CharField(), "data": forms.CharField()}, base=EntryForm, task=takes_more)
    assert "queueing.E127" not in said
    assert "queueing.E127" not in found_in({"context": forms.CharField()}, base=EntryForm, task=takes_context_as_field)


def test_the_code_of_a_form_cannot_be_taken_away(found_in: Found) -> None:
    assert "The field 'code'" in found_in({"code": None})["queueing.E127"]


def test_all_names_that_the_page_of_a_form_uses_are_known_to_the_check() -> None:
    """By the views, the templates and the script: a name that one of them begins to use is missing here."""
    web = "\n".join(path.read_text() for path in (ROOT / "queueing" / "web").glob("*.py"))
    pages = "\n".join((ROOT / "templates" / "queueing" / f"{name}.html").read_text() for name in PAGES)
    script = "\n".join(path.read_text() for path in (ROOT / "queueing" / "static" / "queueing" / "join").glob("*.js"))
    sent = {*re.findall(r'"(\w+)" (?:not )?in request\.POST', web), *re.findall(r'POST(?:\.get\(|\[)"(\w+)"', web)}
    named = {*re.findall(r'<(?:input|button)[^>]* name="(\w+)"', pages), "csrfmiddlewaretoken"}
    read = set(re.findall(r"\b(?:form|change)\.(?!js\b)(\w+)", pages))
    touched = set(re.findall(r"\b(?:element|form\.element)\.(\w+)", script.replace("this.element", "element")))
    assert {"sample", "change", "challenge", "proof"} == sent
    assert {"sample", "change", "challenge", "proof", "csrfmiddlewaretoken"} == named
    assert {"errors", "preview_label"} <= read
    assert {"action", "dataset"} <= touched
    assert sent | named | read | touched | {"self"} == TAKEN


PAGES = ("join", "change", "brake", "field", "obstacle", "line", "preview")  # what a form consists of
