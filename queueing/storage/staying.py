"""Files that a deletion has left behind: one error about all of them, after all others are deleted."""

from collections.abc import Sequence

MOST = 20  # names in one sentence


def sentence_on(staying: Sequence[tuple[str, OSError]]) -> str:
    """The names of the files, and the error of the first one."""
    names = ", ".join(name for name, _ in staying[:MOST])
    more = f" and {len(staying) - MOST} more" if len(staying) > MOST else ""
    return f"{len(staying)} files are not deleted, {names}{more}: {staying[0][1]}"
