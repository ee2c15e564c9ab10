"""`python -m tests.corpus [PART …]`: measures the parts, all of them by default, and writes their tables."""

import importlib
import os
import sys

import django

from tests.corpus import report
from tests.support.paths import ROOT

PARTS = ("documents", "tables")
DOWNLOADS = ROOT / "var/corpus"


def main(wanted: list[str]) -> int:
    if unknown := set(wanted) - set(PARTS):
        sys.stderr.write(f"No such part: {', '.join(sorted(unknown))}. There are: {', '.join(PARTS)}.\n")
        return 1
    os.environ.setdefault("DEBUG", "1")
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    DOWNLOADS.mkdir(parents=True, exist_ok=True)
    for part in wanted or PARTS:
        table = importlib.import_module(f"tests.corpus.{part}").measure(DOWNLOADS)
        report.write(part, table)
        sys.stdout.write(table)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
