"""What every upload form shares. A heavy task's form is a subclass with its own `check_file`."""

import uuid
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat

from queueing.conf import conf


class CodeField(forms.UUIDField):
    """What is no code counts as none: the visitor cannot see the field, and could do nothing about it."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except ValidationError:
            return None


class EntryForm(forms.Form):
    """One file, and as many further fields as the task has options.

    Further fields reach the task as keyword arguments; their cleaned values must be JSON.
    """

    # Made by the form, not by the join: a form that is sent twice asks for the same entry twice.
    code = CodeField(widget=forms.HiddenInput, required=False, initial=uuid.uuid4)
    file = forms.FileField()

    def clean_code(self) -> uuid.UUID:
        return self.cleaned_data.get("code") or uuid.uuid4()

    def clean_file(self) -> "UploadedFile[Any]":
        upload: UploadedFile[Any] = self.cleaned_data["file"]
        limit = self.max_bytes()
        if upload.size and upload.size > limit:
            raise ValidationError(
                f"This file has {filesizeformat(upload.size)}; the limit is {filesizeformat(limit)}.", code="too_large"
            )
        self.check_file(upload)
        upload.seek(0)
        return upload

    def max_bytes(self) -> int:
        """The largest file taken, in bytes."""
        return conf.MAX_UPLOAD_BYTES

    def check_file(self, upload: "UploadedFile[Any]") -> None:
        """Look into the content; raise ValidationError with a sentence for the visitor."""

    def options(self) -> dict[str, Any]:
        """The keyword arguments of the task."""
        return {name: value for name, value in self.cleaned_data.items() if name not in {"code", "file"}}
