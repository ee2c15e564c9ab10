"""The folders that a horse may write to."""

from pathlib import Path
from typing import Any

import pytest

from queueing.work import confinement


def writable(settings: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> set[Path]:
    """The folders of all horses with a SQLite database of this name."""
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": name}
    monkeypatch.setitem(settings.DATABASES, "default", database)
    return set(confinement._folders_of_sqlite())


@pytest.mark.parametrize("name", ["/data/db.sqlite3", "../data/db.sqlite3", "file:/data/db.sqlite3?cache=shared"])
def test_the_folder_of_a_sqlite_file_is_one_of_them(
    settings: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    expected = tmp_path / "here" / ".." / "data" if name.startswith("..") else Path("/data")
    assert expected in writable(settings, monkeypatch, name)


@pytest.mark.parametrize("name", [":memory:", "file:memorydb?mode=memory&cache=shared", "file::memory:"])
def test_a_database_in_memory_opens_no_folder(settings: Any, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    assert not writable(settings, monkeypatch, name)
