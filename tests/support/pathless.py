"""The tests' settings with a storage whose files have no paths, as those of a remote one."""

from typing import Any

from django.core.files.base import File
from django.core.files.storage import FileSystemStorage, Storage

from tests.settings import *  # noqa: F403


class PathlessStorage(Storage):
    """Files of this machine, without their paths."""

    def _open(self, name: str, mode: str = "rb") -> "File[Any]":
        return FileSystemStorage().open(name, mode)

    def _save(self, name: str, content: "File[Any]") -> str:
        return FileSystemStorage().save(name, content)

    def exists(self, name: str) -> bool:
        return FileSystemStorage().exists(name)

    def delete(self, name: str) -> None:
        FileSystemStorage().delete(name)

    def size(self, name: str) -> int:
        return FileSystemStorage().size(name)


STORAGES = {
    "default": {"BACKEND": "tests.support.pathless.PathlessStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
