"""The base class of upload forms. A heavy task's form is a subclass with its own `check_file`."""

import re
import uuid
from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.core.files.uploadedfile import UploadedFile
from django.forms.utils import ErrorDict

from queueing.checking.pool import checkers
from queueing.conf import conf
from queueing.sizes import readable_size

HEAD = 16_384  # bytes at the beginning of a file that are matched against `refused_heads`

UNKNOWN = ".bin"  # the ending of a file that no pattern recognises


class CodeField(forms.UUIDField):
    """A UUID field that treats an invalid value as an empty one.

    An error message would not help: the field is hidden, so the visitor cannot correct it.
    """

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except ValidationError:
            return None


class EntryForm(forms.Form):
    """One file, and one further field for each option of the task.

    Further fields reach the task as keyword arguments, so their cleaned values must be JSON.
    """

    # Idempotency key: generated when the form is rendered, so sending the form twice yields one entry.
    code = CodeField(widget=forms.HiddenInput, required=False, initial=uuid.uuid4)
    file = forms.FileField()

    # Patterns for the beginning of a file that is refused, each with the sentence for the visitor. The browser matches
    # the same patterns before it sends the file, so they must mean the same in Python and in JavaScript. Both match
    # with dotall and without case.
    refused_heads: ClassVar[Sequence[tuple[bytes, str]]] = ()

    # Patterns for the beginning of a file, each with the ending of the name under which the file is stored.
    stored_endings: ClassVar[Sequence[tuple[bytes, str]]] = ()

    # Set by the brake: the sentence of a check that was not passed; or the code that a passed check is good for, once.
    problem: str = ""
    once: uuid.UUID | None = None

    address: str = ""  # of the visitor; see `web/address.py`
    was_checked: bool = False  # True once a checker was asked

    def asked_code(self) -> uuid.UUID:
        """The code of the entry, before anything else of the form is looked at."""
        return self.once or self.fields["code"].clean(self.data.get("code")) or uuid.uuid4()

    def full_clean(self) -> None:
        """Without the check of the brake, nothing that was sent is looked at."""
        if self.problem:
            self._errors, self.cleaned_data = ErrorDict(), {}
            self.add_error(None, self.problem)
        else:
            super().full_clean()

    def clean_code(self) -> uuid.UUID:
        return self.once or self.cleaned_data.get("code") or uuid.uuid4()

    def clean_file(self) -> "UploadedFile[Any]":
        upload: UploadedFile[Any] = self.cleaned_data["file"]
        limit = self.max_bytes()
        if upload.size and upload.size > limit:
            raise ValidationError(f"This file is too large; the limit is {readable_size(limit)}.", code="too_large")
        upload.seek(0)
        if sentence := self.refusal_of(upload.read(HEAD)):
            raise ValidationError(sentence, code="other_format")
        if self.has_check():
            upload.seek(0)
            self.was_checked = True
            checkers.check(type(self), upload, self.address)
        upload.seek(0)
        return upload

    @classmethod
    def refusal_of(cls, head: bytes) -> str:
        """The sentence for a file that begins with these bytes; empty if it is not refused."""
        found = (why for pattern, why in cls.refused_heads if re.match(pattern, head, re.DOTALL | re.IGNORECASE))
        return next(found, "")

    @classmethod
    def ending_of(cls, upload: "File[bytes]") -> str:
        """The ending of the stored name, by the content: the visitor must not choose how a program takes the file."""
        upload.seek(0)
        head = upload.read(HEAD)
        upload.seek(0)
        return next((ending for pattern, ending in cls.stored_endings if re.match(pattern, head, re.DOTALL)), UNKNOWN)

    def max_bytes(self) -> int:
        """The size of the largest file accepted, in bytes."""
        return conf.MAX_UPLOAD_BYTES

    def check_file(self, upload: "UploadedFile[Any]") -> None:
        """Check the content; override in the task's form. Raises ValidationError with a sentence for the visitor.

        It runs in a checker, a child process with little time and memory (CHECK_SECONDS, CHECK_MEMORY) and no access to
        database, Redis, network and disk. `self` is a form without data there, and `upload` is all that the check sees.
        The child imports this class by its name, so the class has to be at the top of a module.
        """

    @classmethod
    def has_check(cls) -> bool:
        """True if this form looks into its files."""
        return cls.check_file is not EntryForm.check_file

    def options(self) -> dict[str, Any]:
        """The keyword arguments for the task: all fields except the code and the file."""
        return {name: value for name, value in self.cleaned_data.items() if name not in {"code", "file"}}
