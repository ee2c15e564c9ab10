"""Recognises an uploaded document by its content, never by its name, and opens it.

`open_document` is called twice: by the form, to refuse a file before it is stored, and by the task. It reads headers
and counts parts (`scanning.py`). Damage further inside is found when a page picture is decoded.
"""

import re
from contextlib import AbstractContextManager
from typing import BinaryIO

from queueing.exceptions import UnusableInput
from queueing.tasks.documents.page import Document
from queueing.tasks.documents.pdf import open_pdf
from queueing.tasks.documents.pictures import open_pictures
from queueing.tasks.documents.scanning import scan_pdf

SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",  # BigTIFF
    b"MM\0+": "TIFF",
    b"RIFF": "WEBP",
}
# Readers accept the PDF header anywhere in the first kilobyte (PDF Reference 1.7, appendix H, note 13).
KILOBYTE = 1024
# A pattern that matches the beginning of a file of any other format. It has to work in JavaScript too: see `EntryForm`.
NO_SIGNATURE = rb"(?!%b|.{0,%d}%%PDF-)" % (b"|".join(map(re.escape, SIGNATURES)), KILOBYTE - len(b"%PDF-"))
# The endings under which documents are stored, by the patterns of their beginnings.
ENDINGS = {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif", "WEBP": ".webp"}
STORED_ENDINGS = (
    *((re.escape(signature), ENDINGS[kind]) for signature, kind in SIGNATURES.items()),
    (rb".{0,%d}%%PDF-" % (KILOBYTE - len(b"%PDF-")), ".pdf"),
)
NO_DOCUMENT = "This is not a PDF, PNG, JPEG, TIFF or WebP file."


def open_document(file: BinaryIO) -> AbstractContextManager[Document]:
    """Recognise, check and open a document; `file` must be at its beginning.

    Raises UnusableInput with a sentence for the visitor, here or when the `with` block is entered.
    """
    head = file.read(KILOBYTE)
    file.seek(0)
    for signature, kind in SIGNATURES.items():
        if head.startswith(signature) and (kind != "WEBP" or head[8:12] == b"WEBP"):
            return open_pictures(file, kind)
    if b"%PDF-" in head:
        scan_pdf(file)
        return open_pdf(file)
    raise UnusableInput(NO_DOCUMENT)
