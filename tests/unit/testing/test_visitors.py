"""Visitors and a line in the process of the test: the kit that a site's own tests use."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from django import forms

from queueing import registry
from queueing.conf import conf
from queueing.exceptions import UnfitForTests
from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.testing.clock import Clock
from queueing.testing.lines import InProcessLine, keeper_round
from queueing.testing.visitors import Visitor
from tests.support import probe
from tests.support.entries import status_of
from tests.support.shapes import SHAPES
from tests.support.visitors import upload

pytestmark = pytest.mark.postgres
NewVisitor = Callable[..., Visitor]


@pytest.fixture
def line(queue_line: Callable[[str], InProcessLine]) -> InProcessLine:
    return queue_line("probe")


def join(visitor: Visitor, label: str = "x", **fields: Any) -> Entry:
    return visitor.join("probe", file=upload(), label=label, **fields)


class LineForm(probe.ProbeForm):
    line = forms.CharField()

    def options(self) -> dict[str, Any]:
        return {"label": self.cleaned_data["line"]}


def test_a_field_may_be_called_as_an_argument_of_the_kit(
    new_visitor: NewVisitor, line: InProcessLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, form=LineForm))
    new_visitor().join("probe", file=upload(), line="the first one")
    assert [ended.kwargs for ended in line.run()] == [{"label": "the first one"}]


def test_a_task_runs_from_its_form_to_its_result(new_visitor: NewVisitor, line: InProcessLine) -> None:
    anna = new_visitor()
    entry = join(anna, "anna")
    assert anna.poll(entry)["position"] == 1
    (ended,) = line.run()
    assert ended == entry
    assert (ended.status, ended.result) == (Status.SUCCEEDED, {"label": "anna", "attempt": 1})
    assert anna.download(ended, "answer.txt") == b"anna\n"
    assert anna.poll(entry)["status"] == "succeeded"
    assert line.run() == []


def test_entries_run_in_the_order_of_joining(new_visitor: NewVisitor, line: InProcessLine) -> None:
    entries = [join(new_visitor(), name) for name in ("first", "second", "third")]
    assert line.waiting() == entries
    assert line.run(most=2) == entries[:2]
    assert probe.calls() == ["first", "second"]
    assert line.waiting() == entries[2:]


def test_nothing_runs_for_a_visitor_who_closed_the_page_until_the_return(
    new_visitor: NewVisitor, line: InProcessLine
) -> None:
    anna = new_visitor()
    entry = join(anna)
    anna.close(entry)
    assert (line.run(), line.held(), line.waiting()) == ([], [entry], [])
    anna.open(entry)
    assert line.run() == [entry]


def test_a_page_that_was_never_opened_has_no_place(new_visitor: NewVisitor, line: InProcessLine) -> None:
    entry = join(new_visitor(), looks=False)
    assert (line.run(), line.waiting(), line.held()) == ([], [], [])
    assert status_of(entry) == Status.WAITING


def test_a_visitor_who_leaves_gives_up_the_place(new_visitor: NewVisitor, line: InProcessLine) -> None:
    anna = new_visitor()
    entry = join(anna)
    anna.leave(entry)
    assert line.run() == []
    assert status_of(entry) == Status.CANCELLED


def test_a_lost_connection_keeps_the_place_for_its_grace(
    new_visitor: NewVisitor, line: InProcessLine, queue_clock: Clock
) -> None:
    anna, berta = new_visitor(), new_visitor()
    mine, hers = join(anna), join(berta)
    anna.lose_connection(mine)
    assert line.run() == [hers]
    queue_clock.advance(conf.LOST_GRACE - 5)
    keeper_round()
    anna.beat(mine)
    assert line.waiting() == [mine]
    anna.lose_connection(mine)
    queue_clock.advance(conf.LOST_GRACE + 1)
    keeper_round()
    mine.refresh_from_db()
    assert (mine.status, mine.reason) == (Status.ABANDONED, Reason.LOST)


def test_a_failed_entry_joins_again(new_visitor: NewVisitor, line: InProcessLine) -> None:
    anna = new_visitor()
    (failed,) = [join(anna, end="error")] and line.run()
    assert (failed.status, failed.error_class) == (Status.FAILED, "builtins.RuntimeError")
    assert "secret detail" in failed.traceback
    again = anna.again(failed)
    assert again != failed
    assert line.waiting() == [again]


def test_a_form_that_is_not_taken_says_why(new_visitor: NewVisitor) -> None:
    with pytest.raises(AssertionError, match=r"422: .*Enter a number"):
        join(new_visitor(), seconds="soon")


def test_a_field_that_the_form_does_not_have_is_told_with_those_that_it_has(new_visitor: NewVisitor) -> None:
    with pytest.raises(TypeError, match=r"ProbeForm, has no field 'lable'\. It has 'file', 'label'"):
        new_visitor().join("probe", file=upload(), lable="x")
    assert not Entry.objects.exists()


@pytest.mark.parametrize("file", ["a text", b"bytes", [b"bytes"]])
def test_a_file_that_would_be_sent_as_a_text_is_told(file: object, new_visitor: NewVisitor) -> None:
    with pytest.raises(TypeError, match=r"is no upload\. Write file=ContentFile\("):
        new_visitor().join("probe", file=file)


def test_a_file_that_the_form_does_not_take_is_told(new_visitor: NewVisitor, monkeypatch: pytest.MonkeyPatch) -> None:
    prompt = replace(probe.heavy_task, **SHAPES["prompt"])
    monkeypatch.setitem(registry.all_tasks(), "probe", prompt)
    with pytest.raises(TypeError, match=r"PromptForm, has no field 'file'\. It has 'prompt'"):
        new_visitor().join("probe", file=upload(), prompt="a rose")


def test_a_line_that_takes_nobody_says_so(new_visitor: NewVisitor, settings: Any) -> None:
    settings.QUEUEING = {"MAX_WAITING_PER_VISITOR": 1}
    anna = new_visitor()
    join(anna)
    with pytest.raises(AssertionError, match="429: "):
        join(anna)


@pytest.mark.parametrize(
    "use", [lambda visitor: visitor.join("wrods"), lambda _: InProcessLine("wrods")], ids=["visitor", "line"]
)
def test_an_unknown_line_is_told_with_those_that_there_are(
    new_visitor: NewVisitor, use: Callable[[Visitor], object]
) -> None:
    with pytest.raises(UnfitForTests, match=r"no line 'wrods' .*; there is 'documents'.*: QUEUEING_TASKS\."):
        use(new_visitor())


def test_settings_that_lost_the_lines_of_the_site_are_told_the_line(new_visitor: NewVisitor, settings: Any) -> None:
    settings.QUEUEING_TASKS = {}
    with pytest.raises(UnfitForTests, match=r"settings have none\. .* QUEUEING = QUEUEING \| .* QUEUEING\[.LINES.\]\."):
        new_visitor().join("probe")


def test_a_task_that_code_has_enqueued_runs(
    line: InProcessLine, django_capture_on_commit_callbacks: Any, empty_queue: None
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        result = probe.types_of.enqueue(1)
    assert len(line.run()) == 1
    result.refresh()
    assert result.return_value == {"0": "int 1"}


@pytest.mark.django_db(transaction=True)
def test_a_test_with_transactions_of_its_own_may_use_it(new_visitor: NewVisitor, line: InProcessLine) -> None:
    entry = join(new_visitor())
    assert line.run() == [entry]
