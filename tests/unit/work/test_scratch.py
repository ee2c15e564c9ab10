"""The temporary folder of a horse."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from queueing.work.scratch import PREFIX, Scratch, size_of_unnamed, sweep


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def scratch(folder: Path) -> Iterator[Scratch]:
    made = Scratch()
    yield made
    if made.path.exists():
        made.delete()


def test_only_this_user_can_open_it(scratch: Scratch, folder: Path) -> None:
    assert scratch.path.parent == folder
    assert scratch.path.stat().st_mode & 0o777 == 0o700


def test_files_and_folders_count_though_they_are_empty(scratch: Scratch) -> None:
    (scratch.path / "inner").mkdir()
    for number in range(10):
        (scratch.path / "inner" / f"{number}").touch()
    assert scratch.size(2**30) == 11 * 16 * 1024
    (scratch.path / "large").write_bytes(b"x" * 10**6)
    assert scratch.size(2**30) >= 11 * 16 * 1024 + 10**6
    assert 100_000 < scratch.size(100_000) < 10**6 + 200_000  # it stops at the limit


def test_a_link_is_not_followed(scratch: Scratch, tmp_path: Path) -> None:
    target = tmp_path / "large"
    target.write_bytes(b"x" * 10**6)
    (scratch.path / "link").symlink_to(target)
    (scratch.path / "up").symlink_to(tmp_path)
    assert scratch.size(2**30) < 10**5
    scratch.delete()
    assert target.exists()


def test_a_file_without_a_name_counts_once(scratch: Scratch) -> None:
    before = size_of_unnamed([os.getpid()])
    with tempfile.TemporaryFile(dir=scratch.path) as file:
        file.write(b"x" * 10**6)
        file.flush()
        twice = os.dup(file.fileno())
        assert 10**6 <= size_of_unnamed([os.getpid()]) - before < 1.2 * 10**6
        os.close(twice)
    assert scratch.size(2**30) == 0


@pytest.mark.parametrize(("module", "step"), [(tempfile, "mkdtemp"), (os, "open")])
def test_a_folder_that_is_swept_before_it_has_its_lock_is_made_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch, module: Any, step: str
) -> None:
    """Another worker of the machine starts at this very moment."""
    take, swept = getattr(module, step), list[int]()

    def take_and_be_swept(*arguments: Any, **options: Any) -> Any:
        value = take(*arguments, **options)
        if not swept:
            swept.append(0)
            swept[0] = sweep()
        return value

    monkeypatch.setattr(module, step, take_and_be_swept)
    made = Scratch()
    assert (swept, made.is_there) == ([1], True)
    made.delete()


def test_a_sweep_takes_what_nobody_holds(scratch: Scratch, folder: Path) -> None:
    left = folder / f"{PREFIX}left"
    (left / "inner").mkdir(parents=True)
    other = folder / "of somebody else"
    other.mkdir()
    (folder / f"{PREFIX}link").symlink_to(other)
    assert sweep() == 1
    assert not left.exists()
    assert other.exists()
    assert scratch.path.exists()
