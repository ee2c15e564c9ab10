"""The database of a soak, on a disk of its own."""

import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any

import psutil

from tests.soak.disk import Disk
from tests.support import servers

# PostgreSQL recycles its log soon, so that the disk may be small. It writes a commit before it answers, as usual: in
# other tests it does not, and a crash would take what was acknowledged. (`fsync` is about a machine without power.)
ALTERED = {"max_wal_size": "32MB", "min_wal_size": "32MB", "synchronous_commit": "on"}
End = Callable[[], None]


class SQLite:
    """A file. Its faults are a lock, and a full disk."""

    kind = "SQLite"
    size = 32  # MiB of its disk

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        self.path = disk.folder / "db.sqlite3"
        self.url = f"sqlite:///{self.path}"

    def go_away(self) -> End:
        """Lock it; returns the end of that."""
        held = sqlite3.connect(self.path, timeout=60, isolation_level=None, check_same_thread=False)
        held.execute("BEGIN IMMEDIATE")

        def end() -> None:
            held.execute("ROLLBACK")
            held.close()

        return end

    def is_away(self) -> bool:
        """True if nobody else can write."""
        with closing(sqlite3.connect(self.path, timeout=0, isolation_level=None)) as other:
            try:
                other.execute("BEGIN IMMEDIATE")
                other.execute("ROLLBACK")
            except sqlite3.OperationalError as error:
                return "locked" in str(error)
        return False

    def has_no_room(self) -> bool:
        """True: a file has no server that could notice its full disk later. A write may find room in the log."""
        return True

    def recover(self) -> None:
        """After its disk was full: nothing to do."""


class Postgres:
    """A server. It can be stopped, crash, and have a full disk."""

    kind = "PostgreSQL"
    size = 160  # MiB of its disk

    def __init__(self, disk: Disk) -> None:
        self.disk = disk
        folder = disk.folder / "postgres"
        folder.mkdir()
        self._server: Any = servers.start_postgres(folder)
        settings = "".join(f"ALTER SYSTEM SET {name} = '{value}';" for name, value in ALTERED.items())
        self._server.psql(f"{settings}SELECT pg_reload_conf();")
        self._move_log()
        self.url = str(self._server.get_uri())

    def _move_log(self) -> None:
        """Away from the small disk, which is for what the server itself writes."""
        log = servers.FOLDER / "postgres.log"
        log.touch()
        log.chmod(0o666)  # the server has a user of its own
        self._server.stop()
        self._server.log = log
        self.recover()

    def go_away(self) -> End:
        """Stop it; returns the end of that."""
        self._server.stop()
        return self.recover

    def is_away(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return True
        return False

    def has_no_room(self) -> bool:
        """True if a write fails for lack of room, or the server has given up because of that."""
        import psycopg

        try:
            with psycopg.connect(self.url, connect_timeout=2) as other:
                other.execute("CREATE TEMP TABLE much AS SELECT repeat('x', 100) FROM generate_series(1, 5000)")
        except (psycopg.errors.DiskFull, psycopg.OperationalError):
            return True
        return False

    def crash(self) -> Callable[[], bool]:
        """Kill a backend with -9, so that the server ends all others and recovers. Returns whether it is gone."""
        with suppress(psutil.Error):
            for process in psutil.Process(self._server.get_pid()).children():
                if process.is_running() and "checkpointer" in " ".join(process.cmdline()):
                    process.send_signal(signal.SIGKILL)
                    return lambda: not process.is_running()
        return lambda: False

    def hang(self) -> End:
        """Stop all of its processes where they are; returns the end of that."""
        server = psutil.Process(self._server.get_pid())
        processes = [server, *server.children()]  # the server first: it would replace what is missing
        for process in processes:
            with suppress(psutil.NoSuchProcess):  # a backend that was about to end
                process.suspend()

        def end() -> None:
            for process in processes:
                with suppress(psutil.NoSuchProcess):  # it had ended, and now the server knows
                    process.resume()

        return end

    def recover(self) -> None:
        """Start it if it does not run."""
        self._server.ensure_postgres_running()
