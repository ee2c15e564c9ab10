"""Stored files of uploads and results."""

from pathlib import Path

from django.conf import settings


def stored_files() -> set[Path]:
    return {path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()}
