"""Doors beside the pages: questions of the admin, names in a URL, and forms that no browser sends."""

import uuid
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session

from queueing.models import Entry
from tests.support.admin import do
from tests.support.visitors import FORM, Visitor, staff, superuser, upload

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize(
    "query",
    [
        "user__password__startswith=pbkdf2",
        "visitor=00000000-0000-0000-0000-000000000000",
        "address__startswith=1",
        "traceback__contains=secret",
        "result__x=1",
        "code__regex=(a%2B)%2B",
        "queue__regex=(a%2B)%2B",
        "_to_field=visitor",
    ],
)
def test_the_admin_answers_no_question_about_a_hidden_column(query: str) -> None:
    """A list that such a question shortened would tell the column letter by letter.

    A regular expression would also be run by SQLite inside of the web process, and stop all of its pages.
    """
    entry = Visitor().join()
    answer = staff("view").client.get(f"/admin/queueing/entry/?{query}")
    assert answer.status_code in {302, 400}
    assert str(entry.code) not in answer.content.decode()


@pytest.mark.parametrize(
    "target", ["//evil.example/", "https://evil.example/", r"\\evil.example", "javascript:alert(1)"]
)
def test_a_sign_in_never_leads_to_another_site(target: str) -> None:
    User.objects.create_user("anna", password="a long password", is_staff=True)
    answer = Visitor().client.post(
        f"/admin/login/?next={target}", {"username": "anna", "password": "a long password", "next": target}
    )
    assert answer.status_code == 302
    assert urlsplit(answer["Location"])[:2] == ("", "")
    assert "evil" not in answer["Location"]


@pytest.mark.parametrize(
    "path",
    [
        *("/static/", "/static/queueing/", "/static/../config/settings.py", "/static/%2e%2e/config/settings.py"),
        *("/media/", "/var/secret_key", "/.git/config", "/.env", "/django-rq/", "/__debug__/"),
        *("/files/", "/entry/", "/ws/entry/", "/healthz/", "/accounts/login/"),
    ],
)
def test_nothing_lies_beside_the_pages(path: str) -> None:
    for visitor in (Visitor(), superuser()):
        assert visitor.client.get(path).status_code == 404


def test_a_form_of_thousands_of_fields_is_refused_and_stores_nothing() -> None:
    visitor = Visitor()
    fields = {f"field{number}": "x" for number in range(1001)}
    assert visitor.client.post(FORM, {"file": upload()} | fields).status_code == 400
    files = {f"file{number}": upload() for number in range(101)}
    assert visitor.client.post(FORM, files).status_code == 400
    assert not Entry.objects.exists()


def test_fields_that_the_form_does_not_have_set_no_column() -> None:
    mine: dict[str, Any] = {
        "priority": "100",
        "place": "1",
        "status": "succeeded",
        "visitor": str(uuid.uuid4()),
        "needs_presence": "",
    }
    visitor = Visitor()
    visitor.send(**mine)
    entry = Entry.objects.get()
    visitor.open(entry)
    assert (entry.priority, entry.place, entry.status, entry.needs_presence) == (0, None, "waiting", True)
    assert str(entry.visitor) != mine["visitor"]
    assert entry.kwargs.keys() <= {"label", "seconds"}


def test_a_field_that_comes_twice_counts_once() -> None:
    entry = Visitor().join(label=["first", "second"])
    assert entry.kwargs["label"] == "second"


def test_a_session_begins_with_a_join_and_never_with_a_look() -> None:
    visitor = Visitor()
    for path in ("/", FORM, "/entry/00000000-0000-0000-0000-000000000000/", "/admin/login/", "/metrics"):
        visitor.client.get(path)
    assert visitor.client.post(FORM, {}).status_code == 422
    assert not Session.objects.exists()
    visitor.join()
    assert Session.objects.count() == 1


def test_no_cookie_but_the_two_of_session_and_form_is_ever_set() -> None:
    """Only these have the prefix that keeps other sites of the domain from planting them."""
    entry, colleague = Visitor().join(), staff("view", "change")
    colleague.client.get("/admin/login/")
    assert "Ended: 1 entry." in do(colleague, "end", entry)
    assert colleague.client.cookies.keys() <= {"sessionid", "csrftoken"}
