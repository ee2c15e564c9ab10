"""A database that is away, and a file that needs no connection while it travels."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.exceptions import SessionInterrupted
from django.core.files.storage import default_storage
from django.db import connection
from django.test import RequestFactory

from queueing.models import Entry
from queueing.web.middleware import bad_request
from tests.support.visitors import FORM, Visitor, finished, staff, url

pytestmark = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def visitor() -> Visitor:
    return Visitor()


@pytest.fixture
def entry(visitor: Visitor) -> Entry:
    return visitor.join()


@pytest.fixture
def _away(visitor: Visitor, entry: Entry, tmp_path: Path) -> Iterator[None]:
    """From now on nobody can connect to the database."""
    name = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = str(tmp_path / "nowhere" / "db")[-60:]
    yield
    connection.close()
    connection.settings_dict["NAME"] = name


@pytest.mark.usefixtures("_away")
def test_a_page_says_that_the_database_is_away(visitor: Visitor, entry: Entry) -> None:
    for path in ("/", url(entry), url(entry, "status.json"), "/admin/"):
        answer = visitor.client.get(path)
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert "The site cannot reach its database" in answer.content.decode()
    ready = visitor.client.get("/readyz")
    assert (ready.status_code, ready.json()["database"]) == (503, False)
    assert visitor.client.get("/healthz").status_code == 200


@pytest.mark.usefixtures("_away")
def test_a_join_of_a_new_visitor_ends_the_same_way_and_keeps_nothing() -> None:
    """The visitor's new name is in the session, which cannot be saved either; Django does not try after an error."""
    code = uuid.uuid4()
    answer = Visitor().send(code=code)
    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert not default_storage.exists(f"entries/{code}")


@pytest.fixture
def _no_files(entry: Entry) -> Iterator[None]:
    """A table is missing, as after a migration that was forgotten."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE queueing_entryfile RENAME TO elsewhere")
        yield
        cursor.execute("ALTER TABLE elsewhere RENAME TO queueing_entryfile")


@pytest.mark.usefixtures("_no_files")
def test_a_table_that_is_missing_is_an_error_of_ours_with_a_traceback(
    visitor: Visitor, entry: Entry, caplog: pytest.LogCaptureFixture
) -> None:
    visitor.client.raise_request_exception = False
    answer = visitor.client.get(url(entry, "files/answer.txt"))
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.content.decode()
    assert "away" not in caplog.text
    assert "elsewhere" in caplog.text or "queueing_entryfile" in caplog.text


@pytest.fixture
def signed_in() -> Visitor:
    """A browser with a session, that joined no line yet."""
    return staff()


@pytest.fixture
def _sessions_locked() -> Iterator[None]:
    """To read or write a session takes a lock that somebody else has."""
    with locked("ACCESS EXCLUSIVE"):
        yield


@pytest.fixture
def _sessions_read_only(signed_in: Visitor) -> Iterator[None]:
    """To write a session takes a lock that somebody else has."""
    with locked("SHARE"):
        yield


@contextmanager
def locked(mode: str) -> Iterator[None]:
    """Somebody else holds this lock on the sessions."""
    other = connection.copy()
    with other.cursor() as theirs, connection.cursor() as ours:
        theirs.execute(f"BEGIN; LOCK TABLE django_session IN {mode} MODE")
        ours.execute("SET lock_timeout = 50")
        yield
        theirs.execute("ROLLBACK")
    other.close()
    connection.close()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks the whole database")
@pytest.mark.usefixtures("_sessions_locked")
def test_a_database_that_is_away_after_the_view_is_told_the_same_way() -> None:
    """Django writes a new visitor's session when the view has returned."""
    answer = Visitor(raise_request_exception=False).send()
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")
    assert "The site cannot reach its database" in answer.content.decode()


def has_way_back(answer: Any, address: str) -> bool:
    return f'<a class="button primary" href="{address}">Try again</a>' in answer.content.decode()


@pytest.mark.usefixtures("_away")
def test_the_page_for_a_database_that_is_away_leads_back(visitor: Visitor, entry: Entry) -> None:
    assert has_way_back(visitor.client.get(url(entry) + "?a=b"), url(entry) + "?a=b")
    assert has_way_back(visitor.client.post(url(entry, "leave/")), url(entry))  # the page that has the button
    assert has_way_back(visitor.send(), FORM)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite locks the whole database")
@pytest.mark.usefixtures("_sessions_read_only")
def test_a_known_session_that_cannot_be_written_is_told_the_same_way(signed_in: Visitor) -> None:
    """Django says that such a session was deleted, which would be the visitor's fault."""
    answer = signed_in.send()  # the session gets a name
    assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "5")
    assert has_way_back(answer, FORM)


def test_a_session_that_was_deleted_meanwhile_is_a_bad_request(rf: RequestFactory) -> None:
    answer = bad_request(rf.get("/"), SessionInterrupted("The session was deleted."))
    assert answer.status_code == 400
    assert "We could not understand that" in answer.content.decode()


def test_a_file_travels_without_a_connection_to_the_database(visitor: Visitor) -> None:
    entry = finished(visitor)
    answer = visitor.client.get(url(entry, "files/answer.txt"))
    assert connection.connection is None
    assert answer.getvalue() == b"42"
    answer.close()
