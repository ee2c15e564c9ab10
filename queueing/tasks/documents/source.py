"""Recognises an uploaded document by its content, never by its name, and opens it.

`open_document` is called twice: by the form, to refuse a file before it is stored, and by the task. It reads headers
and counts parts (`scanning.py`). Damage further inside is found when a page picture is decoded.
"""

import re
from contextlib import AbstractContextManager
from typing import BinaryIO

from queueing.exceptions import UnusableInput
from queueing.forms import HEAD
from queueing.tasks.documents.page import Document
from queueing.tasks.documents.pdf import open_pdf
from queueing.tasks.documents.pictures import open_pictures
from queueing.tasks.documents.scanning import scan_pdf

# Pillow's name of each format of pictures, by a pattern that matches the beginning of its files. The patterns have to
# work in JavaScript too: see `EntryForm`.
PICTURES = {
    rb"\x89PNG\r\n\x1a\n": "PNG",
    rb"\xff\xd8\xff": "JPEG",
    rb"II[*+]\x00|MM\x00[*+]": "TIFF",  # with a plus sign: BigTIFF
    rb"RIFF....WEBP": "WEBP",
    rb"....ftyp(?:hei[cmsx]|hev[cx]|mif1|msf1)": "HEIF",  # what phones send
    rb"....ftypavi[fs]": "AVIF",
    rb"GIF8[79]a": "GIF",
    rb"BM.{12}[\x0c(4@l|]\x00\x00\x00": "BMP",
    rb"\x00\x00\x00\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51": "JPEG2000",
}
# Mail and print servers leave their own lines before a PDF. Readers accept a kilobyte of them (PDF Reference 1.7,
# appendix H, note 13), some any number.
PDF_HEADER = b"%PDF-"
PDF = rb".{0,%d}%b" % (HEAD - len(PDF_HEADER), PDF_HEADER)
NO_SIGNATURE = rb"(?!%b|%b)" % (b"|".join(PICTURES), PDF)
ENDINGS = {
    "PNG": ".png",
    "JPEG": ".jpg",
    "TIFF": ".tif",
    "WEBP": ".webp",
    "HEIF": ".heic",
    "AVIF": ".avif",
    "GIF": ".gif",
    "BMP": ".bmp",
    "JPEG2000": ".jp2",
}
STORED_ENDINGS = (*((pattern, ENDINGS[kind]) for pattern, kind in PICTURES.items()), (PDF, ".pdf"))
NO_DOCUMENT = "This is neither a PDF nor a picture of a kind that we can read."


def open_document(file: BinaryIO) -> AbstractContextManager[Document]:
    """Recognise, check and open a document; `file` must be at its beginning.

    Raises UnusableInput with a sentence for the visitor, here or when the `with` block is entered.
    """
    head = file.read(HEAD)
    file.seek(0)
    for pattern, kind in PICTURES.items():
        if re.match(pattern, head, re.DOTALL):
            return open_pictures(file, kind)
    if (start := head.find(PDF_HEADER)) >= 0:
        scan_pdf(file)
        return open_pdf(file, start)
    raise UnusableInput(NO_DOCUMENT)
