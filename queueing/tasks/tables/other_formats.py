"""Recognises what is no table: by the first bytes of a file, and by a parser of its text.

The first bytes decide where no table begins with them. One-line JSON and XML without a declaration are left to their
parsers, because the first cell of a table may begin with a bracket, too.
"""

import json
import re
from xml.parsers import expat

from queueing.forms import HEAD

WORKBOOK = "This is an Excel workbook; save it as CSV."
OFFICE = "This is a file of Excel, Word or PowerPoint; save the table in it as CSV."


def _archive(name: str) -> str:
    return f"This is {name}; unpack it, and hand in the CSV file in it."


WEB_PAGE = "This is a web page or XML, not a table; save it as CSV."
JSON_TEXT = "This is JSON, not a table; save it as CSV."
SQL = "This is a database dump in SQL, not a table; export the table as CSV."

# Parts of patterns that mean the same in Python and in JavaScript: white space is written out, because theirs differs.
# The byte order mark is a range, because without case JavaScript takes some letters beyond ASCII for others. Parts
# beside each other begin with different characters, so the time grows with the length alone.
BLANK = rb"[ \t\r\n\f\v]"
BYTE_ORDER_MARK = rb"[\x80-\xff]{0,3}"
BEFORE = BYTE_ORDER_MARK + BLANK + rb"*"
COMMENT = rb"--[^\n]*\n|/\*[^*]*\*+([^/*][^*]*\*+)*/;?|" + BLANK
FIRST = rb"(set|use|pragma|begin|start|lock)\b[^;\n]*;"  # statements that come before those below
SOME = BLANK + rb"+"
THINGS = rb"(table|database|schema|index|view|type)\b"
STATEMENT = (
    rb"(create|drop|alter)" + SOME + rb"((temporary|unique)" + SOME + rb")?" + THINGS
    + rb"|insert" + SOME + rb"(ignore" + SOME + rb")?into\b[^,;\n]*(\(|values)"
)  # fmt: skip
DUMPERS = rb"(mysql|mariadb|postgresql|phpmyadmin|sqlite|adminer)\b"
TAG = rb"(html|head|body|title|meta|style|script|div|table|thead|tbody|tr|svg|rss)(>|/|" + BLANK + rb"[^>]*>)"

TEXTS = (
    (BEFORE + rb"<(!doctype\b|!--|\?xml\b|" + TAG + rb")", WEB_PAGE),
    # A line that is a bracket, and then a bracket, a text or a number.
    (
        BEFORE + rb"[\[{][ \t\r]*\n" + BLANK + rb'*([\[{]|"([^"\\\n]|\\.)*"[ \t]*[:,\r\n]|-?\d[\d.eE+-]*[ \t\r]*[,\n])',
        JSON_TEXT,
    ),
    (BYTE_ORDER_MARK + rb"(" + COMMENT + rb"|" + FIRST + rb")*(" + STATEMENT + rb")", SQL),
    (BEFORE + rb"--[ -]*(\n--[ -]*)?" + DUMPERS, SQL),
)
# Signatures of other formats, at the beginning of the file, and the sentence for the visitor. The file's name does not
# count.
HEADS = (
    (rb"PK\x03\x04.*xl/", WORKBOOK),
    (rb"PK\x03\x04.*word/(document|_rels)", "This is a Word document; save the table in it as CSV."),
    (rb"PK\x03\x04.*ppt/(presentation|_rels|slides)", "This is a presentation; save the table in it as CSV."),
    (rb"PK\x03\x04.*opendocument\.spreadsheet", "This is an OpenDocument spreadsheet; save it as CSV."),
    (rb"PK\x03\x04.*opendocument\.", "This is an OpenDocument file; save the table in it as CSV."),
    (rb"PK\x03\x04.*epub\+zip", "This is an e-book, not a table."),
    (rb"PK\x03\x04.*index/[\w/-]*\.iwa", "This is a file of Numbers, Pages or Keynote; export the table in it as CSV."),
    (rb"PK\x03\x04.*\[Content_Types\]|\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", OFFICE),
    (rb"PK\x03\x04", _archive("a ZIP archive")),
    (rb"\x1f\x8b", _archive("a file packed by gzip")),
    (rb"7z\xbc\xaf", _archive("a 7-Zip archive")),
    (rb"Rar!", _archive("a RAR archive")),
    (rb"BZh|\xfd7zXZ|\x28\xb5\x2f\xfd", _archive("a file packed by bzip2, xz or zstd")),
    (rb"\x89PNG|\xff\xd8\xff|GIF8|II\*\0|MM\0\*|RIFF....WEBP", "This is a picture, not a table."),
    (rb"%PDF-", "This is a PDF, not a table."),
    (rb"%!PS|\{\\rtf", "This is a document, not a table; save the table in it as CSV."),
    (rb"BEGIN:V(CARD|CALENDAR)", "This is an address book or a calendar, not a table; export it as CSV."),
    (rb"PAR1|SQLite format 3\0|ARROW1", "This is a database or a binary table; export it as CSV."),
    *TEXTS,
)
JSON_BEGINS = re.compile(r'[\[{]\s*["\[{]')
PLAUSIBLE = 1_000  # characters of JSON without a mistake: whatever follows, it is JSON


def refusal_of_text(text: str, *, whole: bool) -> str:
    """The sentence about a text that is no table; empty if it may be one.

    `whole` says that the text is all of the file, and not its beginning.
    """
    text = text.lstrip("\ufeff \t\r\n\f\v\0\x1e")
    if text.startswith(("{", "[")) and _is_json(text):
        return JSON_TEXT
    if text.startswith("<") and _is_xml(text, whole=whole):
        return WEB_PAGE
    head = text[:HEAD].encode(errors="replace")  # again: in UTF-16 the bytes look different
    return next((why for pattern, why in TEXTS if re.match(pattern, head, re.DOTALL | re.IGNORECASE)), "")


def _is_json(text: str) -> bool:
    """True for a JSON object or list, or one in each line. A cell that is one has a delimiter behind it."""
    try:
        value, end = json.JSONDecoder().raw_decode(text)
    except json.JSONDecodeError as error:
        is_cut_off = error.msg.startswith("Unterminated string") or error.pos >= len(text.rstrip())
        return error.pos > PLAUSIBLE or (is_cut_off and JSON_BEGINS.match(text) is not None)
    except RecursionError:
        return True
    if isinstance(value, list) and len(value) < 2 and not any(isinstance(item, dict | list) for item in value):
        return False  # "[1]" may be a cell of a table with one column
    rest = text[end:].lstrip(" \t")
    return not rest or rest[0] in "\r\n"


def _is_xml(text: str, *, whole: bool) -> bool:
    """True if an XML parser takes the text. A beginning has to close an element, as "<none>" in a table does not."""
    ended: list[str] = []
    parser = expat.ParserCreate()
    parser.EndElementHandler = ended.append
    try:
        parser.Parse(text, whole)
    except expat.ExpatError:
        return False
    return bool(ended)
