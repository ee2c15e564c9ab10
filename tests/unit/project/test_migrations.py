"""The migrations: one for a new site, all of them for a site that has applied some."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader

from tests.support.paths import ROOT

# Applies the migrations up to the named one, as a site did that was made before they were put together.
ONE_BY_ONE = """
import django, sys
django.setup()
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
executor = MigrationExecutor(connection)
executor.loader = MigrationLoader(connection, replace_migrations=False)
others = [node for node in executor.loader.graph.leaf_nodes() if node[0] != "queueing"]
executor.migrate([*others, ("queueing", sys.argv[1])])
"""


class Site:
    """A database of its own."""

    def __init__(self, folder: Path) -> None:
        self.url = f"sqlite:///{folder / 'site.sqlite3'}"

    def run(self, *arguments: str) -> str:
        environment = os.environ | {"DATABASE_URL": self.url, "DJANGO_SETTINGS_MODULE": "config.settings"}
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def migrate(self, *apps: str) -> list[str]:
        """The migrations of the queue that were applied now."""
        lines = self.run("manage.py", "migrate", "--no-color", *apps).splitlines()
        return [line.split()[1].removesuffix("...") for line in lines if line.startswith("  Applying queueing.")]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_new_site_applies_one_migration(site: Site) -> None:
    assert site.migrate("queueing") == ["queueing.0001_squashed_0015_enqueue"]


def test_a_site_that_was_made_before_goes_on_one_by_one(site: Site) -> None:
    site.run("-c", ONE_BY_ONE, "0010_line")
    assert len(site.migrate()) == 5
    assert site.migrate() == []


def test_both_ways_lead_to_the_same_tables() -> None:
    ways = [MigrationLoader(None, replace_migrations=replace) for replace in (True, False)]
    together, one_by_one = (way.project_state() for way in ways)
    for before, after in ((together, one_by_one), (one_by_one, together)):
        assert MigrationAutodetector(before, after).changes(ways[0].graph) == {}
