"""The tables of docs/accuracy.md. Each stands between two comments that name its part; the rest is written by hand."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.support.paths import ROOT

ACCURACY = ROOT / "docs/accuracy.md"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write(part: str, content: str, path: Path = ACCURACY) -> None:
    """Put the content in the place of the part's earlier one. Raises LookupError if the page has no such place."""
    begin, end = f"<!-- corpus: {part} -->\n", f"<!-- end: {part} -->"
    page = path.read_text()
    written, count = re.subn(
        f"{re.escape(begin)}.*?{re.escape(end)}", lambda _: begin + content + end, page, flags=re.DOTALL
    )
    if count != 1:
        raise LookupError(f"{path.name} has no place for {part}.")
    path.write_text(written)
