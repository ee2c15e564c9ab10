"""The paths of the project and its samples."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
# The samples of the real tasks.
SCAN = ROOT / "queueing/tasks/documents/sample/scan.pdf"
TABLE = ROOT / "queueing/tasks/tables/sample/table.csv"
