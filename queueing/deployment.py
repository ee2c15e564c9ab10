"""Requirements of a deployed site beside its settings: collected static files, folders to write to, tables.

The system checks and `/readyz` ask the same questions.
"""

import errno
import os
import tempfile
import uuid
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.contrib.staticfiles.apps import StaticFilesConfig
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import ManifestFilesMixin, StaticFilesStorage, staticfiles_storage
from django.contrib.staticfiles.utils import get_files
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.utils.functional import empty

from queueing.exceptions import StorageError

FAVICON = "queueing/favicon.svg"  # every page has it
LACKS_PLAIN, UNCOLLECTED = "queueing.W100", "queueing.E121"  # the checks of what is not collected
TRIALS = "checks"  # the folder of the objects by which a storage is tried
# The contents of folders, in words; and the variables by which Python finds the folder of temporary files, in order.
SQLITE_FILES, TEMPORARY_FILES = "SQLite's file and its log", "large uploads and the files of tasks"
TEMPORARY = ("TMPDIR", "TEMP", "TMP")


def database_setting() -> str:
    """Where an operator tells the address of the database: the variable of config/settings.py, or Django's setting."""
    return "DATABASE_URL" if hasattr(settings, "DATABASE_URL_IS_SET") else "DATABASES"


def is_database_forgotten() -> bool:
    """True if a production site has SQLite only because nobody told it the address of its database."""
    return not settings.DEBUG and not getattr(settings, "DATABASE_URL_IS_SET", True)


def has_static_files() -> bool:
    """True if the storage of static files needs no manifest, or has one with the files of the pages."""
    if settings.DEBUG:
        return True
    try:
        has_manifest = isinstance(_real(staticfiles_storage), ManifestFilesMixin)
        return not has_manifest or bool(staticfiles_storage.url(FAVICON))
    except (ValueError, OSError):  # no manifest; one that is not JSON; no right to read it
        return False


def lacks_plain_files() -> bool:
    """True if static files lie in a folder of this host as they are, and those of the pages are not among them."""
    storage = _real(staticfiles_storage)
    if settings.DEBUG or isinstance(storage, ManifestFilesMixin) or not isinstance(storage, StaticFilesStorage):
        return False
    if urlsplit(settings.STATIC_URL or "").netloc:  # of another host
        return False
    return not settings.STATIC_ROOT or not is_file(Path(settings.STATIC_ROOT, FAVICON))


def unreadable(folder: str | Path | None) -> Path | None:
    """The first file or folder below this one that this process may not read; None: it may read all that is there.

    As after a command that somebody ran as root.
    """
    if not folder or not os.path.lexists(folder):
        return None
    if not os.access(folder, os.R_OK | os.X_OK):
        return Path(folder)
    for place, folders, files in os.walk(folder):
        for names, rights in ((folders, os.R_OK | os.X_OK), (files, os.R_OK)):
            for name in names:
                if not os.access(path := Path(place, name), rights):
                    return path
    return None


def uncollected() -> list[str]:
    """The apps, and folders of STATICFILES_DIRS, with static files of which a manifest has none."""
    storage = _real(staticfiles_storage)
    if settings.DEBUG or not isinstance(storage, ManifestFilesMixin):
        return []
    places = [place for finder in get_finders() for place in getattr(finder, "storages", {}).items()]
    return [str(owner) for owner, files in places if _lacks_all(files, storage.hashed_files)]


def shows_static_files() -> bool:
    """True if pages have their style and scripts, as far as this host knows.

    A site that silences a check says that another host has these files, or that it needs none of that app.
    """
    silenced = settings.SILENCED_SYSTEM_CHECKS
    return (
        has_static_files()
        and (LACKS_PLAIN in silenced or not lacks_plain_files())
        and (UNCOLLECTED in silenced or not uncollected())
    )


def _lacks_all(files: Any, collected: Collection[str]) -> bool:
    """True if there are files, and none of them is collected. The first one answers, as a rule."""
    prefix, is_lacking = getattr(files, "prefix", ""), False  # Django sets one where a folder has it, in the settings
    with suppress(OSError):  # a folder that is not there
        for name in get_files(files, StaticFilesConfig.ignore_patterns):
            if f"{prefix or ''}/{name}".lstrip("/") in collected:
                return False
            is_lacking = True
    return is_lacking


def folders() -> Iterator[tuple[str, Path]]:
    """The folders that the processes write to, each with its contents in words."""
    with suppress(NotImplementedError):  # a storage without paths
        yield "inputs and results", Path(default_storage.path(""))
    if connection.vendor == "sqlite" and (file := sqlite_file(str(connection.settings_dict["NAME"]))):
        yield SQLITE_FILES, file.parent
    yield TEMPORARY_FILES, Path(tempfile.gettempdir())


def sqlite_file(name: str) -> Path | None:
    """The file of this database, whose name may be relative to where the worker was started, or a URI; None: memory."""
    if name == ":memory:" or "mode=memory" in name or name.startswith("file::memory:"):
        return None
    if name.startswith("file:"):
        name = unquote(urlsplit(name).path)
    return Path(name).absolute() if name else None


def unwritable_folders() -> Iterator[tuple[str, Path]]:
    """Those of the folders that take no file.

    Also the one that the environment names for temporary files: Python takes another one, and says nothing.
    """
    yield from ((what, folder) for what, folder in folders() if not is_writable(folder))
    wanted = next(filter(None, map(os.environ.get, TEMPORARY)), "")
    if wanted and _error_of_file(Path(wanted)) and Path(wanted) != Path(tempfile.gettempdir()):
        yield TEMPORARY_FILES, Path(wanted)


def is_writable(folder: Path) -> bool:
    """True if this process can write into the folder, or into the one in which it would be made."""
    return _refusal(folder) is None


def is_read_only(folder: Path) -> bool:
    """True if the file system is read-only for this process there, whoever owns the folder.

    As a mount that is read-only, and all that systemd's ProtectSystem=strict closes.
    """
    error = _refusal(folder)
    return error is not None and error.errno == errno.EROFS


def _refusal(folder: Path) -> OSError | None:
    """The error of a file that is written there, or into the folder in which this one would be made."""
    try:
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
    except OSError as error:  # no right to look into a folder on the way there
        return error
    return _error_of_file(folder)


def _error_of_file(folder: Path) -> OSError | None:
    """The error of a file without a name that is written there: rights, mounts and capabilities have many rules."""
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        return error
    return None


def is_file(path: Path) -> bool:
    """True if the file is there. False also without the right to look, for which `Path.is_file` raises an error."""
    try:
        return path.is_file()
    except OSError:
        return False


def look_at_objects() -> None:
    """Raises StorageError if the storage of objects, where there is one, does not show its bucket within 1.3 s."""
    storage: Any = default_storage
    if hasattr(storage, "look"):
        storage.look()


def try_objects() -> None:
    """Store a small object, read, list and delete it, where there is a storage of objects. Raises StorageError."""
    storage: Any = default_storage
    if not hasattr(storage, "look"):
        return
    storage.look()
    name = storage.save(f"{TRIALS}/{uuid.uuid4()}", ContentFile(b"written by a check"))
    try:
        with storage.open(name) as found:
            found.read()
        storage.below(TRIALS)
    finally:  # what an error or a crash leaves, a purge deletes
        storage.delete(name)


def keeps_versions() -> bool:
    """True if the storage of objects keeps what is deleted. False also if the site's key may not ask that."""
    storage: Any = default_storage
    try:
        return hasattr(storage, "keeps_versions") and storage.keeps_versions()
    except StorageError:
        return False


def missing_migrations() -> list[str]:
    """The names of the migrations that the database lacks. Raises DATABASE_ERRORS."""
    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{migration.app_label}.{migration.name}" for migration, _ in plan]


def unknown_migrations() -> list[str]:
    """The names of the queue's own migrations that the database has, and this code does not know.

    Raises DATABASE_ERRORS.
    """
    loader = MigrationLoader(connection)
    replaced = {old for migration in loader.disk_migrations.values() for old in migration.replaces}
    unknown = loader.applied_migrations.keys() - loader.disk_migrations.keys() - replaced
    return sorted(f"{label}.{name}" for label, name in unknown if label == "queueing")


def _real(storage: Any) -> Any:
    """The storage behind Django's lazy object."""
    if getattr(storage, "_wrapped", None) is empty:
        storage._setup()  # noqa: SLF001  # what the first access to it does
    return getattr(storage, "_wrapped", storage)
