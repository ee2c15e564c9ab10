"""The birth of a horse: what its worker makes before the fork, and the memory that the horse inherits."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from queueing.work.limits import Limits
from queueing.work.proc import memory_of
from queueing.work.report import Report
from queueing.work.scratch import Scratch


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
