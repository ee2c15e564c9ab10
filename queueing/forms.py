"""What every upload form shares. A heavy task's form is a subclass with its own `check_file`."""

import re
import uuid
from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat

from queueing.conf import conf

HEAD = 4096  # bytes of a file that tell what it is


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

    # What a file must not begin with, and the sentence for it. The browser asks the same before the file travels: the
    # expressions are dotall, without case, and written so that they mean the same to Python and to JavaScript.
    refused_heads: ClassVar[Sequence[tuple[bytes, str]]] = ()

    def clean_code(self) -> uuid.UUID:
        return self.cleaned_data.get("code") or uuid.uuid4()

    def clean_file(self) -> "UploadedFile[Any]":
        upload: UploadedFile[Any] = self.cleaned_data["file"]
        limit = self.max_bytes()
        if upload.size and upload.size > limit:
            raise ValidationError(f"This file is too large; the limit is {filesizeformat(limit)}.", code="too_large")
        upload.seek(0)
        if sentence := self.refusal_of(upload.read(HEAD)):
            raise ValidationError(sentence, code="other_format")
        upload.seek(0)
        self.check_file(upload)
        upload.seek(0)
        return upload

    @classmethod
    def refusal_of(cls, head: bytes) -> str:
        """Why a file that begins like this is not taken; empty when it may be."""
        found = (why for pattern, why in cls.refused_heads if re.match(pattern, head, re.DOTALL | re.IGNORECASE))
        return next(found, "")

    def max_bytes(self) -> int:
        """The largest file taken, in bytes."""
        return conf.MAX_UPLOAD_BYTES

    def check_file(self, upload: "UploadedFile[Any]") -> None:
        """Look into the content; raise ValidationError with a sentence for the visitor."""

    def options(self) -> dict[str, Any]:
        """The keyword arguments of the task."""
        return {name: value for name, value in self.cleaned_data.items() if name not in {"code", "file"}}
