"""Joining again with the same input and other options: "Change" on the page of a result."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from queueing import inputs, registry
from queueing.models import Entry
from queueing.states import Reason
from queueing.web import snapshot
from tests.support.visitors import Visitor, staff, url

pytestmark = pytest.mark.django_db(transaction=True)

AUTO = dict.fromkeys(("header", "encoding", "delimiter", "quote", "decimal", "dates"), "auto") | {"parquet": False}
DOUBT = {"choice": "encoding", "read_as": "cp1251", "sentence": "Encoding: read as Windows-1251; KOI8-R fits, too."}
RESULT = {"rows": "1 row", "columns": "1 column", "read": "Read as Windows-1251, comma.", "doubts": [DOUBT]}


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


@pytest.fixture
def entry(visitor: Visitor) -> Entry:
    """An entry of the tables' line with its result."""
    made = visitor.join_with_sample("tables")
    assert made.start("w")
    assert made.succeed(RESULT)
    return made


def change(visitor: Visitor, entry: Entry, **options: str) -> Any:
    return visitor.client.post(url(entry, "again/"), {"change": "1"} | options)


def page_of(visitor: Visitor, entry: Entry) -> str:
    return visitor.client.get(url(entry)).content.decode()


def test_the_page_offers_to_read_the_file_in_another_way(visitor: Visitor, entry: Entry) -> None:
    page = page_of(visitor, entry)
    assert DOUBT["sentence"] in page
    assert '<option value="cp1251" selected>Windows-1251' in page
    assert '<option value="auto" selected>Find out</option>' in page
    assert "This is a new place at the end of the line" in page
    # The fields belong to a form outside of the part that also comes over the socket, where there is no token.
    part = page[page.index('id="status"') : page.index('<div class="stub">')]
    assert len(re.findall(r'<(?:select|input|button)[^>]* form="again"', part)) == 8
    assert "csrfmiddlewaretoken" not in part
    form = re.search(r'<form id="again".*?</form>', page, re.DOTALL)
    assert form
    assert "csrfmiddlewaretoken" in form[0]


def test_changing_is_a_new_place_with_the_same_input_and_these_options(visitor: Visitor, entry: Entry) -> None:
    answer = change(visitor, entry, encoding="koi8-r", header="no", parquet="on", code="x", label="no option")
    assert answer.status_code == 303
    new = Entry.objects.exclude(pk=entry.pk).get()
    assert answer["Location"] == url(new)
    assert new.kwargs == AUTO | {"encoding": "koi8-r", "header": "no", "parquet": True}
    assert (new.input.name, new.input_name, new.place) == (entry.input.name, entry.input_name, None)
    entry.refresh_from_db()
    assert (entry.followed_by, entry.status, entry.kwargs) == (new, "succeeded", AUTO)
    assert "Read as Windows-1251" in page_of(visitor, entry)


def test_a_change_sent_twice_is_one_place_and_another_change_is_another(
    visitor: Visitor, entry: Entry, settings: Any
) -> None:
    settings.QUEUEING = {"MAX_WAITING_PER_VISITOR": 5}
    first, twin, other = (change(visitor, entry, encoding=codec)["Location"] for codec in ("cp1251", "cp1251", "cp850"))
    assert first == twin != other
    assert visitor.client.post(url(entry, "again/"))["Location"] not in {first, other}
    assert Entry.objects.count() == 4


@pytest.mark.parametrize("options", [{"encoding": "rot13"}, {"header": "perhaps"}, {"delimiter": ";"}])
def test_an_option_comes_through_the_field_of_the_form_only(
    visitor: Visitor, entry: Entry, options: dict[str, str]
) -> None:
    assert change(visitor, entry, **options).status_code == 400
    assert Entry.objects.count() == 1


def test_joining_again_without_a_change_keeps_the_options(visitor: Visitor) -> None:
    made = visitor.join_with_sample("tables")
    Entry.objects.filter(pk=made.pk).update(kwargs=AUTO | {"dates": "month"})
    made.refresh_from_db()
    made.cancel()
    answer = visitor.client.post(url(made, "again/"), {"dates": "day", "encoding": "rot13"})
    assert answer.status_code == 303
    assert Entry.objects.exclude(pk=made.pk).get().kwargs == AUTO | {"dates": "month"}


def test_what_the_visitor_had_chosen_is_chosen_still(visitor: Visitor, entry: Entry) -> None:
    Entry.objects.filter(pk=entry.pk).update(kwargs=AUTO | {"dates": "month", "parquet": True})
    page = page_of(visitor, entry)
    assert '<option value="month" selected>' in page
    assert re.search(r'<input type="checkbox" name="parquet"[^>]* checked', page)


def test_without_the_input_or_for_staff_there_is_nothing_to_change(visitor: Visitor, entry: Entry) -> None:
    looker = staff("view", "change")
    assert 'name="change"' not in page_of(looker, entry)
    assert change(looker, entry).status_code == 404
    inputs.release([entry.pk])
    assert 'name="change"' not in page_of(visitor, entry)
    assert change(visitor, entry, encoding="cp1251").status_code == 410


def test_an_entry_that_did_not_succeed_offers_no_change(visitor: Visitor) -> None:
    made = visitor.join_with_sample("tables")
    assert 'name="change"' not in page_of(visitor, made)
    made.start("w")
    made.fail(Reason.ERROR, "No.")
    assert 'name="change"' not in page_of(visitor, made)


def test_a_task_without_options_has_nothing_to_change(visitor: Visitor) -> None:
    made = visitor.join_with_sample("documents")
    made.start("w")
    made.succeed({})
    assert "change" not in snapshot.page_context(made, is_owner=True, may_open=True)


def test_a_template_that_includes_it_needs_no_word_more(
    visitor: Visitor, entry: Entry, settings: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.html").write_text('<p>Mine.</p>{% include "queueing/change.html" %}')
    (first, *others) = settings.TEMPLATES
    settings.TEMPLATES = [first | {"DIRS": [tmp_path, *first["DIRS"]]}, *others]
    task = replace(registry.all_tasks()["tables"], result_template="mine.html")
    monkeypatch.setitem(registry.all_tasks(), "tables", task)
    assert "<summary>Change and join again</summary>" in page_of(visitor, entry)
    inputs.release([entry.pk])
    page = page_of(visitor, entry)
    assert "<p>Mine.</p>" in page
    assert '<details class="change">' not in page
