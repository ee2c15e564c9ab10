"""The encoding of text that is no UTF-8, guessed from its letters."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from queueing.tasks.tables.choices import ENCODINGS, label_of

UNREADABLE = "\N{REPLACEMENT CHARACTER}"
HIGH = bytes(range(0x80, 0x100))  # the bytes beyond ASCII

# The library's names for encodings of one alphabet, each with the codec that we read it with. Others are not asked for.
KNOWN = {
    "windows-1252": "cp1252",
    "windows-1250": "cp1250",
    "windows-1251": "cp1251",
    "windows-1253": "cp1253",
    "windows-1254": "cp1254",
    "windows-1255": "cp1255",
    "windows-1257": "cp1257",
    "cp874": "cp874",
    "windows-1256": "cp1256",
    "iso-8859-2": "iso8859-2",
    "iso-8859-5": "iso8859-5",
    "koi8-r": "koi8-r",
    "macroman": "mac-roman",
    "cp932": "shift_jis",
    "euc-jp": "euc_jp",
    "gb18030": "gb18030",
    "big5": "big5",
    "cp949": "euc_kr",
    "cp437": "cp437",
    "cp850": "cp850",
    "ibm866": "cp866",
}
# Codecs with all the letters of the encoding that a page calls by the shorter name.
WIDER = {"shift_jis": "cp932", "euc_kr": "cp949"}
USUAL = "cp1252"  # holds every printable character of Latin-1, and is what most programs of the West write
TURKISH = "cp1254"
# A word of another encoding as it looks in USUAL: a sign before its first letter or inside it, or a late capital.
UNLIKELY = re.compile(
    r"(?:\b|[^\W\d_])[\u00a1-\u00b6\u00b8-\u00bf\u0192](?=[^\W\d_])|[a-z\u00df-\u00ff][\u00c0-\u00de\u0178\u0160]"
)
# Two bytes for a sign: few of them are signs in each of these, and no statistics tell them apart.
OF_TWO_BYTES = ("shift_jis", "euc_jp", "gb18030", "big5", "euc_kr")
FEW_OF_TWO_BYTES = 16
LATIN_9 = re.compile("\\d ?\u00a4|\u00a4 ?\\d")  # its sign of the euro, as it looks in USUAL
SIGNS = set("\u00b5\u00aa\u00ba")  # letters by their names
FEW = 6  # bytes beyond ASCII: below that, the library's scores are chance
# A guess below SURE was made from few letters; then USUAL needs less than the best guess: EASE of its score. Two
# guesses are close if the second one has CLOSE of the score of the first one. Found by trying 36 small files in 17
# languages.
SURE, EASE, CLOSE = 0.05, 0.6, 0.8


# Signs that no text has where letters are: for drawing, control, private use; money before a letter, signs in a word.
ODD = re.compile(
    r"[\u0080-\u009f\u2500-\u25ff\ue000-\uf8ff\ufffd]|[\u00a3\u00a5](?=[^\W\d_])|"
    r"(?<=[^\W\d_])[\u00a1-\u00a9\u00ab-\u00b4\u00b6\u00b8\u00b9\u00bb-\u00bf\u0192\u02c6\u02dc\u2013-\u2018\u201a-\u203a\u20ac]"
    r"(?=[^\W\d_])"
)


@dataclass(frozen=True, slots=True)
class Encoding:
    """The encoding of one file."""

    name: str  # for the page
    codec: str  # for Python
    ready: bool = False  # valid UTF-8 without marks, NULs or old line ends: can be read without a copy
    others: tuple[str, ...] = ()  # codecs that fit nearly as well, as in ENCODINGS
    guessed: str = ""  # the value in ENCODINGS, if it was guessed from the letters


def guessed(sample: bytes) -> Encoding:
    """The encoding of text that is no UTF-8, from lines with bytes beyond ASCII. The page says that it is a guess."""
    import chardet  # its tables are 40 MB; most files need none of them

    found = chardet.detect_all(sample, ignore_threshold=True, include_encodings=KNOWN)
    scores: dict[str, float] = {}
    for guess in found:
        codec = KNOWN.get(str(guess["encoding"]).lower())
        if codec and codec not in scores:
            scores[codec] = float(guess["confidence"] or 0)
    if not scores:
        return Encoding(label_of(ENCODINGS, USUAL), USUAL, guessed=USUAL)

    def text(codec: str) -> str:
        return sample.decode(WIDER.get(codec, codec), "replace")

    if LATIN_9.search(text(USUAL)):
        return Encoding(label_of(ENCODINGS, "iso8859-15"), "iso8859-15", others=(USUAL,), guessed="iso8859-15")
    best = next(iter(scores))
    if scores[best] < SURE and scores.get(USUAL, 0) >= EASE * scores[best]:
        best = USUAL
    if best != USUAL and _is_likely_usual(sample):
        best = USUAL
    if _is_odd(text(best)):
        best = next((codec for codec in scores if not _is_odd(text(codec))), best)
    # Six letters of Turkish lie where Icelandic has its own. Of two equal guesses the more common language is meant.
    if best == USUAL and scores.get(TURKISH, 0) >= scores.get(USUAL, 1) and text(TURKISH) != text(USUAL):
        best = TURKISH
    others = _others(best, scores | _of_two_bytes(best, sample, text), text)
    return Encoding(label_of(ENCODINGS, best), WIDER.get(best, best), others=others, guessed=best)


def _of_two_bytes(best: str, sample: bytes, text: Callable[[str], str]) -> dict[str, float]:
    """Scores of all encodings of two bytes that fit, if the best one is among them and there are few signs."""
    high = len(sample) - len(sample.translate(None, HIGH))
    if best not in OF_TWO_BYTES or high > FEW_OF_TWO_BYTES:
        return {}
    return {codec: 1.0 for codec in OF_TWO_BYTES if not _is_odd(text(codec))}


def _others(best: str, scores: dict[str, float], text: Callable[[str], str]) -> tuple[str, ...]:
    """The codecs that fit nearly as well as the best one and give another text."""
    readings, others = {text(best)}, list[str]()
    for codec, score in (scores | {USUAL: 1.0}).items():  # always one of the others
        reading = text(codec)
        if score >= CLOSE * scores.get(best, 0) and reading not in readings and UNREADABLE not in reading:
            readings.add(reading)
            others.append(codec)
    return tuple(others[:4])


def _is_likely_usual(sample: bytes) -> bool:
    """True if nothing but signs is beyond ASCII in USUAL, or too few letters for statistics, which read well there."""
    high = len(sample) - len(sample.translate(None, HIGH))
    letters = sum(map(str.isalpha, sample.decode("ascii", "ignore")))
    text = sample.decode(USUAL, "replace")
    beyond = {character for character in text if not character.isascii()}
    if UNREADABLE not in beyond and not any(character.isalpha() for character in beyond - SIGNS):
        return True  # signs of money, quotation marks, dashes
    return high <= FEW and high * 2 <= letters and not UNLIKELY.search(text)


def _is_odd(text: str) -> bool:
    """True if the text has signs where letters should be, or capitals inside words, as a wrong encoding shows it."""
    if ODD.search(text):
        return True
    words = re.findall(r"[^\W\d_]{2,}", text)
    return any(_has_late_capital(word) for word in words if not word.isascii())


def _has_late_capital(word: str) -> bool:
    """True if a capital beyond ASCII stands behind a small letter, or before one and not at the start."""
    return any(
        not letter.isascii() and letter.isupper() and (before.islower() or after.islower())
        for before, letter, after in zip(word, word[1:], f"{word[2:]} ", strict=False)
    )
