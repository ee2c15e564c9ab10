"""The context of a task without a worker."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


class FolderContext:
    """A context of a task that keeps the files in a folder and remembers the reports."""

    attempt = 1

    def __init__(self, path: Path, folder: Path) -> None:
        self.path, self.folder = path, folder
        self.reports: list[tuple[float, str]] = []

    @contextmanager
    def input_file(self) -> Iterator[Path]:
        yield self.path

    def progress(self, done: float, total: float, message: str = "") -> None:
        self.reports.append((done / total, message))

    def save_file(self, name: str, content: Any, content_type: str) -> None:
        (self.folder / name).write_bytes(content if isinstance(content, bytes) else content.read())
