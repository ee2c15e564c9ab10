"""The settings of Django, RQ and Channels that follow from `QUEUEING`, for a site that does not name them itself.

Such a site names its lines and its Redis in that one dict. A setting that it does name stays as it is, and the checks
say what in it does not fit.
"""

from typing import Any

from django.conf import settings

from queueing.conf import site

SERIALIZER = "rq.serializers.JSONSerializer"


def fill_in() -> None:
    """Give the settings what they lack. Called as the app is loaded: before that, nothing reads them."""
    _default("QUEUEING", {})
    _default("QUEUEING_TASKS", settings.QUEUEING.get("LINES", {}))
    lines = list(settings.QUEUEING_TASKS)
    _default(
        "RQ",
        {
            "QUEUE_CLASS": "queueing.line.queue.LineQueue",
            "WORKER_CLASS": "queueing.work.worker.PresenceWorker",
            "COMMIT_MODE": "on_db_commit",
        },
    )
    _default("RQ_QUEUES", {name: {"URL": site.REDIS_URL, "SERIALIZER": SERIALIZER} for name in lines})
    _default("RQ_SHOW_ADMIN_LINK", False)  # its pages show arguments, and let any staff member empty a queue
    _default("TASKS", {"default": {"BACKEND": "queueing.backend.PresenceBackend", "QUEUES": lines}})
    hosts = [{"address": site.REDIS_URL, "socket_timeout": site.REDIS_TIMEOUT}]
    _default("CHANNEL_LAYERS", {"default": {"BACKEND": "queueing.line.hints.HintLayer", "CONFIG": {"hosts": hosts}}})


def _default(name: str, value: Any) -> None:
    """The value of a setting that the site does not name. Django's own default of TASKS knows no lines."""
    lazy: Any = settings  # django-stubs take it for the settings themselves
    if not lazy.is_overridden(name):
        setattr(settings, name, value)
