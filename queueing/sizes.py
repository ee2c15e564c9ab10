"""Sizes in words, as the pages write them. `join/file.js` writes the same."""

from django.template.defaultfilters import filesizeformat


def readable_size(size: int) -> str:
    """A number of bytes: "50 MB", "1.5 KB", "600 bytes"."""
    return filesizeformat(size).replace(".0\xa0", "\xa0")
