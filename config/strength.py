"""Settings that a public site must not start with: a weak key, or everybody's host names."""

import re
import sys
from typing import NoReturn

LEAST_LENGTH, LEAST_DISTINCT = 32, 10  # characters of a key
# A suffix under which anybody can have a name: ".com", ".co.uk".
SHARED_SUFFIX = re.compile(r"\.([^.]*|(ac|co|com|edu|gov|net|org)\.[a-z]{2})\.?")


def weakness_of_key(key: str) -> str:
    """The reason why this key could be guessed, as the end of a sentence; empty for a strong one."""
    if key.startswith("django-insecure-"):
        return "is one that Django made for development"
    if not key.isascii() or not key.isprintable() or " " in key:
        return "is a sentence"
    if len(key) < LEAST_LENGTH:
        return f"is shorter than {LEAST_LENGTH} characters"
    if len(set(key)) < LEAST_DISTINCT:
        return f"has fewer than {LEAST_DISTINCT} different characters"
    if key in (key + key)[1:-1]:
        return "repeats itself"
    return ""


def is_any_host(pattern: str) -> bool:
    """True for a pattern of host names, or of origins, that names other people's hosts, too."""
    host = re.sub(r"^[a-z+.-]+://|:\d+$", "", pattern.lower())
    host = host.removeprefix("*") if host.startswith("*.") else host
    return "*" in host or SHARED_SUFFIX.fullmatch(host) is not None


def refuse(sentence: str) -> NoReturn:
    """End the process with this sentence and exit status 1, whichever program has imported the settings."""
    sys.exit(sentence)
