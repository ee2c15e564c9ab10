"""Tasks without a file, with several, and with values of every kind: from the form to the function and back."""

import io
import tarfile
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django import forms
from django.contrib.auth import get_user_model
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile

from queueing import ending, registry, rejoining
from queueing.exceptions import UnusableInput
from queueing.forms import EntryForm
from queueing.keeper import purge
from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.work import runner
from tests.support import probe
from tests.support.pathless import PathlessStorage
from tests.support.shapes import SHAPES
from tests.support.visitors import FORM, Visitor, superuser, url

pytestmark = pytest.mark.django_db(transaction=True)

Shape = Callable[[str], None]


@pytest.fixture
def shape(monkeypatch: pytest.MonkeyPatch) -> Shape:
    def take(name: str, **more: Any) -> None:
        monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, **SHAPES[name] | more))

    return take


def file(content: str, name: str) -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content.encode(), "text/plain")


def joined(visitor: Visitor, **values: Any) -> Entry:
    answer = visitor.client.post(FORM, {"code": uuid.uuid4()} | values)
    assert answer.status_code == 303, answer.content.decode()
    assert visitor.client.get(answer["Location"]).status_code == 200
    return Entry.objects.get(code=answer["Location"].split("/")[2])


def result_of(entry: Entry) -> Any:
    runner.run_entry(entry.job_id)
    entry.refresh_from_db()
    assert entry.status == Status.SUCCEEDED, entry.traceback
    return entry.result


VALUES = {
    "prompt": "A poem, please",
    "day": "2026-02-28",
    "at": "13:05:07.000009",
    "moment": "2026-02-28T13:05:07.123456",
    "length": "3 01:02:03.000004",
    "price": "1.50",
    "ticket": str(uuid.UUID(int=7)),
    "colours": ["r", "g"],
    "extra": '{"$date": ["2026-01-01"]}',
}
TYPES = {
    "prompt": "str A poem, please",
    "day": "date 2026-02-28",
    "at": "time 13:05:07.000009",
    "moment": "datetime 2026-02-28 13:05:07.123456+00:00",
    "length": "timedelta 3 days, 1:02:03.000004",
    "price": "Decimal 1.50",
    "ticket": f"UUID {uuid.UUID(int=7)}",
    "colours": "list ['r', 'g']",
    "extra": "dict {'$date': ['2026-01-01']}",
}


@pytest.mark.postgres
def test_a_task_without_a_file_gets_every_value_as_the_form_has_cleaned_it(shape: Shape) -> None:
    shape("prompt")
    visitor = Visitor()
    page = visitor.client.get(FORM).content.decode()
    assert 'type="file"' not in page
    assert "Choose a file" not in page
    entry = joined(visitor, **VALUES)
    assert (entry.input_name, entry.input.name) == ("", "")
    assert result_of(entry) == TYPES


def test_staff_read_the_values_in_the_admin(shape: Shape) -> None:
    shape("prompt")
    entry = joined(Visitor(), **VALUES)
    page = superuser().client.get(f"/admin/queueing/entry/{entry.pk}/change/")
    assert page.status_code == 200
    assert "A poem, please" in page.content.decode()
    assert "2026-02-28" in page.content.decode()


def test_the_same_form_sent_twice_is_one_entry_and_other_options_are_another(shape: Shape) -> None:
    shape("prompt")
    visitor, code = Visitor(), uuid.uuid4()
    first = joined(visitor, code=code, prompt="one")
    assert joined(visitor, code=code, prompt="one") == first
    assert joined(visitor, code=code, prompt="two") != first


def test_what_is_wrong_with_a_form_without_a_file_is_said(shape: Shape) -> None:
    shape("prompt")
    answer = Visitor().client.post(FORM, {"day": "never"})
    assert answer.status_code == 422
    assert "Enter a valid date." in answer.content.decode()
    assert "This field is required." in answer.content.decode()
    assert not Entry.objects.exists()


def test_an_entry_without_a_file_can_be_joined_again_and_speaks_of_no_file(shape: Shape) -> None:
    shape("prompt")
    visitor = Visitor()
    entry = joined(visitor, **VALUES)
    ending.leave(entry)
    page = visitor.client.get(url(entry)).content.decode()
    assert "Join again with the same input" in page
    assert "the same file" not in page
    assert "Start anew" in page
    assert "nothing was done with your input" in page
    answer = visitor.client.post(url(entry, "again/"))
    again = Entry.objects.get(code=answer["Location"].split("/")[2])
    visitor.client.get(url(again))
    assert again != entry
    assert result_of(again) == TYPES


def test_the_input_of_an_entry_without_a_file_is_kept_as_long_as_a_file(shape: Shape) -> None:
    shape("prompt")
    visitor = Visitor()
    entry = joined(visitor, prompt="x")
    ending.leave(entry)
    Entry.objects.update(input_until=entry.joined_at - timedelta(seconds=1))
    assert "Your input is deleted by now. You can start again." in visitor.client.get(url(entry)).content.decode()
    assert visitor.client.post(url(entry, "again/")).status_code == 410
    entry.refresh_from_db()
    ending.erase(entry)
    entry.refresh_from_db()
    assert entry.kwargs == {}
    with pytest.raises(UnusableInput):
        rejoining.retry(entry)


FILES = {"front": "the front", "back": "the back"}


def sent() -> dict[str, Any]:
    pages = [file("page one" * 200, "p.txt"), file("page two", "p.txt")]
    return {name: file(text, f"{name}.txt") for name, text in FILES.items()} | {"pages": pages, "price": "2.50"}


def test_several_files_reach_the_task_with_their_fields_and_names(shape: Shape) -> None:
    shape("files")
    entry = joined(Visitor(), **sent())
    assert entry.input_name == "front.txt and 3 more"
    assert result_of(entry) == {
        "files": {"front front.txt": "the front", "back back.txt": "the back", "pages p.txt": "page two"},
        "first": "the front",
        "back": ".bin",
        "price": "2.50",
    }
    assert entry.input_size == entry.input.size


def test_staff_take_several_files_away_as_one_archive(shape: Shape) -> None:
    shape("files")
    entry = joined(Visitor(), **sent())
    answer = superuser().client.get(url(entry, "input/"))
    assert "front.txt and 3 more.tar" in answer["Content-Disposition"]
    content = io.BytesIO(b"".join(answer.streaming_content))  # type: ignore[attr-defined]
    with tarfile.open(fileobj=content) as archive:
        assert archive.getnames() == ["list.json", "0.bin", "1.bin", "2.bin", "3.bin"]


def test_several_files_are_one_input_that_is_shared_and_deleted_as_one(shape: Shape) -> None:
    shape("files")
    visitor, code = Visitor(), uuid.uuid4()
    entry = joined(visitor, code=code, **sent())
    assert joined(visitor, code=code, **sent()) == entry
    stored = entry.input.name
    assert joined(visitor, code=code, **sent() | {"back": file("another", "back.txt")}) != entry
    ending.leave(entry)
    assert "Join again with the same files" in visitor.client.get(url(entry)).content.decode()
    again = visitor.client.post(url(entry, "again/"))
    successor = Entry.objects.get(code=again["Location"].split("/")[2])
    assert (successor.input.name, successor.input_size) == (stored, 0)
    visitor.client.get(url(successor))
    assert result_of(successor)["files"]["front front.txt"] == "the front"
    Entry.objects.update(input_until=entry.joined_at - timedelta(seconds=1))
    purge.expire_inputs()
    assert not default_storage.exists(str(stored))


def test_a_storage_without_paths_takes_several_files_too(shape: Shape, settings: Any) -> None:
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": f"{PathlessStorage.__module__}.{PathlessStorage.__qualname__}"}
    }
    shape("files")
    assert result_of(joined(Visitor(), **sent()))["files"]["back back.txt"] == "the back"


def test_an_optional_file_may_be_missing_and_a_required_one_not(shape: Shape) -> None:
    shape("files")
    visitor = Visitor()
    entry = joined(visitor, front=file("x", "f.txt"), price=1)
    assert result_of(entry)["back"] == "No file came in the field 'back'"
    answer = visitor.client.post(FORM, {"back": file("x", "f.txt"), "price": 1})
    assert answer.status_code == 422
    assert "This field is required." in answer.content.decode()


def test_only_files_that_were_looked_into_reach_the_task(shape: Shape) -> None:
    """Of several files in a field for one, Django's form sees the last."""
    shape("files")
    entry = joined(Visitor(), front=[file("bad", "evil.txt"), file("good", "good.txt")], price=1)
    assert result_of(entry)["files"] == {"front good.txt": "good"}


@pytest.mark.parametrize("value", ['"\\ud800"', '["\\u0000"]', '{"\\ud800": 1}'])
def test_a_character_that_cannot_be_stored_is_said_at_its_field(shape: Shape, value: str) -> None:
    shape("prompt")
    answer = Visitor().client.post(FORM, {"prompt": "x", "extra": value})
    assert answer.status_code == 422
    assert "a character that cannot be stored" in answer.content.decode()


@pytest.mark.parametrize("field", ["front", "back", "pages"])
def test_each_file_is_looked_into_and_the_sentence_is_at_its_field(shape: Shape, field: str) -> None:
    shape("files")
    answer = Visitor().client.post(FORM, sent() | {field: file("bad", "x.txt")})
    assert answer.status_code == 422
    assert f"This {field} is bad, for 5.00." in answer.content.decode()
    assert not Entry.objects.exists()


def test_of_several_files_in_a_field_the_sentence_has_the_name(shape: Shape, settings: Any) -> None:
    settings.QUEUEING = {"MAX_UPLOAD_BYTES": 100}
    shape("files")
    two = [file("good", "one.txt"), file("bad", "two.txt")]
    said = Visitor().client.post(FORM, sent() | {"pages": two}).content.decode()
    assert "two.txt: This pages is bad" in said
    large = [file("good", "one.txt"), file("x" * 101, "<large>.txt")]
    said = Visitor().client.post(FORM, sent() | {"pages": large}).content.decode()
    assert "&lt;large&gt;.txt: This file is too large" in said


@pytest.mark.parametrize("kind", ["prompt", "files"])
def test_the_input_is_to_be_changed_where_a_form_has_more_than_a_file(kind: str, shape: Shape) -> None:
    shape(kind)
    visitor = Visitor()
    entry = joined(visitor, **(VALUES if kind == "prompt" else sent()))
    assert entry.start("w")
    assert entry.fail(Reason.UNUSABLE, "No.")
    page = visitor.client.get(url(entry)).content.decode()
    assert "The same input would end the same way. Change it, and start again." in page


def test_another_file_is_advised_where_a_form_has_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class FileForm(EntryForm):
        pass

    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, form=FileForm))
    visitor = Visitor()
    entry = joined(visitor, file=file("good", "one.txt"))
    assert entry.start("w")
    assert entry.fail(Reason.UNUSABLE, "No.")
    page = visitor.client.get(url(entry)).content.decode()
    assert "The same file would end the same way; another one may work." in page


def test_each_file_has_the_limit_and_so_has_their_number(shape: Shape, settings: Any) -> None:
    settings.QUEUEING = {"MAX_UPLOAD_BYTES": 100}
    shape("files")
    too_large = Visitor().client.post(FORM, sent() | {"back": file("x" * 101, "x.txt")})
    assert "This file is too large; the limit is 100\xa0bytes." in too_large.content.decode()
    too_many = Visitor().client.post(FORM, sent() | {"pages": [file("x", "x.txt")] * 4})
    assert "At most 3 files can be taken; these are 4." in too_many.content.decode()


class ForeignForm(EntryForm):
    owner = forms.ModelChoiceField(get_user_model().objects.all())


def test_a_value_that_cannot_travel_names_its_field(shape: Shape) -> None:
    user = get_user_model().objects.create_user("anna")
    shape("files", form=ForeignForm)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"value of the field 'owner' of ForeignForm is refused: .*User"):
        Visitor().client.post(FORM, {"file": file("x", "x.txt"), "owner": user.pk})
    assert not Entry.objects.exists()
