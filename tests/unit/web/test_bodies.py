"""The rules for bodies. Their use by servers is in tests/processes/test_bodies.py."""

from typing import Any

import pytest
from django.urls import resolve
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from queueing.conf import conf
from queueing.web import uploads
from queueing.web.bodies import SMALL, Permit, judge, methods_of
from queueing.web.pace import Pace
from queueing.web.refusals import FOREIGN, NO_COOKIE, NO_ROOM, NOT_FOUND, Refusal, Scribe
from queueing.web.uploads import COPIES, SLACK, Room

MB = 1024**2


def scope(path: str = "/join/probe/", method: str = "POST", **headers: str) -> dict[str, Any]:
    given = {"host": "testserver", "cookie": "csrftoken=x", "content-length": "10"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return {
        "type": "http", "method": method, "path": path, "scheme": "http", "client": ["192.0.2.1", 1],
        "headers": [(name.encode(), value.encode()) for name, value in given.items() if value],
    }  # fmt: skip


@pytest.fixture(autouse=True)
def free_room() -> None:
    for room in (uploads.large, uploads.medium, uploads.small):
        room.held.clear()
        room.total = 0


def status(verdict: Permit | Refusal) -> int:
    return verdict.status if isinstance(verdict, Refusal) else 0


# The limit


@pytest.mark.parametrize("line", ["probe", "documents", "tables"])
def test_a_form_may_be_as_long_as_its_file_and_a_little_more(line: str) -> None:
    from queueing.registry import get_task

    verdict = judge(scope(f"/join/{line}/"))
    assert isinstance(verdict, Permit)
    assert verdict.limit == get_task(line).form().max_bytes() + SLACK
    longer = judge(scope(f"/join/{line}/", content_length=str(verdict.limit + 1)))
    assert status(longer) == 413


def test_everything_else_is_short() -> None:
    assert status(judge(scope("/admin/login/", content_length=str(SMALL)))) == 0
    assert status(judge(scope("/admin/login/", content_length=str(SMALL + 1)))) == 413


@pytest.mark.parametrize("length", ["", "-1", "x", "1,2", "9" * 19, "9" * 5000])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    assert status(judge(scope(content_length=length or "?"))) == 400


# Paths, methods, origins


def test_an_unknown_path_or_line_is_not_found() -> None:
    assert judge(scope("/nothing/")) == NOT_FOUND
    assert judge(scope("/join/nothing/")) == NOT_FOUND


def test_the_methods_of_a_view_are_those_that_its_decorator_lets_through() -> None:
    assert methods_of(resolve("/join/probe/").func) == frozenset({"GET", "HEAD", "POST"})
    assert methods_of(resolve("/healthz").func) == frozenset({"GET", "HEAD"})
    assert methods_of(never_cache(require_POST(lambda request: request))) == frozenset({"POST"})


def test_a_view_without_a_decorator_takes_all() -> None:
    assert methods_of(lambda request: request) is None
    assert methods_of(View.as_view()) is None


def test_every_view_of_the_site_says_its_methods() -> None:
    from queueing.web.urls import urlpatterns

    assert [pattern.name for pattern in urlpatterns if methods_of(pattern.callback) is None] == []


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://testserver.evil.example", "http://["])
def test_a_foreign_origin_is_refused(origin: str) -> None:
    assert judge(scope(origin=origin)) == FOREIGN


def test_the_sites_own_origin_is_taken() -> None:
    assert status(judge(scope(origin="http://testserver"))) == 0


def test_without_the_cookie_of_the_form_nothing_is_taken() -> None:
    assert judge(scope(cookie="sessionid=x")) == NO_COOKIE


def test_the_log_says_why_a_form_was_refused(caplog: pytest.LogCaptureFixture) -> None:
    for refusal in (FOREIGN, NO_COOKIE):
        Scribe().note(refusal, scope(), 3)
    foreign, without = caplog.messages
    assert "CSRF_TRUSTED_ORIGINS" in foreign
    assert "cookie is missing" in without


# Room


def room(size: int) -> Room:
    return Room(lambda: size)


def test_an_address_holds_a_quarter() -> None:
    all_of_it = room(100 * MB)
    first = all_of_it.reserve("a", 20 * MB)
    assert first is not None
    assert all_of_it.reserve("a", 6 * MB) is None
    assert all_of_it.reserve("b", 25 * MB) is not None
    first.release()
    first.release()
    assert all_of_it.reserve("a", 25 * MB) is not None


def test_a_single_body_may_be_larger_than_a_quarter() -> None:
    assert room(100 * MB).reserve("a", 90 * MB) is not None


def test_all_together_hold_no_more_than_there_is() -> None:
    all_of_it = room(100 * MB)
    tickets = [all_of_it.reserve(str(number), 20 * MB) for number in range(6)]
    assert [ticket is not None for ticket in tickets] == [True] * 5 + [False]
    for ticket in tickets[:5]:
        assert ticket is not None
        ticket.release()
    assert not all_of_it.held
    assert all_of_it.total == 0


def test_without_an_address_only_the_whole_counts() -> None:
    all_of_it = room(100 * MB)
    assert [all_of_it.reserve("", 40 * MB) is not None for _ in range(3)] == [True, True, False]


def test_the_copies_of_a_body_count(settings: Any) -> None:
    settings.QUEUEING = {"UPLOADS_BYTES": 100 * MB}
    assert judge(scope(content_length=str(50 * MB))) != NO_ROOM
    assert judge(scope(content_length=str(3 * MB))) == NO_ROOM


def test_large_bodies_leave_room_for_forms_with_little_or_no_file(settings: Any) -> None:
    settings.QUEUEING = {"UPLOADS_BYTES": 100 * MB}
    assert judge(scope(content_length=str(50 * MB))) != NO_ROOM
    assert judge(scope(content_length=str(2 * MB))) != NO_ROOM
    assert judge(scope(content_length="10000")) != NO_ROOM


def test_one_address_leaves_room_for_the_forms_of_others() -> None:
    assert [judge(scope(content_length=str(2 * MB))) != NO_ROOM for _ in range(9)] == [True] * 8 + [False]
    other = scope(content_length=str(2 * MB)) | {"client": ["198.51.100.9", 1]}
    assert judge(other) != NO_ROOM


def test_chunks_count_as_the_longest_body(settings: Any) -> None:
    settings.QUEUEING = {"UPLOADS_BYTES": 100 * MB, "MAX_UPLOAD_BYTES": 48 * MB}
    assert judge(scope(content_length="", transfer_encoding="chunked")) != NO_ROOM
    assert uploads.large.total == COPIES * (48 * MB + SLACK)


# Pace


def test_a_window_needs_its_bytes_whatever_came_before() -> None:
    pace, window = Pace(0.0), conf.STALL_SECONDS
    pace.add(500 * MB)
    assert not pace.is_too_slow(window - 1)
    assert not pace.is_too_slow(window)
    pace.add(round(conf.MIN_RATE * window) - 1)
    assert pace.is_too_slow(2 * window)


def test_a_megabit_a_second_is_fast_enough_for_the_largest_file() -> None:
    rate, size = 125_000, 500 * MB
    pace = Pace(0.0, size)
    seconds = size // rate
    for second in range(seconds):
        pace.add(rate)
        assert not pace.is_too_slow(float(second))


def test_a_large_body_needs_the_rate_with_which_it_ends_in_time() -> None:
    window, size = conf.STALL_SECONDS, 500 * MB
    rate = size / conf.TRANSFER_SECONDS
    assert rate > conf.MIN_RATE
    slow, fast = Pace(0.0, size), Pace(0.0, size)
    slow.add(round(rate * window) - 1)
    fast.add(round(rate * window) + 1)
    assert (slow.is_too_slow(window), fast.is_too_slow(window)) == (True, False)


def test_the_pace_of_a_body_is_that_of_the_room_it_holds() -> None:
    declared, unknown = (
        judge(scope(content_length="10000")),
        judge(scope(content_length="", transfer_encoding="chunked")),
    )
    assert isinstance(declared, Permit)
    assert isinstance(unknown, Permit)
    assert (declared.size, unknown.size) == (10_000, unknown.limit)


def test_a_transfer_ends_some_day() -> None:
    pace = Pace(0.0)
    pace.add(10**12)
    assert pace.is_too_slow(conf.TRANSFER_SECONDS + 1)


def test_a_process_that_stood_still_does_not_blame_the_client() -> None:
    assert not Pace(0.0).is_too_slow(3 * conf.STALL_SECONDS)


# The log


def test_a_flood_writes_a_few_lines_and_their_number(caplog: pytest.LogCaptureFixture) -> None:
    scribe = Scribe()
    for _ in range(1000):
        scribe.note(NOT_FOUND, scope("/" + "x" * 5000), 5)
    assert len(caplog.records) == Scribe.BURST
    assert all(len(record.getMessage()) < 400 for record in caplog.records)
    scribe.since -= 2 * Scribe.PERIOD
    scribe.note(NOT_FOUND, scope("/a\nb"), 5)
    assert f"{1000 - Scribe.BURST} more requests were refused" in caplog.text
    assert "'/a\\nb', 5 bytes, from 192.0.2.1" in caplog.text
