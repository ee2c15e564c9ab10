"""A foreign job, for tests of stock RQ on our lines."""

from tests.support.probe import log_path


def note(label: str) -> None:
    with log_path().open("a") as log:
        log.write(f"{label} 0 0 0\n")


def break_in(*_: object) -> None:
    """A callback that nobody of this project has named."""
    note("broken-in")
