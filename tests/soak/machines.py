"""The servers and disks that a site of a soak stands on."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.soak.database import Postgres, SQLite
from tests.soak.disk import Disk
from tests.soak.valkey import Sentinels, Valkey
from tests.support.servers import FOLDER

FILES = 32  # MiB of the disk of files


@dataclass(frozen=True)
class Machines:
    database: SQLite | Postgres
    valkey: Valkey | Sentinels
    files: Disk  # uploads, results, and temporary files
    has_disks: bool  # False: they are folders, which are never full

    @property
    def temporary(self) -> Path:
        return self.files.folder / "tmp"

    @property
    def environment(self) -> dict[str, str]:
        """The variables of all processes, and of this one."""
        media = self.files.folder / "media"
        return {"DATABASE_URL": self.database.url, "REDIS_URL": self.valkey.url, "MEDIA_ROOT": str(media)}


@contextmanager
def started(*, mounted: bool) -> Iterator[Machines]:
    """The machines that SOAK_DATABASE and VALKEY ask for. `mounted`: each disk is one, and not a folder."""
    disks = FOLDER / "disks"
    disks.mkdir()
    database = Postgres if os.environ["SOAK_DATABASE"] == "postgres" else SQLite
    server = Valkey if os.environ.get("VALKEY") == "one" else Sentinels
    machines = Machines(
        database(Disk(disks / "database", database.size, mounted=mounted)),
        server(disks, mounted=mounted),
        Disk(disks / "files", FILES, mounted=mounted),
        mounted,
    )
    machines.temporary.mkdir()
    try:
        yield machines
    finally:
        machines.valkey.stop()
