"""Packages of the package index, unpacked within limits. Nothing in them is run but what pip needs to name them."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

MOST_FILES, MOST_BYTES = 20_000, 512 * 1024**2  # of a package, unpacked


def unpacked(requirement: str, folder: Path, *, wheel: bool = False) -> Path:
    """The folder with the files of a package, such as "pypdf==7.1.1": of its source, or of its wheel.

    A package that was unpacked before is not fetched again.
    """
    target = folder / requirement.replace("==", "-")
    if not target.is_dir():
        archive = _download(requirement, folder / "archives", wheel=wheel)
        partial = target.with_name(f".{target.name}")
        shutil.rmtree(partial, ignore_errors=True)
        _unpack(archive, partial)
        partial.rename(target)
    return target


def _download(requirement: str, folder: Path, *, wheel: bool) -> Path:
    kind = ["--only-binary", ":all:"] if wheel else ["--no-binary", ":all:"]
    own = folder / requirement
    command = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps", *kind, "--dest", str(own), requirement]
    subprocess.run(command, check=True)
    [archive] = own.iterdir()
    return archive


def _unpack(archive: Path, target: Path) -> None:
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as package:
            _limit((entry.file_size for entry in package.infolist()), archive)
            package.extractall(target)  # noqa: S202  # counted above; zipfile keeps names inside the folder
    else:
        with tarfile.open(archive) as package:
            _limit((entry.size for entry in package), archive)
            package.extractall(target, filter="data")


def _limit(sizes: Iterator[int], archive: Path) -> None:
    total = 0
    for count, size in enumerate(sizes, 1):
        total += size
        if count > MOST_FILES or total > MOST_BYTES:
            raise ValueError(f"{archive.name} has more than {MOST_FILES:,} files or {MOST_BYTES:,} bytes.")


def found(name: str, package: Path) -> Path:
    """The file of this name, wherever it lies in the package. Raises FileNotFoundError."""
    path = next(package.rglob(name), None)
    if path is None:
        raise FileNotFoundError(f"{package.name} has no {name}.")
    return path
