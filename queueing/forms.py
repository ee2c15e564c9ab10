"""The base class of upload forms. A heavy task's form is a subclass with its own `check_file`."""

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from django import forms
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.files.base import File
from django.core.files.uploadedfile import UploadedFile
from django.forms.utils import ErrorDict

from queueing.checking.pool import checkers
from queueing.conf import conf
from queueing.sizes import readable_size
from queueing.values import normalized

HEAD = 16_384  # bytes at the beginning of a file that are matched against `refused_heads`

UNKNOWN = ".bin"  # the ending of a file that no pattern recognises


def signed_code() -> str:
    """A new code with a signature: "<code>:<signature>".

    The code becomes the address of the entry's page, which may be shown around. The signature is in the form alone.
    """
    return _signer().sign(str(uuid.uuid4()))


def is_signed(code: str) -> bool:
    """True for a code of `signed_code`."""
    try:
        _signer().unsign(code)
    except signing.BadSignature:
        return False
    return True


def _signer() -> signing.Signer:
    return signing.Signer(salt="queueing.forms.code")


class CodeField(forms.UUIDField):
    """A UUID field that treats an invalid value as an empty one. A signature behind the code is left out.

    An error message would not help: the field is hidden, so the visitor cannot correct it.
    """

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(str(value or "").partition(":")[0])
        except ValidationError:
            return None


class SeveralFilesInput(forms.FileInput):
    allow_multiple_selected = True


class SeveralFilesField(forms.FileField):
    """A field for up to `most` files. The task gets them by `context.input_files()`."""

    widget = SeveralFilesInput

    def __init__(self, *, most: int = 10, **options: Any) -> None:
        super().__init__(**options)
        self.most = most

    def clean(self, data: Any, initial: Any = None) -> Any:
        """A list of files; empty where none is required."""
        files = data if isinstance(data, list | tuple) else [data] if data else []
        if len(files) > self.most:
            raise ValidationError(f"At most {self.most} files can be taken; these are {len(files)}.", code="too_many")
        found = [super(SeveralFilesField, self).clean(file, initial) for file in files or [None]]
        return [file for file in found if file]


class EntryForm(forms.Form):
    """The files of a task, as a rule one, and one further field for each option.

    `file = None` in a subclass takes the file away. The options reach the task as keyword arguments. Their values are
    JSON, dates, times, durations, decimals or UUIDs.
    """

    # Idempotency key: generated when the form is rendered, so sending the form twice yields one entry.
    code = CodeField(widget=forms.HiddenInput, required=False, initial=signed_code)
    file: forms.FileField | None = forms.FileField()  # None is for subclasses

    # Patterns for the beginning of a file that is refused, each with the sentence for the visitor. The browser matches
    # the same patterns before it sends the file, so they must mean the same in Python and in JavaScript. Both match
    # with dotall and without case.
    refused_heads: ClassVar[Sequence[tuple[bytes, str]]] = ()

    # Patterns for the beginning of a file, each with the ending of the name under which the file is stored.
    stored_endings: ClassVar[Sequence[tuple[bytes, str]]] = ()

    # Fields that the page shows folded, below this line. Most visitors need none of them.
    folded: ClassVar[Sequence[str]] = ()
    fold_summary: ClassVar[str] = "More choices"

    # The template that shows what `preview` returns, as `preview`. Empty: the form has no preview.
    preview_template: ClassVar[str] = ""
    preview_label: ClassVar[str] = "Show a preview"  # on the button for it, where there is no JavaScript

    # Set by the brake: the sentence of a check that was not passed; or the code that a passed check is good for, once.
    problem: str = ""
    once: uuid.UUID | None = None

    address: str = ""  # of the visitor; see `web/address.py`
    was_checked: bool = False  # True once a checker was asked
    chosen: Mapping[str, Any] = {}  # in a checker: the options of the task, as `options` returns them
    checked: str = "file"  # in a checker: the field whose file is looked into

    def asked_code(self) -> uuid.UUID:
        """The code of the entry, before anything else of the form is looked at."""
        return self.once or self.fields["code"].clean(self.data.get("code")) or uuid.uuid4()

    def was_shown(self) -> bool:
        """True if the code comes from a form that this site has rendered: its sender was shown that very form.

        The brake's own code proves nothing: many clients may share what one of them has computed.
        """
        return self.once is None and is_signed(self.data.get("code") or "")

    def full_clean(self) -> None:
        """Without the check of the brake, nothing that was sent is looked at. The check of the file comes last."""
        if self.problem:
            self._errors, self.cleaned_data = ErrorDict(), {}
            self.add_error(None, self.problem)
            return
        super().full_clean()
        if self.is_bound and not self._errors and self.has_check():
            self._check()

    def _check(self) -> None:
        """Not in `clean`, which a subclass may override."""
        for field, upload in self.uploads():
            self.was_checked = True
            try:
                checkers.check(type(self), upload, self.address, self.options(), field)
            except ValidationError as error:
                self.add_error(field, self._named(error, field, upload))
            upload.seek(0)
            if self._errors:
                return

    def _named(self, error: ValidationError, field: str, upload: "UploadedFile[Any]") -> ValidationError:
        """The error, with the name of the file in front of each sentence where the field has several files."""
        if not isinstance(self.cleaned_data.get(field), list) or len(self.cleaned_data[field]) < 2:
            return error
        return ValidationError(
            [ValidationError(f"{upload.name}: {one.messages[0]}", code=one.code) for one in error.error_list]
        )

    def clean_code(self) -> uuid.UUID:
        return self.once or self.cleaned_data.get("code") or uuid.uuid4()

    def _clean_fields(self) -> None:
        """Django's own; a file is looked at when its field has been cleaned."""
        super()._clean_fields()  # type: ignore[misc]  # the stubs do not have it
        for field, value in self.options().items():
            try:
                normalized(value)
            except ValueError:
                self.data = {**self.data, self.add_prefix(field): ""}  # not even the page could hold it
                self.add_error(field, ValidationError("This has a character that cannot be stored.", code="character"))
            except TypeError:
                continue  # the form's own fault, which is told when it travels
        for field, upload in self.uploads():
            if field in self._errors:
                continue
            try:
                self.check_head(upload)
            except ValidationError as error:
                self.add_error(field, self._named(error, field, upload))

    # The files

    @classmethod
    def file_fields(cls) -> dict[str, forms.FileField]:
        """The fields for files, by name, in the order of the form."""
        return {name: field for name, field in cls.base_fields.items() if isinstance(field, forms.FileField)}

    @classmethod
    def takes_one_file(cls) -> bool:
        """True for the usual form, with one file in the field `file`."""
        return list(cls.file_fields()) == ["file"] and cls.most_files() == 1

    @classmethod
    def most_files(cls) -> int:
        """The number of files that a form may have."""
        return sum(map(most_of, cls.file_fields().values()))

    def uploads(self) -> "list[tuple[str, UploadedFile[Any]]]":
        """The cleaned files, each with the name of its field."""
        found = []
        for name in self.file_fields():
            value = self.cleaned_data.get(name)
            found += [(name, upload) for upload in (value if isinstance(value, list) else [value]) if upload]
        return found

    def lacks_file(self) -> bool:
        """True if a required file was not sent: nothing else needs to be looked at."""
        required = (name for name, field in self.file_fields().items() if field.required)
        return not self.is_bound or any(not self.files.get(name) for name in required)

    def check_head(self, upload: "UploadedFile[Any]") -> None:
        """Look at the size and the first bytes, which costs next to nothing. Raises ValidationError."""
        limit = self.max_bytes()
        if upload.size and upload.size > limit:
            raise ValidationError(f"This file is too large; the limit is {readable_size(limit)}.", code="too_large")
        upload.seek(0)
        sentence = self.refusal_of(upload.read(HEAD))
        upload.seek(0)
        if sentence:
            raise ValidationError(sentence, code="other_format")

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
        The child imports this class by its name, so the class has to be at the top of a module. `self.chosen` has the
        options, and `self.checked` the name of the file's field. Each file is looked into by itself.
        """

    def preview(self, upload: "UploadedFile[Any]", options: dict[str, Any]) -> Any:
        """Preview of a file before joining: JSON of at most 60 KB, for `preview_template`; or None.

        It runs in a checker, as `check_file` does, and `upload` may be no more than the first `preview_bytes` of the
        file. Raises ValidationError with a sentence for the visitor.
        """

    @classmethod
    def preview_bytes(cls) -> int:
        """The bytes at the beginning of a file that a preview needs. The script of the page sends no more."""
        return conf.MAX_UPLOAD_BYTES

    @classmethod
    def as_found(cls, result: Any) -> dict[str, Any]:
        """The options as the task has found them out, from its result: the first values of the form "Change"."""
        return {}

    @classmethod
    def of_options(cls, *arguments: Any, **options: Any) -> Self:
        """A form with the options alone, without the file. The arguments are those of Django's forms."""
        form = cls(*arguments, **options)
        for name in ("code", *cls.file_fields()):
            del form.fields[name]
        return form

    @classmethod
    def has_options(cls) -> bool:
        """True if the task has options."""
        return bool(cls.base_fields.keys() - {"code", *cls.file_fields()})

    def open_fields(self) -> list[forms.BoundField]:
        """The visible fields that are not folded."""
        return [field for field in self.visible_fields() if field.name not in self.folded]

    def folded_fields(self) -> list[forms.BoundField]:
        return [field for field in self.visible_fields() if field.name in self.folded]

    def is_unfolded(self) -> bool:
        """True if a folded field needs to be seen: it has an error, or another value than at first."""
        return any(field.errors or field.value() != field.initial for field in self.folded_fields())

    @classmethod
    def has_check(cls) -> bool:
        """True if this form looks into its files."""
        return cls.check_file is not EntryForm.check_file

    def options(self) -> dict[str, Any]:
        """The keyword arguments for the task: all fields except the code and the files."""
        return {name: value for name, value in self.cleaned_data.items() if name not in {"code", *self.file_fields()}}


def most_of(field: forms.FileField) -> int:
    """The number of files that a field takes; 10 where it takes several and does not say how many."""
    return getattr(field, "most", 10 if getattr(field.widget, "allow_multiple_selected", False) else 1)
