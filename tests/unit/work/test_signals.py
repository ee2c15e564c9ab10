"""The signals around a run, and OpenTelemetry's spans by the example of the documents."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from queueing.models import Entry
from queueing.signals import run_ended, run_started
from queueing.states import Status
from queueing.work import runner
from tests.support.telemetry import OTEL

pytestmark = pytest.mark.django_db(transaction=True)

Join = Callable[..., Entry]
Heard = list[tuple[Any, ...]]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """All that both signals have told: the sender, the status then, and the error."""
    found: Heard = []

    def started(sender: str, entry: Entry, **_: Any) -> None:
        found.append((sender, entry.pk, entry.status))

    def ended(sender: str, entry: Entry, error: BaseException | None, **_: Any) -> None:
        found.append((sender, entry.pk, Entry.objects.get(pk=entry.pk).status, error and str(error)))

    run_started.connect(started)
    run_ended.connect(ended)
    yield found
    run_started.disconnect(started)
    run_ended.disconnect(ended)


@pytest.mark.parametrize(
    ("end", "status", "error"),
    [("", Status.SUCCEEDED, None), ("error", Status.FAILED, "secret detail"), ("unusable", Status.FAILED, None)],
)
def test_the_signals_tell_of_a_run_and_of_its_error_if_the_program_is_to_blame(
    join: Join, heard: Heard, end: str, status: Status, error: str | None
) -> None:
    """The end is stored by then."""
    entry = join(end=end)
    runner.run_entry(entry.job_id)
    assert heard == [("probe", entry.pk, Status.RUNNING), ("probe", entry.pk, status, error)]


def test_an_entry_that_is_not_started_is_no_run(join: Join, heard: Heard) -> None:
    runner.run_entry(join(looked=False).job_id)
    assert heard == []


def test_a_receiver_that_fails_changes_nothing(join: Join, caplog: pytest.LogCaptureFixture) -> None:
    def fail(**_: Any) -> None:
        raise RuntimeError("no telemetry today")

    run_started.connect(fail)
    run_ended.connect(fail)
    try:
        entry = join()
        runner.run_entry(entry.job_id)
    finally:
        run_started.disconnect(fail)
        run_ended.disconnect(fail)
    entry.refresh_from_db()
    assert entry.status == Status.SUCCEEDED
    assert caplog.text.count("no telemetry today") >= 2


GIVEN = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture
def exported() -> Iterator[Any]:
    """OpenTelemetry's own exporter into memory, with the receivers of the document."""
    trace = pytest.importorskip("opentelemetry.trace")
    sdk = pytest.importorskip("opentelemetry.sdk.trace")
    export = pytest.importorskip("opentelemetry.sdk.trace.export")
    memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")
    exporter = memory.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    names: dict[str, Any] = {}
    exec(OTEL, names)  # noqa: S102  # the document's own example
    yield exporter
    for signal, receiver in ((run_started, names["begin"]), (run_ended, names["end"])):
        assert signal.disconnect(receiver, dispatch_uid="opentelemetry")


def test_a_run_is_a_span_in_the_trace_of_its_join_and_has_the_error(join: Join, exported: Any) -> None:
    failing, fine = join(end="error"), join()
    Entry.objects.filter(pk=failing.pk).update(traceparent=GIVEN)
    for entry in (failing, fine):
        runner.run_entry(entry.job_id)
    first, second = exported.get_finished_spans()
    assert f"{first.context.trace_id:032x}" == "0af7651916cd43dd8448eb211c80319c"
    assert f"{first.parent.span_id:016x}" == "b7ad6b7169203331"
    assert f"{second.context.trace_id:032x}" == fine.code.hex
    assert (first.name, first.attributes["queue.reason"]) == ("run probe", "error")
    assert [span.attributes["queue.status"] for span in (first, second)] == ["failed", "succeeded"]
    assert first.events[0].attributes["exception.message"] == "secret detail"
    assert not first.status.is_ok
    assert not second.events
