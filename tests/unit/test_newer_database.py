"""The code of an older version on a database that a newer one has migrated."""

import pytest
from django.db.migrations.recorder import MigrationRecorder

from tests.unit.test_checks import found

pytestmark = [pytest.mark.django_db, pytest.mark.postgres]


@pytest.mark.parametrize(
    ("label", "name", "is_told"),
    [
        ("queueing", "0099_of_a_newer_version", True),
        ("queueing", "0001_initial", False),
        ("queueing", "0001_squashed_0015_enqueue", False),  # of the wheel, on a database of the repository
        ("another", "0099_of_another_app", False),
    ],
)
def test_migrations_that_this_code_does_not_know_are_told(label: str, name: str, is_told: bool) -> None:
    MigrationRecorder.Migration.objects.get_or_create(app=label, name=name)
    warning = found(deploy=True).get("queueing.W143", "")
    assert (f"does not know {label}.{name}." in warning) == bool(warning) == is_told
