"""The upload form of the documents task. It refuses files that cannot be read before anything is stored."""

from typing import Any, BinaryIO, cast

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from queueing.exceptions import UnusableInput
from queueing.forms import EntryForm
from queueing.tasks.documents.source import NO_DOCUMENT, NO_SIGNATURE, STORED_ENDINGS, open_document

# A hint for the browser's file dialogue. The check of a file looks at its content only.
ACCEPT = "application/pdf,image/*,.pdf,.jp2,.heic,.heif"


class DocumentForm(EntryForm):
    file = forms.FileField(
        label="Your document",
        help_text="A PDF, or a photo or scan: JPEG, PNG, HEIC, TIFF, WebP, AVIF, GIF, BMP or JPEG 2000.",
        widget=forms.FileInput(attrs={"accept": ACCEPT}),
        error_messages={"required": "Please choose a file.", "empty": "This file is empty."},
    )

    refused_heads = ((NO_SIGNATURE, NO_DOCUMENT),)
    stored_endings = STORED_ENDINGS

    def check_file(self, upload: "UploadedFile[Any]") -> None:
        # Unwrap the upload: Pillow and PDFium need a binary file, which is a BytesIO or a temporary file.
        file = cast("BinaryIO", upload.file)
        try:
            with open_document(file):
                pass
        except UnusableInput as error:
            raise ValidationError(str(error), code="unusable") from error
