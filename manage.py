#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys

from config.packages import require_packages


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    require_packages("django")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import DatabaseError, OperationalError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(str(error))
    except DatabaseError as error:
        # Before any check of ours: Django's own ask SQLite whether it knows JSON, and `migrate` makes none.
        if "--traceback" in sys.argv:
            raise
        from queueing.checks.start import troubles
        from queueing.management.plain import of_database

        sentences = troubles()
        if not sentences and not isinstance(error, OperationalError):
            raise
        sys.exit("\n".join(sentences) or of_database(error))


if __name__ == "__main__":
    main()
