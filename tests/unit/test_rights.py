"""A database that may be read and not written: the checks, /readyz and the commands ask the server itself."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection
from django.test import Client

from queueing.checks.tables import check_tables
from tests.unit.test_checks import found

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


@pytest.fixture(autouse=True)
def _postgres(db: None) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite knows no users")


def run(*statements: str) -> None:
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


@contextmanager
def as_reader(*grants: str) -> Iterator[None]:
    """As a user who has these rights alone. All of it ends with the transaction of the test."""
    run("CREATE ROLE reader", *(f"GRANT {grant} TO reader" for grant in grants), "SET LOCAL ROLE reader")
    yield
    run("RESET ROLE")


def is_ready() -> bool:
    return bool(Client().get("/readyz").json()["database"])


def test_a_user_who_may_write_is_not_named() -> None:
    assert check_tables() == []
    assert is_ready()
    with as_reader("SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public"):
        assert check_tables() == []
        assert is_ready()


def test_a_user_who_may_only_read_is_found() -> None:
    """As after `pg_restore --no-owner` by the administrator, with rights to read."""
    with as_reader("SELECT ON ALL TABLES IN SCHEMA public"):
        said = found(deploy=True)["queueing.E141"]
        assert not is_ready()
    assert "The user reader of the database may not read and write queueing_" in said
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO reader." in said


def test_one_table_without_one_right_is_found() -> None:
    with as_reader("SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public"):
        run("RESET ROLE", "REVOKE DELETE ON django_session FROM reader", "SET LOCAL ROLE reader")
        [message] = check_tables()
        assert not is_ready()
    assert message.msg == "The user reader of the database may not read and write django_session."


def test_a_database_that_is_read_only_is_found() -> None:
    run("SET LOCAL transaction_read_only = on")
    assert not is_ready()
    said = found(deploy=True)["queueing.E140"]
    assert "The database is read-only for this site (default_transaction_read_only), so it takes no writes." in said
    assert "RESET default_transaction_read_only" in said


def test_a_database_that_belongs_to_another_user_is_told_beside_its_missing_tables() -> None:
    run("DELETE FROM django_migrations WHERE app = 'queueing'", "REVOKE CREATE ON SCHEMA public FROM public")
    assert "Run: python manage.py migrate" in str(check_tables())
    with as_reader("SELECT ON ALL TABLES IN SCHEMA public"):
        said = str(check_tables())
    assert "Its user reader may not make tables there." in said
    assert " OWNER TO reader. Then run: python manage.py migrate" in said
