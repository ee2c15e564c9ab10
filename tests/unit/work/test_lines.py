"""The lines of RQ's log about the jobs of entries."""

import logging

import pytest

from queueing.work.lines import SAID_BETTER, for_debugging

LOG = logging.getLogger("rq.worker")


def said(text: str, level: int, caplog: pytest.LogCaptureFixture) -> list[str]:
    """The levels of what is said while the job of an entry is executed."""
    with caplog.at_level(level, LOG.name):
        with for_debugging(LOG):
            LOG.info(text, *["x"] * text.count("%s"))
            LOG.warning("Worker %s: another line", "x")
        LOG.info(text, *["x"] * text.count("%s"))
    return [record.levelname for record in caplog.records if record.name == LOG.name]


@pytest.mark.parametrize("text", SAID_BETTER)
def test_what_the_line_of_a_move_says_better_is_for_those_who_debug(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert said(text, logging.INFO, caplog) == ["WARNING", "INFO"]


def test_those_who_debug_read_it_as_debugging(caplog: pytest.LogCaptureFixture) -> None:
    assert said(SAID_BETTER[1], logging.DEBUG, caplog) == ["DEBUG", "WARNING", "INFO"]
