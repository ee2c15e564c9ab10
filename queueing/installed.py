"""The sentence for a site that uses the package, and does not have it among its apps."""

from django.apps import apps

SENTENCE = '"queueing" is not in INSTALLED_APPS. Paste: INSTALLED_APPS = [*INSTALLED_APPS, "queueing"]'


def require() -> None:
    """Raise one sentence if the app is missing, where Django would raise one about a model.

    The exception is a CommandError, too: `manage.py` prints that without a traceback.
    """
    if not apps.apps_ready or apps.is_installed("queueing"):
        return
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management.base import CommandError

    class NotInstalled(CommandError, ImproperlyConfigured):
        pass

    raise NotInstalled(SENTENCE)
