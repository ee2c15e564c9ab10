"""The DuckDB database of one run: out of core, without extensions, and interruptible."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import duckdb

# Memory of DuckDB's buffers; it writes to the temporary folder beyond that. Each column that a statement reads or
# writes needs some of its own, for each thread.
MEMORY, MEMORY_OF_MANY = "224MB", "320MB"
MANY = 200  # columns
POLL = 0.1  # seconds between two reports of progress

type Report = Callable[[float], None]  # gets the part that is done, 0 to 1; its exceptions pass through


class Database:
    """A database in memory, which spills into a folder.

    A file of its own would need checkpoints, which cost as much computing as reading the table.
    """

    def __init__(self, folder: Path, columns: int) -> None:
        self.tick: Callable[[], None] = lambda: None  # called while a long statement runs; its exceptions pass through
        self.is_large = False  # statements may take long
        self._connection = duckdb.connect(
            config={
                "memory_limit": MEMORY if columns <= MANY else MEMORY_OF_MANY,
                "threads": min(4, len(os.sched_getaffinity(0))) if columns <= MANY else 1,
                "temp_directory": str(folder / "spilled"),
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        # `query_progress` needs the progress bar, which would go to the standard output.
        self._connection.execute("SET enable_progress_bar = true; SET enable_progress_bar_print = false")
        self._connection.execute("SET force_compression = 'uncompressed'; SET TimeZone = 'UTC'")

    def close(self) -> None:
        self._connection.close()

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows that a statement returns. In a large database, `tick` is called while it runs."""
        if not self.is_large:
            return self._connection.execute(sql).fetchall()
        return self._in_thread(sql, lambda _: self.tick())

    def run(self, sql: str, report: Report) -> None:
        """Run a statement that may take long."""
        self._in_thread(sql, report)

    def _in_thread(self, sql: str, report: Report) -> list[tuple[Any, ...]]:
        """Run it in a thread, so that its progress can be reported and the visitor's leaving ends it."""
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(lambda: self._connection.execute(sql).fetchall())
            try:
                while not wait([future], POLL).done:
                    report(max(self._connection.query_progress(), 0) / 100)
            except BaseException:
                self._connection.interrupt()
                raise
            return future.result()
