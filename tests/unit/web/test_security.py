"""Permissions on entries, and attacks by a page of another site."""

import re
import uuid
from html.parser import HTMLParser
from pathlib import Path, PurePath
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile

from queueing.models import Entry
from queueing.registry import all_tasks
from tests.support.every_page import rendered
from tests.support.visitors import FORM, Visitor, finished, staff, upload, url

pytestmark = pytest.mark.django_db(transaction=True)

PAGES = ["", "status.json", "result/", "files/answer.txt"]
VERBS = ["goodbye/", "leave/", "keep/", "again/"]


def look(visitor: Visitor, entry: Entry, page: str) -> int:
    """The status of an answer, which may hold a file open until it is closed."""
    answer = visitor.client.get(url(entry, page))
    answer.close()
    return int(answer.status_code)


# Whose entry


def test_visitors_see_every_page_of_their_own_entry() -> None:
    visitor = Visitor()
    entry = finished(visitor)
    assert [look(visitor, entry, page) for page in PAGES] == [200] * 4


def test_to_others_an_entry_looks_like_an_unknown_one() -> None:
    mine, yours = Visitor(), Visitor()
    mine.join()
    entry = finished(yours)
    unknown = Entry(code=uuid.uuid4())
    for page in PAGES:
        foreign, missing = mine.client.get(url(entry, page)), mine.client.get(url(unknown, page))
        assert (foreign.status_code, missing.status_code) == (404, 404)
        assert foreign.content.replace(entry.code.bytes, b"") == missing.content
        assert set(foreign.headers) == set(missing.headers)


@pytest.mark.parametrize("verb", VERBS)
def test_others_can_change_nothing(verb: str) -> None:
    visitor = Visitor()
    entry = visitor.join()
    stranger = Visitor()
    stranger.join()
    for other in (stranger, Visitor(), staff()):
        assert other.client.post(url(entry, verb)).status_code == 404
    entry.refresh_from_db()
    assert entry.is_live
    assert entry.keep_seconds is None


def test_staff_look_with_the_permission_only() -> None:
    entry = finished(Visitor())
    for page in PAGES:
        assert look(staff("view", "content"), entry, page) == 200
        assert look(staff(), entry, page) == 404


@pytest.mark.parametrize("verb", VERBS)
def test_a_visitor_who_may_only_look_changes_nothing(verb: str) -> None:
    visitor = Visitor()
    entry = visitor.join()
    assert staff("view").client.post(url(entry, verb)).status_code == 404
    entry.refresh_from_db()
    assert entry.is_live
    assert entry.keep_seconds is None


def test_a_retired_account_sees_nothing() -> None:
    entry = Visitor().join()
    looker = staff("view")
    User.objects.update(is_active=False)
    assert looker.client.get(url(entry)).status_code == 404


def test_entries_of_nobody_belong_to_nobody() -> None:
    visitor = Visitor()
    entry = visitor.join()
    Entry.objects.update(visitor=None)
    for other in (visitor, Visitor()):
        assert other.client.get(url(entry)).status_code == 404


# Files


@pytest.mark.parametrize(
    "name",
    [
        "nothing.txt",
        "..",
        "../input/input.csv",
        "..%2finput%2finput.csv",
        "%2e%2e/answer.txt",
        "a.csv",
        "answer.txt%00",
    ],
)
def test_only_files_of_the_result_are_given_out(name: str) -> None:
    visitor = Visitor()
    entry = finished(visitor)
    assert visitor.client.get(url(entry, f"files/{name}")).status_code == 404


def test_files_are_attachments_whatever_they_claim_to_be() -> None:
    visitor = Visitor()
    entry = finished(visitor)
    answer = visitor.client.get(url(entry, "files/answer.txt"))
    assert b"".join(answer) == b"42"
    assert answer["Content-Disposition"] == 'attachment; filename="answer.txt"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer["Cache-Control"]
    answer.close()


def test_a_file_that_is_gone_is_not_found() -> None:
    visitor = Visitor()
    entry = finished(visitor)
    entry.files.get(attempt=1).file.delete(save=False)
    assert visitor.client.get(url(entry, "files/answer.txt")).status_code == 404


def test_a_name_of_the_visitor_never_becomes_a_path() -> None:
    entry = Visitor().join(file=upload(name="../../../etc/x.csv"))
    assert re.fullmatch(rf"entries/{entry.code}/input-[0-9a-f]{{8}}\.bin", str(entry.input.name))
    assert "/" not in entry.input_name


@pytest.mark.parametrize("name", ["x.py", "x.so", "x.pyc", "x", ".pdf", "x.html", "x.tar.py", "x.PY", "x.p\0y"])
def test_the_ending_of_a_stored_file_is_not_the_visitors(name: str) -> None:
    entry = Visitor().join(file=upload(name=name))
    assert PurePath(str(entry.input.name)).suffix == ".bin"
    real = Visitor()
    answer = real.client.post("/join/tables/", {"file": upload(name=name), "code": uuid.uuid4()})
    assert answer.status_code == 303
    assert PurePath(str(Entry.objects.latest("id").input.name)).suffix == ".csv"


@pytest.mark.parametrize(
    ("head", "ending"),
    [
        (b"%PDF-1.7", ".pdf"),
        (b"\n" * 1019 + b"%PDF-", ".pdf"),
        (b"\n" * 20_000 + b"%PDF-", ".bin"),
        (b"\x89PNG\r\n\x1a\n", ".png"),
        (b"\xff\xd8\xff\xe0", ".jpg"),
        (b"II*\0", ".tif"),
        (b"MM\0+", ".tif"),
        (b"RIFF\0\0\0\0WEBP", ".webp"),
        (b"import os", ".bin"),
        (b"", ".bin"),
    ],
)
def test_a_document_is_stored_under_the_ending_of_its_content(head: bytes, ending: str) -> None:
    document = ContentFile(head, name="x.py")
    document.seek(0, 2)
    assert all_tasks()["documents"].form.ending_of(document) == ending
    assert document.tell() == 0


def test_a_type_that_the_browser_claims_is_only_noted() -> None:
    odd = SimpleUploadedFile("a.csv", b"a\n1\n", content_type="text/\0html" + "x" * 200)
    assert Visitor().join(file=odd).input_type == "text/html" + "x" * 91


def test_a_name_of_the_visitor_never_becomes_markup() -> None:
    visitor = Visitor()
    entry = visitor.join(file=upload(name="<script>alert(1)<b>.csv"))
    assert "<script>alert" not in visitor.client.get(url(entry)).content.decode()


# Forms from elsewhere


def strict(visitor: Visitor) -> tuple[Visitor, str]:
    """The same browser before a server that checks forms, and its token."""
    checked = Visitor(enforce_csrf_checks=True)
    checked.client.cookies = visitor.client.cookies
    page = checked.client.get(FORM).content.decode()
    token = re.search(r'csrfmiddlewaretoken" value="([^"]+)"', page)
    assert token
    return checked, token[1]


def test_a_form_needs_its_token() -> None:
    visitor = Visitor()
    entry = visitor.join()
    checked, token = strict(visitor)
    for path in [FORM, *(url(entry, verb) for verb in VERBS)]:
        answer = checked.client.post(path)
        assert answer.status_code == 403
        assert "We could not be sure that this came from you" in answer.content.decode()
    entry.refresh_from_db()
    assert entry.is_live
    assert checked.client.post(url(entry, "leave/"), {"csrfmiddlewaretoken": token}).status_code == 303


@pytest.mark.parametrize("origin", ["https://evil.example", "http://testserver.evil.example", "null", "http://["])
def test_a_form_from_another_site_is_refused(origin: str) -> None:
    visitor = Visitor()
    entry = visitor.join()
    checked, token = strict(visitor)
    data = {"csrfmiddlewaretoken": token}
    assert checked.client.post(url(entry, "leave/"), data, headers={"Origin": origin}).status_code == 403
    entry.refresh_from_db()
    assert entry.is_live
    assert checked.client.post(url(entry, "leave/"), data, headers={"Origin": "http://testserver"}).status_code == 303


@pytest.mark.parametrize("referer", ["https://evil.example/", "http://testserver/", ""])
def test_a_secure_form_from_another_site_is_refused(referer: str) -> None:
    visitor = Visitor()
    entry = visitor.join()
    checked, token = strict(visitor)
    data = {"csrfmiddlewaretoken": token}
    headers = {"Referer": referer} if referer else {}
    assert checked.client.post(url(entry, "leave/"), data, secure=True, headers=headers).status_code == 403
    entry.refresh_from_db()
    assert entry.is_live


# What a browser is told


class Inline(HTMLParser):
    """Collects what a strict content security policy forbids."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = dict(attrs)
        # Data for a script of ours is no script.
        if tag == "script" and "src" not in names and names.get("type") != "application/json":
            self.found.append("script without src")
        if tag == "style":
            self.found.append("style element")
        self.found += [f"{tag} {name}" for name in names if name == "style" or name.startswith("on")]
        self.found += [f"{tag} {value}" for value in names.values() if (value or "").strip().startswith("javascript:")]


def test_no_page_has_inline_script_or_style(settings: Any) -> None:
    found = {name: Inline(page.content.decode()).found for name, page in rendered(settings).items()}
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_no_template_has_inline_script_or_style() -> None:
    templates = list(Path(django_settings.BASE_DIR, "templates").rglob("*.html"))
    assert len(templates) > 10
    found = {path.name: Inline(path.read_text()).found for path in templates}
    assert {name: problems for name, problems in found.items() if problems} == {}


def test_every_page_has_strict_headers(settings: Any) -> None:
    for name, page in rendered(settings).items():
        policy = dict(part.strip().split(" ", 1) for part in page["Content-Security-Policy"].split(";"))
        assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'", name
        assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'", name
        assert "unsafe" not in page["Content-Security-Policy"], name
        assert page["X-Content-Type-Options"] == "nosniff", name
        assert page["X-Frame-Options"] == "DENY", name
        assert page["Referrer-Policy"] == "same-origin", name
        assert page["Cross-Origin-Opener-Policy"] == "same-origin", name


def test_cookies_are_out_of_reach_of_scripts_and_of_other_sites() -> None:
    visitor = Visitor()
    visitor.join()
    session = visitor.client.cookies["sessionid"]
    assert session["httponly"]
    assert session["samesite"] == "Lax"


def test_a_code_is_never_a_number() -> None:
    visitor = Visitor()
    entry = visitor.join()
    assert visitor.client.get(f"/entry/{entry.pk}/").status_code == 404
