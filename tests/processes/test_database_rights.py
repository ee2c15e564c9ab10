"""Commands and processes at a database in which something is missing: tables, or the right to write or to make them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import connection

from tests.processes.test_starts import KEEPER, Ended
from tests.support.processes import Processes

OF_THE_ADMIN = ("createsuperuser", "--noinput", "--username", "anna", "--email", "anna@queue.example")


@pytest.fixture
def ended(processes: Processes) -> Ended:
    return Ended(processes)


@pytest.fixture
def empty(ended: Ended, tmp_path: Path) -> Iterator[str]:
    """The address of a database without tables."""
    address = ended.environment["DATABASE_URL"]
    if connection.vendor != "postgresql":
        yield f"sqlite:///{tmp_path}/empty.sqlite3"
        return
    name = f"empty_{os.getpid()}"
    with psycopg.connect(address, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield urlsplit(address)._replace(path=f"/{name}").geturl()
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def stranger(address: str) -> Iterator[str]:
    """A user of the server who owns no database."""
    name = f"stranger_{os.getpid()}"
    with psycopg.connect(address, autocommit=True) as server:
        server.execute(f"CREATE ROLE {name}")
        yield name
        server.execute(f"DROP ROLE {name}")


def with_option(address: str, option: str) -> str:
    return f"{address}{'&' if '?' in address else '?'}options=-c%20{option.replace('=', '%3D')}"


@pytest.mark.postgres
def test_a_command_before_the_tables_says_so(ended: Ended, empty: str) -> None:
    said = ended(("manage.py", *OF_THE_ADMIN), DATABASE_URL=empty, DJANGO_SUPERUSER_PASSWORD="plover-drizzle-61")
    assert "The database lacks" in said
    assert said.endswith("Run: python manage.py migrate (queueing.E102)")


@pytest.mark.postgres
@pytest.mark.parametrize("command", [KEEPER, ("manage.py", "check", "--deploy")])
def test_a_database_that_takes_no_writes_is_an_error(ended: Ended, command: tuple[str, ...]) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no such setting")
    address = with_option(ended.environment["DATABASE_URL"], "default_transaction_read_only=on")
    said = ended(command, DATABASE_URL=address)
    assert "The database is read-only for this site (default_transaction_read_only), so it takes no writes." in said


@pytest.mark.postgres
def test_migrate_in_a_database_of_another_user_says_whose_it_has_to_be(ended: Ended, empty: str) -> None:
    if connection.vendor != "postgresql":
        pytest.skip("SQLite knows no users")
    with stranger(empty) as name:
        said = ended(("manage.py", "migrate"), DATABASE_URL=with_option(empty, f"role={name}"))
    assert f"OWNER TO {name}. Then run: python manage.py migrate (queueing.E102)" in said
    assert len(said.splitlines()) == 1
