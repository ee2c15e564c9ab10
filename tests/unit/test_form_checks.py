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
from queueing.checks import forms as checks
from queueing.checks import tasks
from queueing.checks.fields import TAKEN
from queueing.exceptions import UnusableInput, VisitorLeft
from queueing.forms import EntryForm, SeveralFilesField
from queueing.registry import Context
from tests.support import probe
from tests.support.paths import ROOT

type Found = Callable[..., dict[str | None, str]]
type WithForm = Callable[[type[EntryForm]], None]


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


class Slips(probe.ProbeForm):
    """Its author wrote from memory."""

    max_bytes = 10_000_000  # type: ignore[assignment]

    def check_file(self) -> None:  # type: ignore[override]
        """Each file would be told to be damaged."""

    def preview(self, upload: object) -> None:  # type: ignore[override]
        """Likewise."""

    async def clean(self) -> None:  # type: ignore[override]
        """Django would take the coroutine for the values."""

    def clean_label(self, value: str) -> str:
        return value


class Misspelt(probe.ProbeForm):
    """Nobody asks it."""

    refused_head = ((rb"%PDF", "This is a PDF."),)

    def check_files(self, upload: object) -> None: ...

    def previw(self, upload: object, options: object) -> None: ...

    def clean_colour(self) -> None: ...

    def _check_filed(self) -> None: ...


class Demanding(probe.ProbeForm):
    """The pages make it without a user."""

    def __init__(self, user: object, *args: Any, **kwargs: Any) -> None: ...


class Fine(probe.ProbeForm):
    """More parameters, other names and a helper are no slips."""

    preview_template = "tables/preview.html"
    refused_heads = ((rb"%PDF", "This is a PDF."),)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["colour"] = forms.CharField(required=False)

    def check_file(self, file: Any, strictly: bool = True) -> None:
        """It is fine."""

    def check_files(self) -> None:
        """A helper beside the method that it is like."""

    def preview(self, *both: Any) -> None:
        """There is none."""

    @classmethod
    def max_bytes(cls) -> int:
        return 10_000_000

    @staticmethod
    def preview_bytes() -> int:
        return 10

    def clean_colour(self) -> str:
        return "red"


def messages_of(form: type[EntryForm], id_: str) -> list[str]:
    return [f"{one.msg} {one.hint}" for one in checks.check_methods() if one.id == id_ and form.__name__ in one.msg]


@pytest.fixture
def with_form(monkeypatch: pytest.MonkeyPatch) -> WithForm:
    return lambda form: monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, form=form))


def test_a_method_of_a_form_that_the_queue_cannot_call_is_found(with_form: WithForm) -> None:
    with_form(Slips)
    where = "tests.unit.test_form_checks:Slips"
    ending = "cannot be called as the queue does"
    assert messages_of(Slips, "queueing.E125") == [
        f"{where}.check_file {ending}: too many positional arguments. Write: def check_file(self, upload)",
        f"{where}.clean {ending}: it is an `async def`. Write: def clean(self)",
        f"{where}.max_bytes {ending}: it is 10000000. Write: def max_bytes(self)",
        f"{where}.preview {ending}: too many positional arguments. Write: def preview(self, upload, options)",
        f"{where}.clean_label {ending}: missing a required argument: 'value'. Write: def clean_label(self)",
    ]


def test_a_form_that_the_pages_cannot_make_is_found(with_form: WithForm) -> None:
    with_form(Demanding)
    [said] = messages_of(Demanding, "queueing.E125")
    assert "Demanding.__init__ cannot be called as the queue does: missing a required argument: 'user'." in said
    assert "super().__init__(*args, **kwargs)" in said


def test_a_misspelt_declaration_of_a_form_is_told_the_one_that_was_meant(with_form: WithForm) -> None:
    with_form(Misspelt)
    said = [one.partition("Misspelt.")[2].partition(" A helper")[0] for one in messages_of(Misspelt, "queueing.W117")]
    assert said == [
        "check_files. Did you mean check_file?",
        "previw. Did you mean preview?",
        "refused_head. Did you mean refused_heads?",
        "clean_colour. The form has no field 'colour'.",
    ]


def test_a_form_that_the_queue_can_ask_has_no_finding(with_form: WithForm) -> None:
    with_form(Fine)
    assert checks.check_methods() == []
    assert checks.check_declarations() == []
    assert [message for message in tasks.check_effects() if "'probe'" in message.msg] == []


@pytest.mark.parametrize(
    ("own", "line"),
    [
        ({"max_bytes": lambda self: "10 MB"}, "max_bytes gives '10 MB', which is no number of bytes."),
        ({"max_bytes": lambda self: None}, "max_bytes gives None"),
        ({"max_bytes": lambda self: 0}, "Write: return 10_000_000"),
        ({"max_bytes": lambda self: 1 / 0}, "max_bytes raises ZeroDivisionError: division by zero."),
        ({"preview_bytes": classmethod(lambda cls: "4 KB")}, "preview_bytes gives '4 KB'"),
        ({"pages": SeveralFilesField(most="3")}, "most='3' of the field 'pages' is no number of files."),  # type: ignore[arg-type]
        ({"pages": SeveralFilesField(most=0)}, "Write most=10"),
        ({"stored_endings": ((rb"", "txt"),)}, "has 'txt', which is no ending of a name: it begins with a dot."),
        ({"stored_endings": ((rb"", "/../x.py"),)}, "has '/../x.py', which is no ending"),
        ({"stored_endings": ((rb"", ".parcel"),)}, "has '.parcel', which the queue gives to several files together."),
        ({"refused_heads": ((rb"%PDF", " "),)}, "refused_heads has an empty sentence"),
        ({"folded": 5}, "folded=5 is no tuple of names."),
        ({"preview_label": None}, "preview_label=None is no text."),
    ],
)
def test_a_declaration_that_would_break_a_page_is_one_sentence(own: dict[str, Any], line: str, found_in: Found) -> None:
    said = found_in(own)
    assert line in said["queueing.E123"]
    assert not {"queueing.E061", "queueing.E084"} & said.keys()  # the other readers of its sizes leave it out


@pytest.mark.parametrize(
    ("own", "line"),
    [
        ({"preview": lambda self, upload, options: {}}, "preview without preview_template changes nothing."),
        ({"preview_template": "tables/preview.html"}, "Write: def preview(self, upload, options)"),
        ({"preview_bytes": classmethod(lambda cls: 10)}, "preview_bytes without preview changes nothing."),
        ({"fold_summary": "More"}, "fold_summary without folded changes nothing."),
        (
            {"file": None, "check_file": lambda self, upload: None},
            "check_file without a field for files changes",
        ),
    ],
)
def test_a_declaration_that_does_nothing_by_itself_is_told(own: dict[str, Any], line: str, found_in: Found) -> None:
    assert line in found_in(own, sample=None)["queueing.W116"]


@pytest.mark.parametrize("kind", [UnusableInput, VisitorLeft, MemoryError])
def test_an_exception_that_is_never_tried_again_is_told(kind: type[Exception], found_in: Found) -> None:
    said = found_in({}, attempts=3, retry_on=(ConnectionError, kind))
    assert f"In the task 'probe', {kind.__name__} in retry_on changes nothing." in said["queueing.W116"]
    assert "queueing.W116" not in found_in({}, attempts=3, retry_on=(ConnectionError, Exception))
