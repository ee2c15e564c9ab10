"""Values that travel to a task."""

import json
import uuid
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy

from queueing.values import Decoder, Encoder, normalized, normalized_arguments, returned

KEPT = [
    date(2026, 2, 28),
    datetime(2026, 2, 28, 23, 59, 59, 123456, tzinfo=UTC),
    datetime(2026, 2, 28, 1),  # noqa: DTZ001  # a form may clean one without a zone
    time(23, 59, 59, 999999),
    timedelta(days=-3, microseconds=1),
    timedelta(days=400, hours=5),
    Decimal("1.50"),
    Decimal("-0"),
    Decimal("NaN"),
    uuid.UUID(int=7),
    [True, None, 1, 1.5, "text", [Decimal(2)]],
    {"$date": "2026-01-01"},
    {"$uuid": {"$": 1, "$$x": [date(2026, 1, 1)]}},
    {"a": {"b": [{"c": uuid.UUID(int=1)}]}},
]


def travelled(value: Any) -> Any:
    return json.loads(json.dumps(normalized(value), cls=Encoder), cls=Decoder)


@pytest.mark.parametrize("value", KEPT, ids=repr)
def test_a_value_comes_back_as_what_it_was(value: Any) -> None:
    found = travelled(value)
    assert repr(found) == repr(value)
    assert type(found) is type(value)


def test_sequences_lazy_texts_and_bytes_become_what_json_has() -> None:
    value = MappingProxyType({"a": (1, "x"), "b": gettext_lazy("Yes"), "c": b"bytes"})
    assert travelled(value) == {"a": [1, "x"], "b": "Yes", "c": "bytes"}


@pytest.mark.parametrize(
    "value",
    [object, {1, 2}, float("nan"), [float("inf")], {1: "x"}, "a NUL \0", {"\0": 1}, "half \ud800", b"\xff", 1j],
    ids=repr,
)
def test_a_value_that_cannot_travel_is_refused_with_the_name_of_its_argument(value: Any) -> None:
    with pytest.raises(TypeError, match=r"The value of the field 'when' is refused: .* times, durations, decimals"):
        normalized_arguments({"fine": 1, "when": value}, "value of the field {!r}")


def test_a_row_of_a_model_is_refused_by_its_type() -> None:
    with pytest.raises(TypeError, match=r"'who' is refused: a value of type django\.contrib\.auth\.models\.User"):
        normalized_arguments({"who": get_user_model()(username="x")}, "value of {!r}")


ROWS = [{"born": 1}, {"born": 2}, {"born": 3}, {"born": date(2026, 1, 2)}]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"rows": ROWS}, "rows[3].born is a date."),
        ({"first name": {"x": uuid.UUID(int=1)}}, "['first name'].x is a UUID."),
        ([[1], [2, {3}]], "[1][1] is a set."),
        ({1: {"x": (1, Decimal(1))}}, "[1].x[1] is a Decimal."),
        (object(), "it is an object."),
        ({"rows": [1.0, float("nan")]}, "rows[1] is nan."),
        ({"rows": [float("-inf")]}, "rows[0] is -inf."),
        ({"a": {date(2026, 1, 2): 1}}, "a has the name datetime.date(2026, 1, 2), a date."),
        ({"a": {(1, 2): 1}}, "a has the name (1, 2), a tuple."),
        ({"a": [b"\xff"]}, "a[0] is a text that UTF-8 does not have."),
        ({"a": ["half \ud800"]}, "a[0] is a text that UTF-8 does not have."),
        ({"a": "\0"}, "a is a text with a NUL character."),
        ({"a": {"\0": 1}}, "a has a name that is a text with a NUL character."),
    ],
)
def test_what_is_no_json_in_a_result_is_named_by_its_path(value: Any, sentence: str) -> None:
    with pytest.raises((TypeError, ValueError)) as caught:
        returned(value)
    assert f"The value that the task returned is not JSON: {sentence} Return str(…)" in str(caught.value)


def test_a_result_that_contains_itself_is_told() -> None:
    value: dict[str, Any] = {}
    value["a"] = [value]
    with pytest.raises(ValueError, match="contains itself"):
        returned(value)


def test_what_json_has_comes_back() -> None:
    value = {"a": [1, 1.5, None, True, "\U0001f600", "\\u0000"], "b": (1, b"x"), 3: {"x": 1}}
    assert returned(value) == {"a": [1, 1.5, None, True, "\U0001f600", "\\u0000"], "b": [1, "x"], 3: {"x": 1}}


def test_an_argument_that_cannot_travel_is_named_by_its_path() -> None:
    with pytest.raises(TypeError, match=r"'rows' is refused: \[3\]\.born: a value of type builtins.set cannot travel"):
        normalized_arguments({"rows": [*ROWS[:3], {"born": {1}}]}, "value of the field {!r}")
