"""The lines of a UTF-8 file."""

import re
from collections.abc import Iterator
from pathlib import Path

from queueing.exceptions import UnusableInput
from queueing.sizes import readable_size
from queueing.tasks.tables.conf import conf

BLOCK = 1024**2


def lines_of(path: Path, start: int = 0) -> Iterator[str]:
    """The lines from a byte on, without their ends. Raises UnusableInput for one that is too long."""
    limit = conf.MAX_LINE_BYTES
    with path.open("rb") as file:
        file.seek(start)
        number = 0
        while line := file.readline(limit + 3):
            number += 1
            if len(line) > limit + 2 or (len(line) > limit and not line.endswith(b"\n")):
                raise UnusableInput(
                    f"Line {number:,} is longer than {readable_size(limit)}, so the table cannot be read."
                )
            yield line.decode(errors="replace").removesuffix("\n").removesuffix("\r")


def count_lines(path: Path, *, skip: int) -> int:
    """The number of lines behind the first `skip`."""
    lines, last = 0, b"\n"
    for block in _blocks(path, skip):
        lines += block.count(b"\n")
        last = block[-1:]
    return lines + (last != b"\n")


def count_blank_lines(path: Path, *, skip: int) -> int:
    blank, last = 0, b"\n"
    for block in _blocks(path, skip):
        blank += len(re.findall(rb"(?<=\n)\r?\n", last + block))
        last = block[-1:]
    return blank


def _blocks(path: Path, skip: int) -> Iterator[bytes]:
    """The file in blocks, without its first `skip` lines."""
    with path.open("rb") as file:
        for _ in range(skip):
            file.readline()
        while block := file.read(BLOCK):
            yield block
