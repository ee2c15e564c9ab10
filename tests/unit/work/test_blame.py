"""The blame for a run without a result."""

import signal

import pytest

from queueing.states import BLAME, Blame, Reason
from queueing.work import blame
from queueing.work.guard import Limit


@pytest.mark.parametrize("core_dump", [0, 0x80])
@pytest.mark.parametrize("number", sorted(blame.BY_SIGNAL))
def test_a_signal_of_the_task_is_the_fault_of_its_input(number: signal.Signals, core_dump: int) -> None:
    verdict = blame.of_death(number | core_dump, timed_out=False)
    assert verdict
    assert (verdict.reason, verdict.error_class) == (Reason.CRASHED, number.name)


@pytest.mark.parametrize("status", [signal.SIGKILL, signal.SIGTERM, 40, 3 << 8, 0, None])
def test_any_other_death_is_the_fault_of_the_machine(status: int | None) -> None:
    """A signal of the system, one without a name, an exit of the process itself, and a status that nobody knows."""
    assert blame.of_death(status, timed_out=False) is None


def test_the_kill_at_the_timeout_is_the_fault_of_the_input() -> None:
    verdict = blame.of_death(signal.SIGKILL, timed_out=True)
    assert verdict
    assert verdict.reason == Reason.TIMEOUT


@pytest.mark.parametrize("limit", Limit)
def test_a_limit_is_the_fault_of_the_input_and_has_its_sentence(limit: Limit) -> None:
    verdict = blame.of_death(signal.SIGKILL, timed_out=False, broken=limit)
    assert verdict
    assert verdict.reason == Reason.CRASHED
    assert verdict.sentence != blame.CRASHED_SENTENCE
    assert f"limit of {limit}" in verdict.traceback


@pytest.mark.parametrize(
    ("number", "sentence"),
    [(signal.SIGABRT, blame.MEMORY_SENTENCE), (signal.SIGXCPU, blame.CPU_SENTENCE)],
)
def test_a_crash_of_a_horse_that_is_short_of_memory_is_its_limit(number: signal.Signals, sentence: str) -> None:
    verdict = blame.of_death(number, timed_out=False, short_of_memory=True)
    assert verdict
    assert (verdict.reason, verdict.sentence, verdict.error_class) == (Reason.CRASHED, sentence, number.name)
    assert blame.of_death(signal.SIGKILL, timed_out=False, short_of_memory=True) is None  # the system's doing


def test_each_verdict_has_a_reason_with_its_blame() -> None:
    verdicts = [*blame.BY_EXCEPTION.values(), *blame.BY_LIMIT.values(), *blame.BY_SIGNAL.values()]
    assert {verdict.reason for verdict in verdicts} == {
        reason for reason, cause in BLAME.items() if cause != Blame.MACHINE
    }
