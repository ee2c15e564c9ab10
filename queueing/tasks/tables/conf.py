"""The settings of this task: `QUEUEING["TABLE_<NAME>"]`, or QUEUEING_TABLE_<NAME> in the environment."""

from dataclasses import dataclass

from queueing.conf import declare


@dataclass(frozen=True, slots=True, kw_only=True)
class TableConf:
    MAX_UPLOAD_BYTES: int = 500 * 1024**2  # bytes of one CSV file
    MAX_LINE_BYTES: int = 1024**2  # bytes of one line of a CSV file
    MAX_COLUMNS: int = 1_000  # columns of one CSV file


conf = declare(TableConf, prefix="TABLE_")
