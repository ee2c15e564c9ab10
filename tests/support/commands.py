"""Commands of manage.py, in this process."""

from io import StringIO

from django.core.management import call_command


def run_command(*arguments: str) -> str:
    """The output of the command."""
    out = StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue().strip()
