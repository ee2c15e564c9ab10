"""The settings of Django, RQ and Channels that follow from `QUEUEING`, for a site that does not name them itself.

Such a site names its lines and its Redis in that one dict. A setting that it does name stays as it is, and the checks
say what in it does not fit.
"""

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from queueing import logs
from queueing.conf import Site, site

SERIALIZER = "rq.serializers.JSONSerializer"


def fill_in() -> None:
    """Give the settings what they lack. Called as the app is loaded: before that, nothing reads them."""
    _default("QUEUEING", {})
    lines = settings.QUEUEING.get("LINES", {})
    _default("QUEUEING_TASKS", lines if isinstance(lines, Mapping) else {})  # `check_lines` says so
    names = list(settings.QUEUEING_TASKS)
    _default(
        "RQ",
        {
            "QUEUE_CLASS": "queueing.line.queue.LineQueue",
            "WORKER_CLASS": "queueing.work.worker.PresenceWorker",
            "COMMIT_MODE": "on_db_commit",
        },
    )
    _default("RQ_QUEUES", {name: {"URL": site.REDIS_URL, "SERIALIZER": SERIALIZER} for name in names})
    _default("RQ_SHOW_ADMIN_LINK", False)  # its pages show arguments, and let any staff member empty a queue
    _default("TASKS", {"default": {"BACKEND": "queueing.backend.PresenceBackend", "QUEUES": names}})
    hosts = [{"address": site.REDIS_URL, "socket_timeout": _timeout()}]
    _default("CHANNEL_LAYERS", {"default": {"BACKEND": "queueing.line.hints.HintLayer", "CONFIG": {"hosts": hosts}}})
    loggers: Any = settings.LOGGING.get("loggers", {})
    logs.show(named=loggers)  # Django has applied LOGGING before it loads apps


def _timeout() -> float:
    """The site's REDIS_TIMEOUT. One that is no number is told by the checks: an error here would be a traceback."""
    try:
        return site.REDIS_TIMEOUT
    except ImproperlyConfigured:
        return Site().REDIS_TIMEOUT


def _default(name: str, value: Any) -> None:
    """The value of a setting that the site does not name. Django's own default of TASKS knows no lines."""
    lazy: Any = settings  # django-stubs take it for the settings themselves
    if not lazy.is_overridden(name):
        setattr(settings, name, value)
