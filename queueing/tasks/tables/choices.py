"""Options for the reading of a table; each replaces a guess."""

from dataclasses import dataclass

AUTO = "auto"  # found out from the file

type Values = tuple[tuple[str, str], ...]  # each value with its label

HEADERS: Values = (
    (AUTO, "Find out"),
    ("yes", "Holds the names"),
    ("no", "Is data already"),
)
# Names of Python's codecs.
ENCODINGS: Values = (
    (AUTO, "Find out"),
    ("utf-8", "UTF-8"),
    ("utf-16-le", "UTF-16 LE"),
    ("utf-16-be", "UTF-16 BE"),
    ("cp1252", "Windows-1252"),
    ("cp1250", "Windows-1250"),
    ("cp1251", "Windows-1251"),
    ("cp1253", "Windows-1253"),
    ("cp1254", "Windows-1254"),
    ("cp1255", "Windows-1255"),
    ("cp1256", "Windows-1256"),
    ("cp1257", "Windows-1257"),
    ("cp874", "Windows-874"),
    ("iso8859-1", "Latin-1"),
    ("iso8859-15", "Latin-9"),
    ("iso8859-2", "ISO-8859-2"),
    ("iso8859-5", "ISO-8859-5"),
    ("iso8859-7", "ISO-8859-7"),
    ("koi8-r", "KOI8-R"),
    ("mac-roman", "Mac Roman"),
    ("shift_jis", "Shift-JIS"),
    ("euc_jp", "EUC-JP"),
    ("gb18030", "GB18030"),
    ("big5", "Big5"),
    ("euc_kr", "EUC-KR"),
    ("cp437", "CP437"),
    ("cp850", "CP850"),
    ("cp866", "CP866"),
)
# On the form a label also says where an encoding is used.
USED_IN = {
    "cp1252": "Western Europe",
    "cp1250": "Central Europe",
    "cp1251": "Cyrillic",
    "cp1253": "Greek",
    "cp1254": "Turkish",
    "cp1255": "Hebrew",
    "cp1256": "Arabic",
    "cp1257": "Baltic",
    "cp874": "Thai",
    "iso8859-1": "Western Europe",
    "iso8859-15": "Western Europe",
    "iso8859-2": "Central Europe",
    "iso8859-5": "Cyrillic",
    "iso8859-7": "Greek",
    "koi8-r": "Cyrillic",
    "mac-roman": "old Macintosh",
    "shift_jis": "Japanese",
    "euc_jp": "Japanese",
    "gb18030": "Chinese",
    "big5": "Chinese, traditional",
    "euc_kr": "Korean",
    "cp437": "DOS",
    "cp850": "DOS, Western Europe",
    "cp866": "DOS, Cyrillic",
}
DELIMITERS: Values = (
    (AUTO, "Find out"),
    ("comma", "Comma"),
    ("semicolon", "Semicolon"),
    ("tab", "Tab"),
    ("pipe", "Pipe |"),
    ("space", "Space"),
    ("caret", "Caret ^"),
    ("tilde", "Tilde ~"),
    ("colon", "Colon"),
    ("none", "None: one column"),
)
# The character of each delimiter; "none" has no character.
CHARACTERS = {
    "comma": ",",
    "semicolon": ";",
    "tab": "\t",
    "pipe": "|",
    "space": " ",
    "caret": "^",
    "tilde": "~",
    "colon": ":",
}
QUOTES: Values = (
    (AUTO, "Find out"),
    ("double", 'Double: "…"'),
    ("single", "Single: '…'"),
    ("none", "None: they belong to the text"),
)
QUOTATION_MARKS = {"double": '"', "single": "'", "none": ""}
DECIMALS: Values = (
    (AUTO, "Find out for each column"),
    ("point", "Point: 1,234.5"),
    ("comma", "Comma: 1.234,5"),
)
DECIMAL_MARKS = {"point": ".", "comma": ","}
DATES: Values = (
    (AUTO, "Find out for each column"),
    ("day", "Day first: 31/12/2024"),
    ("month", "Month first: 12/31/2024"),
    ("year", "Year first: 24/12/31"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The choices of one visitor: the options of the task. Each value is one of those above."""

    header: str = AUTO  # what the first row is
    encoding: str = AUTO
    delimiter: str = AUTO
    quote: str = AUTO  # around cells that hold a delimiter
    decimal: str = AUTO  # the decimal mark of all columns
    dates: str = AUTO  # what comes first in 01/02/2024
    parquet: bool = False  # also write table.parquet


def label_of(values: Values, value: str) -> str:
    """The label of a value; the value itself if there is none."""
    return dict(values).get(value, value)


def with_use(values: Values) -> Values:
    """The labels with the place where an encoding is used: "KOI8-R (Cyrillic)"."""
    return tuple((value, f"{label} ({USED_IN[value]})" if value in USED_IN else label) for value, label in values)
