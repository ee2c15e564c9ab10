"""The application's entry in INSTALLED_APPS."""

from django.apps import AppConfig


class QueueingConfig(AppConfig):
    name = "queueing"
    verbose_name = "Client queue"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from queueing import checks  # noqa: F401  # registers the checks
        from queueing.tasks import load

        # Every process knows every heavy task; an error in one is an error at start.
        load()
