"""Checks of the site around the queue: URLs, RQ, the channel layer, django.tasks."""

from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings
from django.contrib.sessions.backends import db
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.tasks import task_backends
from django.urls import NoReverseMatch, reverse
from django.utils.module_loading import import_string

from queueing.aliases import backend_to_paste
from queueing.backend import PresenceBackend
from queueing.conf import site
from queueing.line import address, clients
from queueing.line.hints import HintLayer
from queueing.line.queue import LineQueue
from queueing.registry import repair_of_backend, sound_tasks

# Of RQ's classes, by the key in settings.RQ: the one that the line needs, or a subclass.
CLASSES = {"QUEUE_CLASS": "queueing.line.queue.LineQueue", "WORKER_CLASS": "queueing.work.worker.PresenceWorker"}


@register("queueing")
def check_urls(**_: Any) -> list[CheckMessage]:
    """Every page of the queue has its address by these names."""
    try:
        home = reverse("queueing:home")
    except NoReverseMatch:
        return [
            Error(
                f"The pages of the queue have no addresses in {settings.ROOT_URLCONF}.",
                hint='Paste into its urlpatterns: path("queue/", include("queueing.web.urls")),',
                id="queueing.E090",
            )
        ]
    if not home.endswith("/"):
        return [
            Error(
                f"The prefix of the queue's URLs, {home!r}, has no slash at its end: a form would be at {home}join/…",
                hint=f'Paste into urlpatterns: path("{home.strip("/")}/", include("queueing.web.urls")),',
                id="queueing.E090",
            )
        ]
    return []


@register("queueing")
def check_rq(**_: Any) -> list[CheckMessage]:
    """With RQ's own classes, work is started for visitors who have gone."""
    found: list[CheckMessage] = []
    told = getattr(settings, "RQ", {})
    for key, needed in CLASSES.items():
        if not _is_a(told.get(key, ""), needed):
            found.append(
                Error(
                    f"RQ[{key!r}] is {told.get(key)!r}, and the line needs {needed}, or a subclass.",
                    hint=f'Paste into settings.RQ: "{key}": "{needed}",',
                    id="queueing.E091",
                )
            )
    queues = getattr(settings, "RQ_QUEUES", {})
    if missing := [name for name in settings.QUEUEING_TASKS if name not in queues]:
        found.append(
            Error(
                f"RQ_QUEUES has no {', '.join(map(repr, missing))}.",
                hint=f"Paste: RQ_QUEUES |= {{name: {_queue_of_redis()} for name in {missing}}}",
                id="queueing.E092",
            )
        )
    return found


@register("queueing")
def check_addresses(**_: Any) -> list[CheckMessage]:
    """Each address of Redis can be read. What is wrong is said without a part of it: it may have a password."""
    urls = {site.REDIS_URL: "REDIS_URL"}
    for name, queue in getattr(settings, "RQ_QUEUES", {}).items():
        if "URL" in queue:  # else it is of another kind, or spelt out
            urls.setdefault(queue["URL"], f"RQ_QUEUES[{name!r}]['URL']")
    found: list[CheckMessage] = []
    for url, name in urls.items():
        try:
            address.check(url)
        except address.BadAddress as error:
            hint = 'docs/operations.md, "Redis", shows each kind of address.'
            found.append(Error(f"{name} is no address of Redis. {error}", hint=hint, id="queueing.E097"))
    return found


@register("queueing")
def check_own_addresses(**_: Any) -> list[CheckMessage]:
    """Where a line has a Redis of its own, each line says where it is, as its worker and its pages have to agree."""
    queues = getattr(settings, "RQ_QUEUES", {})
    if not any(clients.OWN in queues.get(name, {}) for name in settings.QUEUEING_TASKS):
        return []
    return [
        Error(
            f"RQ_QUEUES[{name!r}] has no URL, and other lines have a Redis of their own.",
            hint=f'Paste into it: "URL": {redis_url()}, or the address of the Redis of {name}.',
            id="queueing.E113",
        )
        for name in settings.QUEUEING_TASKS
        if name in queues and not {"URL", "SENTINELS"} & queues[name].keys()
    ]


@register("queueing")
def check_channel_layer(**_: Any) -> list[CheckMessage]:
    """Without it pages hear nothing; a layer in memory does not reach them from a worker."""
    try:
        layer = get_channel_layer()
    except Exception as error:  # noqa: BLE001  # whatever a layer raises when it is made
        layer, why = None, f" ({error})"
    else:
        why = ""
    if isinstance(layer, HintLayer):
        return []
    return [
        Error(
            f"The channel layer is {type(layer).__name__}, and pages need queueing.line.hints.HintLayer{why}.",
            hint='Paste: CHANNEL_LAYERS = {"default": {"BACKEND": "queueing.line.hints.HintLayer", '
            f'"CONFIG": {{"hosts": [{{"address": {redis_url()}, "socket_timeout": 2.0}}]}}}}}}',
            id="queueing.E093",
        )
    ]


@register("queueing")
def check_sessions(**_: Any) -> list[CheckMessage]:
    """The sockets of a page read its session from the database."""
    try:
        store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
    except ImportError:
        store = None
    if isinstance(store, type) and issubclass(store, db.SessionStore):
        return []
    return [
        Error(
            f"SESSION_ENGINE is {settings.SESSION_ENGINE!r}, and open pages look for their sessions in the database.",
            hint='Paste: SESSION_ENGINE = "queueing.web.sessions"',
            id="queueing.E096",
        )
    ]


@register("queueing")
def check_tasks(**_: Any) -> list[CheckMessage]:
    """The backend of each heavy task makes entries, and knows the queue."""
    try:
        backends = {alias: task_backends[alias] for alias in settings.TASKS}
    except ImproperlyConfigured as error:
        return [Error(f"TASKS: {error}", hint="Correct settings.TASKS.", id="queueing.E094")]
    ours = {name for backend in backends.values() if isinstance(backend, PresenceBackend) for name in backend.queues}
    found: list[CheckMessage] = [
        Error(
            f"{task.task.module_path} is a task of TASKS[{task.task.backend!r}], which makes no entries: "
            "what code enqueues would run, or be stored, without the line.",
            hint=repair_of_backend(name),
            id="queueing.E095",
        )
        for name, task in sound_tasks().items()
        if name in ours and not isinstance(backends.get(task.task.backend), PresenceBackend)
    ]
    if missing := [name for name in settings.QUEUEING_TASKS if name not in ours]:
        sentence = f"No backend of TASKS makes entries for {', '.join(map(repr, missing))}."
        found.append(Error(sentence, hint=f"Paste: {backend_to_paste()}", id="queueing.E095"))
    return found


@register("queueing")
def check_time_zones(**_: Any) -> list[CheckMessage]:
    """The rows have moments with their zone, by the database's clock."""
    if settings.USE_TZ:
        return []
    return [
        Error(
            "USE_TZ is False, and the queue keeps its moments with their time zone: nobody could join.",
            hint='Paste: USE_TZ = True. See "Migration guide" in Django\'s documentation of time zones.',
            id="queueing.E122",
        )
    ]


def redis_url() -> str:
    """The address of Redis, as the site's settings can write it. The address itself may have a password."""
    if "REDIS_URL" in settings.QUEUEING:
        return 'QUEUEING["REDIS_URL"]'
    return "REDIS_URL" if hasattr(settings, "REDIS_URL") else repr(site.REDIS_URL)


def _queue_of_redis() -> str:
    return f'{{"URL": {redis_url()}, "SERIALIZER": "rq.serializers.JSONSerializer"}}'


def _is_a(path: Any, needed: str) -> bool:
    """True if the path names this class or a subclass of it."""
    if path == needed:
        return True
    try:
        found = import_string(path)
    except (ImportError, AttributeError, TypeError):
        return False
    wanted = LineQueue if needed == CLASSES["QUEUE_CLASS"] else import_string(needed)
    return isinstance(found, type) and issubclass(found, wanted)
