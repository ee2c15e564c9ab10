"""The application's entry in INSTALLED_APPS."""

from django.apps import AppConfig
from django.conf import settings


class QueueingConfig(AppConfig):
    name = "queueing"
    verbose_name = "Client queue"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from queueing import checks  # noqa: F401  # registers the checks
        from queueing.conf import parse
        from queueing.tasks import load

        # Every process knows every heavy task; an error in one is an error at start.
        load()
        # So is a wrong setting.
        parse(settings.QUEUEING)
