"""A database that is away, and a file that needs no connection while it travels."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.files.storage import default_storage
from django.db import connection

from queueing.models import Entry
from tests.support.visitors import Visitor, finished, url

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


def test_a_file_travels_without_a_connection_to_the_database(visitor: Visitor) -> None:
    entry = finished(visitor)
    answer = visitor.client.get(url(entry, "files/answer.txt"))
    assert connection.connection is None
    assert answer.getvalue() == b"42"
    answer.close()
