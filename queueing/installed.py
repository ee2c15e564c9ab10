"""The sentences for a site that uses the package without the apps that it takes: itself, and four of Django's."""

import sys

from django.apps import apps

SENTENCE = '"queueing" is not in INSTALLED_APPS. Paste: INSTALLED_APPS = [*INSTALLED_APPS, "queueing"]'
# The admin, and what it needs. Without their tables, Django would raise an error about a class.
NEEDED = tuple(f"django.contrib.{name}" for name in ("admin", "auth", "contenttypes", "sessions"))


def require() -> None:
    """Raise one sentence if an app is missing.

    That of a missing "queueing" is a CommandError: `manage.py` prints it without a traceback. The others are missed
    while Django loads its apps, and nothing catches an error there: the process ends.
    """
    if not apps.apps_ready:
        return
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management.base import CommandError

    class NotInstalled(CommandError, ImproperlyConfigured):
        pass

    if not apps.is_installed("queueing"):
        raise NotInstalled(SENTENCE)
    if missing := [name for name in NEEDED if not apps.is_installed(name)]:
        sys.exit(
            f'"queueing" needs {", ".join(missing)}, with the middleware that `startproject` writes. '
            f"Paste: INSTALLED_APPS = [{', '.join(f'"{name}"' for name in missing)}, *INSTALLED_APPS]"
        )
