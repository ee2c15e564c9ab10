"""A file that a task saves: what its name, its content and its content type may be."""

import re
from collections.abc import Container
from pathlib import PurePath
from typing import Any

from django.core.files.base import ContentFile, File

LONGEST_TYPE = 100  # characters; the column's length
PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def body_of(name: Any, content: Any, content_type: Any) -> "File[bytes]":
    """The content of a file. Raises TypeError for a text or a path, and for a name or content type that is no text."""
    if not isinstance(name, str) or not isinstance(content_type, str):
        raise TypeError(
            f"save_file({name!r}, …, {content_type!r}): name and content type are texts. "
            'Write save_file("page-1.png", content, "image/png")'
        )
    if isinstance(content, bytes):
        return ContentFile(content)
    if isinstance(content, File):
        return content
    if isinstance(content, str):
        way = "text.encode()"
    else:
        way = "path.read_bytes()" if isinstance(content, PurePath) else "File(…) of django.core.files around it"
    raise TypeError(f"{name}: the content is of type {type(content).__name__}, not bytes or a File. Write {way}")


def check_file(name: str, content_type: str, taken: Container[str]) -> None:
    """Raises ValueError for a name that is not plain or is taken, and for a content type that is too long."""
    if not PLAIN_NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no plain name: at most 100 letters, digits, dots, '_' and '-', as in 'page-1.png'"
        )
    if name in taken:
        raise ValueError(f"{name!r} was saved before: each file of an attempt has a name of its own")
    if len(content_type) > LONGEST_TYPE:
        raise ValueError(f"A content type has at most {LONGEST_TYPE} characters, not {len(content_type)}")
