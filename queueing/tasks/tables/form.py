"""The upload form of the tables task. It refuses files that are not tables before anything is stored."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from queueing.exceptions import UnusableInput
from queueing.forms import EntryForm
from queueing.sizes import readable_size
from queueing.tasks.tables.conf import conf
from queueing.tasks.tables.dialect import head_bytes, sniff
from queueing.tasks.tables.encoding import has_old_line_ends, of_head
from queueing.tasks.tables.look import text_of

CHUNK = 256 * 1024  # bytes of one read
# NUL bytes that a text may have: an export of a database has one here and there. Programs and archives have many.
STRAY_NULS, STRAY_SHARE = 3, 0.001

WORKBOOK = "This is an Excel workbook; save it as CSV."
# Signatures of other formats, at the beginning of the file, and the sentence for the visitor. The file's name does not
# count.
OTHERS = (
    (rb"PK\x03\x04.*(xl/|\[Content_Types\])", WORKBOOK),
    (rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", WORKBOOK),
    (rb"PK\x03\x04.*opendocument\.spreadsheet", "This is an OpenDocument spreadsheet; save it as CSV."),
    (rb"PK\x03\x04|\x1f\x8b|7z\xbc\xaf|Rar!|BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", "This is a packed file; unpack it first."),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|II\*\0|MM\0\*|RIFF....WEBP", "This is a picture, not a table."),
    (rb"%PDF-", "This is a PDF, not a table."),
    (rb"\s*<(!doctype html|html|\?xml)", "This is a web page or XML, not a table; save it as CSV."),
    (rb"PAR1|SQLite format 3\0|ARROW1", "This is a database or a binary table; export it as CSV."),
)


class TableForm(EntryForm):
    file = forms.FileField(
        label="Your table",
        help_text="A CSV or TSV file, with any delimiter.",
        widget=forms.FileInput(
            attrs={"accept": ".csv,.tsv,.tab,.txt,text/csv,text/tab-separated-values,text/plain"},
        ),
        error_messages={"required": "Please choose a file.", "empty": "This file is empty."},
    )
    header = forms.ChoiceField(
        label="First row",
        choices=[("auto", "Find out"), ("yes", "Holds the names"), ("no", "Is data already")],
        initial="auto",
        required=False,
    )

    refused_heads = OTHERS
    stored_endings = ((rb"", ".csv"),)
    field_order = ("file", "header", "code")

    def clean_header(self) -> str:
        return self.cleaned_data["header"] or "auto"

    def max_bytes(self) -> int:
        return conf.MAX_UPLOAD_BYTES

    def check_file(self, upload: "UploadedFile[Any]") -> None:
        upload.seek(0)
        head = upload.read(head_bytes())
        encoding = of_head(head)
        _check_bytes(upload, head, has_nul=encoding.codec.startswith(("utf-16", "utf-32")))
        try:
            sniff(text_of(head, encoding.codec), whole=len(head) == upload.size)
        except UnusableInput as error:
            raise ValidationError(str(error), code="unusable") from None


def _check_bytes(upload: "UploadedFile[Any]", head: bytes, *, has_nul: bool) -> None:
    """Refuse many NUL bytes where the encoding has none, and a line longer than MAX_LINE_BYTES.

    A chunk is not longer than the limit. So a line inside one chunk is short enough, and only the first and the last
    newline of each chunk are looked for. Checking 500 MB takes about as long as reading them.

    Raises ValidationError with a sentence for the visitor.
    """
    limit = conf.MAX_LINE_BYTES
    newline = b"\r" if has_old_line_ends(head) else b"\n"
    line = nuls = size = 0  # `line`: bytes since the last newline
    upload.seek(0)
    while chunk := upload.read(min(CHUNK, limit)):
        size += len(chunk)
        nuls += 0 if has_nul else chunk.count(b"\0")
        if nuls > max(STRAY_NULS, size * STRAY_SHARE):
            raise ValidationError("This is not a text file; save the table as CSV.", code="binary")
        first = chunk.find(newline)
        if line + (len(chunk) if first < 0 else first) > limit:
            raise ValidationError(f"This file has a line of more than {readable_size(limit)}.", code="long_line")
        line = line + len(chunk) if first < 0 else len(chunk) - 1 - chunk.rfind(newline)
