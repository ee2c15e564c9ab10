"""The preview of a file before a join: what it shows, and that it costs and gives away no more than a join."""

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.uploadedfile import SimpleUploadedFile

from queueing.checking.pool import Checkers
from queueing.models import Entry
from queueing.tasks.tables.form import TableForm
from queueing.web import previews
from queueing.web.bodies import Permit, judge
from queueing.web.guards import guards
from tests.support.files import stored_files
from tests.support.levers import set_levers
from tests.support.visitors import Visitor

pytestmark = pytest.mark.django_db(transaction=True)

FORM, PREVIEW = "/join/tables/", "/join/tables/preview/"
TABLE = b"town;n\nBree;1,5\nDale;2,5\n"
RUSSIAN = "имя;город\nИван;Дубна\nАнна;Тверь\n".encode("cp1251")  # noqa: RUF001
HERE = "192.0.2.7"


@pytest.fixture(autouse=True)
def _new_meter() -> None:
    previews.meter.paid_at.clear()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The address of each preview that a checker was asked for."""
    addresses = list[str]()
    real: Callable[..., Any] = Checkers.preview

    def preview(self: Checkers, form: type, upload: Any, address: str, options: dict[str, Any]) -> Any:
        addresses.append(address)
        return real(self, form, upload, address, options)

    monkeypatch.setattr(Checkers, "preview", preview)
    return addresses


def look(content: bytes | None = TABLE, visitor: Visitor | None = None, **choices: str) -> Any:
    files = {} if content is None else {"file": SimpleUploadedFile("a.csv", content)}
    return (visitor or Visitor()).client.post(PREVIEW, files | choices)


def test_the_first_rows_are_shown_and_nothing_is_stored(asked: list[str]) -> None:
    files, visitor = stored_files(), Visitor()
    answer = look(visitor=visitor)
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "Read as UTF-8, semicolon" in page
    for cell in ('<th scope="col">town</th>', '<th scope="col">n</th>', "<td>Bree</td>", "<td>2,5</td>"):
        assert cell in page
    assert not Entry.objects.exists()
    assert stored_files() == files
    assert "sessionid" not in visitor.client.cookies
    assert len(asked) == 1


def test_the_choices_count() -> None:
    assert "<td>Дубна</td>" in look(RUSSIAN, encoding="cp1251").content.decode()
    assert "<td>Дубна</td>" not in look(RUSSIAN, encoding="koi8-r").content.decode()
    page = look(TABLE, header="no", delimiter="comma", decimal="comma").content.decode()
    assert "Read as UTF-8, comma, decimal comma." in page
    assert "<td>Bree;1</td>" in page


def test_hostile_cells_stay_text_and_are_cut() -> None:
    evil = '<script>alert("1")</script>' + "x" * 100_000
    answer = look(("a;" * 900 + "\n" + f"{evil};" * 9 + "\n").encode())
    page = answer.content.decode()
    assert answer.status_code == 200
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert len(page) < 60_000


def test_the_largest_preview_fits_into_the_message_of_a_checker() -> None:
    row = ",".join(["\N{GRINNING FACE}" * 100] * 100)
    answer = look(("\n".join([row] * 50)).encode(), header="no")
    assert answer.status_code == 200
    assert "84 more columns" in answer.content.decode()


@pytest.mark.parametrize(
    ("content", "choices", "sentence"),
    [
        (None, {}, "Please choose a file first."),
        (b"%PDF-1.7", {}, "This is a PDF, not a table."),
        (b'{"a": 1}', {}, "This is JSON, not a table; save it as CSV."),
        (b"a,b\n" + bytes(999), {}, "This is not a text file; save the table as CSV."),
        (TABLE, {"encoding": "rot13"}, "Select a valid choice."),
    ],
)
def test_a_file_that_cannot_be_read_is_a_sentence(content: bytes | None, choices: Any, sentence: str) -> None:
    answer = look(content, **choices)
    assert answer.status_code == 422
    assert sentence in answer.content.decode()


def test_a_file_too_large_to_join_gets_no_preview(asked: list[str], settings: Any) -> None:
    settings.QUEUEING = {"TABLE_MAX_UPLOAD_BYTES": 10}
    answer = look()
    assert (answer.status_code, "This file is too large" in answer.content.decode()) == (422, True)
    assert asked == []


def test_the_answer_may_stand_in_a_frame_of_this_site_and_nothing_else_may() -> None:
    framed, form, other = look(), Visitor().client.get(FORM), Visitor().client.get("/join/documents/")
    assert framed["X-Frame-Options"] == "SAMEORIGIN"
    policy = guards()["Content-Security-Policy"]
    assert framed["Content-Security-Policy"] == policy.replace("frame-ancestors 'none'", "frame-ancestors 'self'")
    assert form["X-Frame-Options"] == "DENY"
    assert form["Content-Security-Policy"] == f"{policy}; frame-src 'self'"
    assert other["Content-Security-Policy"] == policy
    assert "no-store" in framed["Cache-Control"]
    assert "<script" not in framed.content.decode()


def test_a_preview_needs_the_token_of_the_form(asked: list[str]) -> None:
    assert look(visitor=Visitor(enforce_csrf_checks=True)).status_code == 403
    assert asked == []


def test_its_body_has_the_limits_of_a_join() -> None:
    headers = [(b"host", b"testserver"), (b"cookie", b"csrftoken=x"), (b"content-length", b"10")]
    scope = {"type": "http", "method": "POST", "scheme": "http", "client": [HERE, 1], "headers": headers}
    verdicts = [judge(scope | {"path": path}) for path in (FORM, PREVIEW)]
    limits = []
    for verdict in verdicts:
        assert isinstance(verdict, Permit)
        limits.append(verdict.limit)
        verdict.ticket.release()
    assert limits[0] == limits[1]
    assert judge(scope | {"path": PREVIEW, "headers": [headers[0], headers[2]]}) == judge(
        scope | {"path": FORM, "headers": [headers[0], headers[2]]}
    )


def test_an_address_has_so_many_previews_and_they_use_up_none_of_its_joins(asked: list[str], settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 3, "ADDRESS_RATE": 0.1}
    crowd = [look(visitor=Visitor(REMOTE_ADDR=HERE)) for _ in range(5)]
    assert [answer.status_code for answer in crowd] == [200, 200, 200, 429, 429]
    assert 500 <= int(crowd[3]["Retry-After"]) <= 600
    assert "Joining works without one." in crowd[3].content.decode()
    assert len(asked) == 3
    assert look(visitor=Visitor(REMOTE_ADDR="192.0.2.8")).status_code == 200
    assert Visitor(REMOTE_ADDR=HERE).send().status_code == 303


def test_who_could_not_join_gets_no_preview(asked: list[str], settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 1, "ADDRESS_RATE": 0.1}
    assert Visitor(REMOTE_ADDR=HERE).send().status_code == 303
    assert look(visitor=Visitor(REMOTE_ADDR=HERE)).status_code == 429
    settings.QUEUEING = {}
    set_levers("tables", state="closed")
    assert look().status_code == 503
    set_levers("tables", state="open")
    settings.QUEUEING = {"BRAKE": "on"}
    assert look().status_code == 503
    assert "data-preview" not in Visitor().client.get(FORM).content.decode()  # with the brake on
    assert asked == []


def test_a_form_without_a_preview_has_none() -> None:
    for name in set(django_settings.QUEUEING_TASKS) - {"tables"}:
        assert Visitor().client.post(f"/join/{name}/preview/").status_code == 404
        assert "data-preview" not in Visitor().client.get(f"/join/{name}/").content.decode()
    assert Visitor().client.post("/join/nothing/preview/").status_code == 404


def test_a_form_names_its_preview_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TableForm, "preview_label", "Show the colours")
    page = Visitor().client.get(FORM).content.decode()
    assert ">Show the colours</button>" in page
    assert "rows" not in page.partition("“Show the colours” sends")[2].partition("</noscript>")[0]


def test_the_form_says_how_much_of_a_file_its_script_sends() -> None:
    page = Visitor().client.get(FORM).content.decode()
    assert f'data-preview="{PREVIEW}" data-bytes="{1024**2 + 64 * 1024}"' in page
    assert page.count("<noscript>") == 2
    assert page.index("Join the line") < page.index("Show the first rows")  # the first button is what Enter presses
