"""Forgetting secrets: keys of the web in a worker, and everything secret in the process of an isolated task.

What settings and environment hold is removed. Copies in memory that was inherited are not: of an address that was
parsed, for example. Code that has taken over a process can find those.
"""

import ctypes
import os
import re
import sys
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import urlsplit

from channels.layers import channel_layers
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from queueing.line import clients
from queueing.sandbox import LIBC
from queueing.storage import folders

# Settings that sign what browsers send back, or open pages. Only web processes use them.
KEYS_OF_THE_WEB: dict[str, object] = {"SECRET_KEY": "", "SECRET_KEY_FALLBACKS": [], "METRICS_TOKEN": ""}

# Settings with addresses and passwords. Others are secret by their name, by a key in them, or by an address in them.
CONNECTIONS = frozenset(
    {"DATABASES", "CACHES", "CHANNEL_LAYERS", "RQ", "RQ_QUEUES", "REDIS_URL", "STORAGES", "STORAGE_URL"}
)
HARMLESS = frozenset({"QUEUEING", "QUEUEING_TASKS"})
SECRET_NAME = re.compile("AUTH|CREDENTIAL|DSN|KEY|PASS|SECRET|TOKEN", re.IGNORECASE)
SECRET_VALUE = re.compile("://[^/ ]{0,999}@")

# Variables that the process of an isolated task keeps: libraries read them.
KEPT_VARIABLE = re.compile("PATH|HOME|TZ|TMPDIR|LANG|LANGUAGE|LC_.*|LD_LIBRARY_PATH|PYTHON.*|.*_THREADS")


def forget_keys() -> None:
    """In a worker: remove the keys of the web processes from settings and environment. No horse inherits them."""
    for name, empty in KEYS_OF_THE_WEB.items():
        setattr(settings, name, empty)
        for module in list(sys.modules.values()):
            if getattr(module, "__dict__", {}).get(name):  # the modules of the settings
                setattr(module, name, empty)
        settings.QUEUEING.pop(name, None)
        for variable in (name, f"QUEUEING_{name}"):
            _forget_variable(variable)


def forget_secrets() -> None:
    """In the process of an isolated task: no setting with a password, few variables, no way to database and storage."""
    folders.forget()
    for alias in list(connections):
        with suppress(AttributeError):
            del connections[alias]
    clients.forget()
    urlsplit.cache_clear()  # type: ignore[attr-defined]  # it keeps the addresses that were parsed last
    channel_layers.backends.clear()
    settings.QUEUEING.pop("REDIS_URL", None)
    for name in dir(settings):
        if (value := _setting(name)) and _is_secret(name, value):
            empty = _emptied(value)
            setattr(settings, name, empty)
            for variables in modules_of_settings():
                if variables.get(name) is value:
                    variables[name] = empty
    for name in [name for name in os.environ if not KEPT_VARIABLE.fullmatch(name)]:
        _forget_variable(name)


@cache
def modules_of_settings() -> list[dict[str, Any]]:
    """The variables of all modules that have settings. To look through all modules takes some milliseconds."""
    return [vars(module) for module in list(sys.modules.values()) if "DATABASES" in getattr(module, "__dict__", {})]


def _setting(name: str) -> Any:
    with suppress(ImproperlyConfigured):  # SECRET_KEY without a value
        return getattr(settings, name) if name.isupper() else None
    return None


def _is_secret(name: str, value: Any) -> bool:
    if name in HARMLESS or isinstance(value, bool | int | float):
        return False
    keys = " ".join(map(str, value)) if isinstance(value, dict) else ""
    return name in CONNECTIONS or bool(SECRET_NAME.search(f"{name} {keys}") or SECRET_VALUE.search(str(value)))


def _emptied(value: Any) -> Any:
    """A value of the same type without content. What can be emptied in place is: others may hold it, too."""
    if isinstance(value, dict):
        for inner in value.values():
            _emptied(inner)
    if isinstance(value, dict | list | set):
        value.clear()
        return value
    return type(value)() if isinstance(value, str | bytes | tuple | frozenset) else None


def _forget_variable(name: str) -> None:
    """Overwrite a variable of the environment, which /proc/<pid>/environ would show else, and remove it."""
    if value := os.environ.get(name):
        LIBC.getenv.restype = ctypes.c_void_p
        if address := LIBC.getenv(os.fsencode(name)):
            ctypes.memset(address, ord("x"), len(os.fsencode(value)))
    os.environ.pop(name, None)
