"""The upload form of the tables task. It refuses files that are not tables before anything is stored."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from queueing.exceptions import UnusableInput
from queueing.forms import EntryForm
from queueing.sizes import readable_size
from queueing.tasks.tables import choices
from queueing.tasks.tables.choices import AUTO, Choices, Values
from queueing.tasks.tables.conf import conf
from queueing.tasks.tables.dialect import head_bytes
from queueing.tasks.tables.encoding import has_old_line_ends, marked, unmarked_utf16
from queueing.tasks.tables.look import look
from queueing.tasks.tables.other_formats import HEADS, refusal_of_text
from queueing.tasks.tables.words import Json, doubt, read_as, short

CHUNK = 256 * 1024  # bytes of one read
FEW_NULS = 3  # that any text may have
MOST_NULS = 0.01  # share of NUL bytes in a text; a program may leave some
# Of the preview. Its message has 64 KiB, and one character may take 12 bytes there.
COLUMNS, LENGTH = 16, 32


def _choice(label: str, values: Values, help_text: str = "") -> forms.TypedChoiceField:
    return forms.TypedChoiceField(
        label=label, choices=values, initial=AUTO, required=False, empty_value=AUTO, help_text=help_text
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
    header = _choice("First row", choices.HEADERS)
    encoding = _choice(
        "Encoding",
        choices.with_use(choices.ENCODINGS),
        "Change it if letters look wrong, or those with accents.",
    )
    delimiter = _choice("Delimiter", choices.DELIMITERS, "The mark between two cells of a row.")
    quote = _choice("Quotation marks", choices.QUOTES, "The marks around cells that hold a delimiter.")
    decimal = _choice("Decimal mark", choices.DECIMALS)
    dates = _choice("Dates", choices.DATES, "Which comes first where both would fit, as in 01/02/2024.")
    parquet = forms.BooleanField(
        label="Also make a Parquet file",
        help_text="The whole table with its types, for pandas, R or DuckDB. It takes some more time.",
        required=False,
    )

    refused_heads = HEADS
    stored_endings = ((rb"", ".csv"),)
    field_order = ("file", "parquet", "header", "encoding", "delimiter", "quote", "decimal", "dates", "code")
    folded = ("header", "encoding", "delimiter", "quote", "decimal", "dates")
    fold_summary = "How it is written: found out from the file; change it here"
    preview_template = "tables/preview.html"
    preview_label = "Show the first rows"

    def max_bytes(self) -> int:
        return conf.MAX_UPLOAD_BYTES

    @classmethod
    def preview_bytes(cls) -> int:
        return head_bytes()

    @classmethod
    def as_found(cls, result: Json) -> Json:
        return {doubt["choice"]: doubt["read_as"] for doubt in result.get("doubts", ())}

    def check_file(self, upload: "UploadedFile[Any]") -> None:
        head = Head(upload, self.chosen)
        head.refuse_other_formats()
        _check_bytes(upload, head.content, may_have_nul=bool(head.wide_codec))
        head.look()

    def preview(self, upload: "UploadedFile[Any]", options: Json) -> Json:
        head = Head(upload, options)
        head.refuse_other_formats()
        _check_nuls(head.content.count(b"\0"), len(head.content), may_have_nul=bool(head.wide_codec))
        seen = head.look()
        return {
            "read": read_as(seen["encoding"], seen["delimiter"], "," if options.get("decimal") == "comma" else ""),
            "names": [short(name, LENGTH) for name in seen["names"][:COLUMNS]],
            "rows": [[short(cell, LENGTH) for cell in row[:COLUMNS]] for row in seen["rows"]],
            "more": max(0, len(seen["names"]) - COLUMNS),
            "doubts": [doubt(found) for found in seen["doubts"]],
        }


class Head:
    """The beginning of a file, and the options for it. The methods raise ValidationError with a sentence."""

    def __init__(self, upload: "UploadedFile[Any]", options: Mapping[str, Any]) -> None:
        upload.seek(0)
        self.content = upload.read(head_bytes())
        self.is_whole = len(self.content) < head_bytes()
        self.choices = Choices(**options)
        self.wide_codec = _wide_codec(self.content, self.choices.encoding)

    def refuse_other_formats(self) -> None:
        text = self.content.decode(self.wide_codec or "utf-8", errors="ignore")
        if why := refusal_of_text(text, whole=self.is_whole):
            raise ValidationError(why, code="other_format")

    def look(self) -> Json:
        try:
            return look(self.content, whole=self.is_whole, choices=self.choices)
        except UnusableInput as error:
            raise ValidationError(str(error), code="unusable") from None


def _wide_codec(head: bytes, chosen: str) -> str:
    """The codec of a text whose characters have two bytes or more, in which NUL is nothing odd; else empty."""
    if chosen.startswith("utf-16"):
        return chosen
    known = marked(head) or unmarked_utf16(head)
    return known.codec if known and known.name != "UTF-8" else ""


def _check_nuls(nuls: int, size: int, *, may_have_nul: bool) -> None:
    if not may_have_nul and nuls > max(FEW_NULS, MOST_NULS * size):
        raise ValidationError("This is not a text file; save the table as CSV.", code="binary")


def _check_bytes(upload: "UploadedFile[Any]", head: bytes, *, may_have_nul: bool) -> None:
    """Refuse a file with many NUL bytes where the encoding has none, and a line longer than MAX_LINE_BYTES.

    A chunk is not longer than the limit. So a line inside one chunk is short enough, and only the first and the last
    newline of each chunk are looked for. Checking 500 MB takes about as long as reading them.

    Raises ValidationError with a sentence for the visitor.
    """
    limit = conf.MAX_LINE_BYTES
    newline = b"\r" if has_old_line_ends(head) else b"\n"
    line = size = nuls = 0  # `line`: bytes since the last newline
    upload.seek(0)
    while chunk := upload.read(min(CHUNK, limit)):
        size += len(chunk)
        nuls += chunk.count(b"\0")
        first = chunk.find(newline)
        if line + (len(chunk) if first < 0 else first) > limit:
            _check_nuls(nuls, size, may_have_nul=may_have_nul)  # a picture has no lines: that is the better sentence
            raise ValidationError(f"This file has a line of more than {readable_size(limit)}.", code="long_line")
        line = line + len(chunk) if first < 0 else len(chunk) - 1 - chunk.rfind(newline)
    _check_nuls(nuls, size, may_have_nul=may_have_nul)
