"""Tasks of other shapes than one file and a few words: no file, several files, values of every kind."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.tasks import task

from queueing.forms import EntryForm, SeveralFilesField
from queueing.registry import Context


class PromptForm(EntryForm):
    file = None  # Django's way to take an inherited field away
    prompt = forms.CharField(widget=forms.Textarea)
    day = forms.DateField(required=False)
    at = forms.TimeField(required=False)
    moment = forms.DateTimeField(required=False)
    length = forms.DurationField(required=False)
    price = forms.DecimalField(required=False)
    ticket = forms.UUIDField(required=False)
    colours = forms.MultipleChoiceField(choices=[("r", "red"), ("g", "green")], required=False)
    extra = forms.JSONField(required=False)


@task(queue_name="probe")
def prompted(**values: Any) -> dict[str, str]:
    """The types of the values, and how Python writes them."""
    return {name: f"{type(value).__name__} {value}" for name, value in values.items() if value not in (None, "", [])}


class FilesForm(EntryForm):
    file = None
    front = forms.FileField()
    back = forms.FileField(required=False)
    pages = SeveralFilesField(required=False, most=3)
    price = forms.DecimalField(initial="1.50")

    def check_file(self, upload: "UploadedFile[Any]") -> None:
        if b"bad" in upload.read():
            raise ValidationError(f"This {self.checked} is bad, for {self.chosen['price'] * 2}.")


@task(queue_name="probe", takes_context=True)  # type: ignore[arg-type]  # our context can do more than Django's
def read_all(context: Context, price: Any) -> dict[str, Any]:
    """The content of each file, by field and name; of the first one, and of the field `back` if there is one."""
    with context.input_files() as files:
        found = {f"{file.field} {file.name}": file.path.read_bytes().decode() for file in files}
    with context.input_file() as path:
        first = path.read_bytes().decode()
    try:
        with context.input_file("back") as path:
            back = path.suffix
    except LookupError as error:
        back = str(error)
    return {"files": found, "first": first, "back": back, "price": str(price)}


# The values of a HeavyTask, by the name of the shape.
SHAPES: dict[str, dict[str, Any]] = {
    "prompt": {"task": prompted, "form": PromptForm, "sample": None},
    "files": {"task": read_all, "form": FilesForm, "sample": None},
}
