#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line
    from django.db import OperationalError

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        if "--traceback" in sys.argv:
            raise
        sys.exit(str(error))
    except OperationalError as error:  # before any check of ours: Django's own ask SQLite for JSON
        if "--traceback" in sys.argv:
            raise
        from queueing.checks.start import troubles
        from queueing.management.plain import of_database

        sys.exit("\n".join(troubles()) or of_database(error))


if __name__ == "__main__":
    main()
