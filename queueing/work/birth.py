"""The birth of a horse: what its worker makes before the fork, and the memory that the horse inherits."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from queueing.work.limits import Limits
from queueing.work.report import Report
from queueing.work.scratch import Scratch

KILOBYTE = 1024


@dataclass(frozen=True, slots=True)
class Birth:
    """The report, the temporary folder, and the memory from the worker, in bytes by the kernel's names."""

    report: Report
    scratch: Scratch
    inherited: dict[str, int]

    @classmethod
    def now(cls) -> Self:
        """For a fork that follows. Raises OSError: the machine has no room for a folder."""
        return cls(Report(), Scratch(), memory_of("self"))


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms of one horse, as it has to know them itself."""

    limits: Limits
    birth: Birth

    @property
    def folder(self) -> Path:
        """The folder for temporary files."""
        return self.birth.scratch.path

    @property
    def inherited_data(self) -> int:
        """Bytes of private memory that the horse has from its worker."""
        return self.birth.inherited.get("VmData", 0)


def memory_of(pid: int | str) -> dict[str, int]:
    """Bytes by name (VmData, VmRSS, RssAnon, RssShmem) as in proc_pid_status(5); empty for a process that has ended."""
    return bytes_by_name(f"/proc/{pid}/status", ("VmData:", "VmRSS:", "RssAnon:", "RssShmem:"))


def bytes_by_name(path: str, names: tuple[str, ...]) -> dict[str, int]:
    """The sizes of these names in a file of /proc; empty if it cannot be read."""
    try:
        text = _read(path)
    except OSError:
        return {}
    lines = (line.split() for line in text.splitlines() if line.startswith(names))
    return {name.removesuffix(":"): int(number) * KILOBYTE for name, number, *_ in lines}


def _read(path: str) -> str:
    """A small file of /proc. `Path.read_text` takes several times as long, before each fork."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        return os.read(descriptor, 2**16).decode()
    finally:
        os.close(descriptor)
