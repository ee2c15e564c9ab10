"""Checks of a deployed site beside its settings and tables: for `check --deploy`, and at the start of each process."""

import os
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Info, Warning, register
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

from queueing import budget, serving
from queueing.conf import site
from queueing.deployment import (
    LACKS_PLAIN,
    SQLITE_FILES,
    UNCOLLECTED,
    database_setting,
    has_static_files,
    is_read_only,
    keeps_versions,
    lacks_plain_files,
    try_objects,
    uncollected,
    unreadable,
    unwritable_folders,
)
from queueing.exceptions import StorageError, StorageRefused
from queueing.line import signs, workers
from queueing.line.address import BadAddress
from queueing.line.clients import AuthenticationError, RedisError, SyncRedis, connection
from queueing.line.servers import servers

SQLITE_EXAMPLE = Path("/var/lib/queue/db.sqlite3")  # as in docs/operations.md
# The words with which Redis refuses a write, and the way out.
CURES = (
    ("DB index is out of range", "Write a smaller number at the end of {setting}, as /0, or raise its `databases`."),
    ("no permissions", 'Give the user of {setting} the rights of docs/operations.md, "The users of Valkey".'),
    ("NOREPLICAS", "Start its replicas, or let it write without them: redis-cli CONFIG SET min-replicas-to-write 0"),
    ("MISCONF", "Give its disk room: it cannot save, and so it refuses writes."),
    ("maxmemory", "Give it memory: redis-cli CONFIG SET maxmemory 1gb"),
    ("", "Point {setting} at the primary."),
)


@register("queueing", deploy=True)
def check_static_files(**_: Any) -> list[CheckMessage]:
    """Without its manifest, every page is a 500. Where there is none, another host may have the files."""
    if not settings.DEBUG and (path := unreadable(settings.STATIC_ROOT)):
        return [
            Error(
                f"{path} cannot be read, and the static files lie there.",
                hint=f"Run, as root: chown --recursive {_user()} {settings.STATIC_ROOT}",
                id="queueing.E100",
            )
        ]
    if has_static_files():
        return [*_plain_files(), *_uncollected()]
    return [
        Error(
            f"The static files are not collected in {settings.STATIC_ROOT}.",
            hint=_collect(),
            id="queueing.E100",
        )
    ]


def _plain_files() -> list[CheckMessage]:
    if not lacks_plain_files():
        return []
    hint = _collect()
    return [
        Warning(
            f"The static files of the queue are not in STATIC_ROOT ({settings.STATIC_ROOT or 'not set'}), so a server "
            "on this host could not send them: pages would have no style, and would not move.",
            hint=hint if settings.STATIC_ROOT else f'Paste: STATIC_ROOT = BASE_DIR.parent / "static". {hint}',
            id=LACKS_PLAIN,
        )
    ]


def _uncollected() -> list[CheckMessage]:
    """An app that came after the files were collected: each page of it is a 500."""
    if not (lacking := uncollected()):
        return []
    return [
        Error(
            f"The static files of {', '.join(lacking)} are not collected in {settings.STATIC_ROOT}.",
            hint=_collect(),
            id=UNCOLLECTED,
        )
    ]


@register("queueing", deploy=True)
def check_key(**_: Any) -> list[CheckMessage]:
    """Each web process with a random key of its own would take the visitors of all others for strangers."""
    if not getattr(settings, "WITHOUT_SECRET_KEY", False):
        return []
    return [
        Error(
            "WITHOUT_SECRET_KEY is set, and web needs SECRET_KEY: with a random key of its own, it knows none of its "
            "visitors after a restart, and none of other web processes.",
            hint="Set SECRET_KEY for web, and WITHOUT_SECRET_KEY=1 for workers and the keeper alone.",
            id="queueing.E124",
        )
    ]


@register("queueing", deploy=True)
def check_any_host(**_: Any) -> list[CheckMessage]:
    """Without a name of the site, Django answers each request with 400."""
    if settings.DEBUG or settings.ALLOWED_HOSTS:
        return []
    return [
        Error(
            "ALLOWED_HOSTS is empty, so each page is a 400.",
            hint="Name the hosts of the site: ALLOWED_HOSTS = ['queue.example'], or queue.example in the environment.",
            id="queueing.E118",
        )
    ]


@register("queueing", deploy=True)
def check_folders(**_: Any) -> list[CheckMessage]:
    """Inputs, results, SQLite's file and large uploads are written there."""
    return [
        Error(
            f"{folder} cannot be written to, and {what} lie there.",
            hint=_cure(what, folder),
            id="queueing.E101",
        )
        for what, folder in unwritable_folders()
    ]


@register("queueing", deploy=True)
def check_room(**_: Any) -> list[CheckMessage]:
    """Pages work meanwhile, and each join is refused."""
    try:
        lack = budget.lack_of_room()
    except OSError:
        return []  # `check_folders` says so
    if not lack:
        return []
    hint = "Give the disk room, or lower that setting (QUEUEING_MIN_FREE_DISK or QUEUEING_MIN_FREE_INODES)."
    return [Warning(f"Nobody can join: {lack}.", hint=hint, id="queueing.W141")]


@register("queueing", deploy=True)
def check_objects(**_: Any) -> list[CheckMessage]:
    """The bucket of STORAGE_URL is there, and its key may write, read, list and delete."""
    try:
        try_objects()
    except (StorageRefused, FileNotFoundError) as error:
        return [
            Error(
                f"The storage of STORAGE_URL refuses what the site needs: {error}",
                hint="Make the bucket, and let the key list it and get, put and delete its objects.",
                id="queueing.E105",
            )
        ]
    except StorageError as error:
        return [Info(f"The storage does not answer, so nothing is known of it ({error}).", id="queueing.I105")]
    if not keeps_versions():
        return []
    return [
        Warning(
            "The bucket of STORAGE_URL keeps old versions, so that nothing is ever deleted.",
            hint="Suspend its versioning, or let a rule of its life cycle delete versions that are not current.",
            id="queueing.W105",
        )
    ]


@register("queueing", deploy=True)
def check_redis(**_: Any) -> list[CheckMessage]:
    """Redis takes writes, evicts nothing, and has workers and a keeper; that of each line, too, if it has one."""
    try:
        return [message for server in _servers() for message in _of_server(*server)]
    except BadAddress:
        return []  # `check_addresses` says so


def evictions() -> list[CheckMessage]:
    """A warning for each Redis that evicts keys, which works until its memory is full. The keeper logs it, too."""
    return [message for name, _, client, _ in _servers() for message in _eviction(name, client)]


def _servers() -> Iterator[tuple[str, str, SyncRedis, Collection[str]]]:
    """Each Redis: its name in a sentence, where its address is told, its client and its lines. Raises BadAddress."""
    shared, all_servers = connection(), servers()
    yield (
        "Redis",
        "REDIS_URL",
        shared,
        [queue for server in all_servers if server.client is shared for queue in server.lines],
    )
    for server in all_servers:
        if server.client is not shared:
            yield f"The Redis of {', '.join(server.lines)}", "its address in RQ_QUEUES", *server


def _of_server(name: str, setting: str, client: SyncRedis, queues: Collection[str]) -> list[CheckMessage]:
    """One server, with its lines."""
    try:
        signs.takes_writes(client)
        keeper = _missing_keeper() if client is connection() else []
        return [*_eviction(name, client), *_missing_workers(queues), *keeper]
    except BadAddress:
        return []  # `check_addresses` says so
    except AuthenticationError as error:
        sentence = f"{name} refuses this site ({str(error).rstrip('.')})."
        return [Error(sentence, hint=f"Correct the user and the password in {setting}.", id="queueing.E120")]
    except RedisError as error:
        if not signs.answers(client):
            sentence = f"{name} does not answer from here, so nothing is known of it ({str(error).rstrip('.')})."
            return [Info(sentence, hint=f"Start it, or correct {setting}.", id="queueing.I103")]
        return [
            Error(
                f"{name} takes no writes: {str(error).rstrip('.')}.",
                hint=next(hint for words, hint in CURES if words in str(error)).format(setting=setting),
                id="queueing.E103",
            )
        ]


@register("queueing", deploy=True)
def check_asgi(**_: Any) -> list[CheckMessage]:
    """Django's own ASGI application has no sockets: pages would poll, which costs more."""
    serving.application_is_looked_at()
    if not getattr(settings, "ASGI_APPLICATION", None):
        return [_wrong_asgi("is not set")]
    try:
        application = import_string(settings.ASGI_APPLICATION)
    except OSError as error:  # of a middleware that reads files
        hint = "Let the user of the processes read it."
        return [Error(f"ASGI_APPLICATION cannot be loaded: {error}.", hint=hint, id="queueing.E104")]
    except (AttributeError, TypeError, ImportError, ImproperlyConfigured) as error:
        return [_wrong_asgi(f"cannot be imported ({error})")]
    return [] if any("websocket" in mapping for mapping in _routes(application)) else [_wrong_asgi("has no sockets")]


# Details


def _collect() -> str:
    return f"Run: {site.MANAGE} collectstatic --noinput"


def _cure(what: str, folder: Path) -> str:
    """The command that makes the folder. The address of the database is forgotten more often than SQLite's folder."""
    command, closed = f"as root: install -d -o {_user()} -m 700", ""
    if is_read_only(folder):
        closed = (
            "The system does not let this process write there, whoever owns the folder: the file system is read-only "
            f"for it. Under systemd, each unit needs ReadWritePaths={folder} (systemctl edit)."
        )
    if what != SQLITE_FILES:
        return closed if closed and folder.is_dir() else f"Run, {command} {folder} {closed}".rstrip()
    # Not this folder: it may be beside the code, on a system that is mounted read-only.
    setting = database_setting()
    line = f"{setting}=sqlite:///{SQLITE_EXAMPLE}" if setting == "DATABASE_URL" else f'"NAME": "{SQLITE_EXAMPLE}"'
    return (
        f"Name the database of the site in {setting}. If it is SQLite, its place is outside of the code, as in {line}: "
        f"run, {command} {SQLITE_EXAMPLE.parent} {closed}"
    ).rstrip()


def _eviction(name: str, client: SyncRedis) -> list[CheckMessage]:
    """Every other policy deletes presence keys and jobs first when memory runs short."""
    try:
        policy = client.config_get("maxmemory-policy").get("maxmemory-policy")
    except RedisError:
        return []  # CONFIG is not allowed
    if policy in (None, "noeviction", b"noeviction"):
        return []
    return [
        Warning(
            f"{name} evicts keys ({policy}) when its memory is full.",
            hint="Set maxmemory-policy noeviction: an evicted presence key looks like a visitor who left.",
            id="queueing.W001",
        )
    ]


def _missing_workers(queues: Collection[str]) -> list[CheckMessage]:
    """No fault before the processes are started; `/readyz` fails without workers."""
    without = [name for name in queues if not workers.is_served(name)]
    if not without:
        return []
    hint = f"Start: {site.MANAGE} rqworker-pool --num-workers 2 (or let a quiet worker go on, in the admin)"
    return [Info(f"No worker takes the entries of {', '.join(map(repr, without))} now.", hint=hint, id="queueing.I104")]


def _missing_keeper() -> list[CheckMessage]:
    """Tell that no keeper runs: without one, an entry whose worker died is never recovered."""
    if signs.is_keeper_alive():
        return []
    return [Info("No keeper makes its rounds now.", hint=f"Start: {site.MANAGE} keeper", id="queueing.I106")]


def _wrong_asgi(why: str) -> CheckMessage:
    return Error(
        f"ASGI_APPLICATION {why}.",
        hint='Paste: ASGI_APPLICATION = "queueing.asgi.application". Start another server than ours with it, too: '
        "daphne queueing.asgi:application",
        id="queueing.E104",
    )


def _routes(application: Any) -> Iterator[Any]:
    """The mappings by protocol of an application and of those that it wraps."""
    seen = 0
    while application is not None and seen < 20:
        yield getattr(application, "application_mapping", {})
        application, seen = getattr(application, "app", getattr(application, "application", None)), seen + 1


def _user() -> int:
    return os.geteuid()
