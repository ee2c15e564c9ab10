"""Checks of the database, its tables and the rights in them: for `check --deploy`, and at the start of each process."""

from typing import Any

from django.core.checks import CheckMessage, Error, Info, Warning, register
from django.db import connection as database

from queueing import rights
from queueing.conf import site
from queueing.deployment import (
    SQLITE_FILES,
    database_setting,
    is_database_forgotten,
    missing_migrations,
    unknown_migrations,
    unwritable_folders,
)
from queueing.models.trouble import DATABASE_ERRORS, is_refused


@register("queueing", deploy=True)
def check_tables(**_: Any) -> list[CheckMessage]:
    """Without its tables, every page is a 500. A database that is away is not a fault of the deployment."""
    try:
        missing, unknown, known = missing_migrations(), unknown_migrations(), rights.look()
    except DATABASE_ERRORS as error:
        return _no_answer(error)
    if missing:
        return [_missing(missing, known)]
    found = [] if known is None or known.are_enough else [_too_few(known)]
    return [*found, _newer(unknown)] if unknown else found


def _no_answer(error: Exception) -> list[CheckMessage]:
    said = " ".join(str(error).split())
    if any(what == SQLITE_FILES for what, _ in unwritable_folders()):
        return []  # `check_folders` says so
    if is_refused(error):
        hint = f"Correct its name, user or password in {database_setting()}, or what the server lets this user do."
        return [Error(f"The database refuses this site ({said}).", hint=hint, id="queueing.E119")]
    sentence = f"The database does not answer, so its tables are not known ({said})."
    return [Info(sentence, hint=f"Start it, or correct {database_setting()}.", id="queueing.I102")]


def _missing(migrations: list[str], known: rights.Rights | None) -> CheckMessage:
    forgotten = f" DATABASE_URL is not set, so this is SQLite: {database.settings_dict['NAME']}."
    first, run = "", "Set it. Or run" if is_database_forgotten() else "Run"
    if known is not None and not known.makes_tables:
        first = (
            f"Its user {known.user} may not make tables there. Run, as the administrator of the database: "
            f"ALTER DATABASE {known.database} OWNER TO {known.user}. Then"
        )
    return Error(
        f"The database lacks {len(migrations)} migrations: {', '.join(migrations[:3])} …"
        f"{forgotten if is_database_forgotten() else ''}",
        hint=f"{first} {run.lower() if first else run}: {site.MANAGE} migrate".lstrip(),
        id="queueing.E102",
    )


def _newer(migrations: list[str]) -> CheckMessage:
    """The code was put back, and the tables were not: what a newer version needs may break this one."""
    return Warning(
        f"A newer version has migrated the database: this one does not know {', '.join(migrations)}.",
        hint="Put that version back, or undo them first with its code: migrate queueing <the last one of this version>",
        id="queueing.W143",
    )


def _too_few(known: rights.Rights) -> CheckMessage:
    """The database can be read, so that it seems to be there. Each join would be an error."""
    if known.is_read_only:
        kind = "is a replica" if known.is_replica else "is read-only for this site (default_transaction_read_only)"
        hint = f"Name the primary in {database_setting()}."
        if not known.is_replica:
            hint = (
                f"Name another one in {database_setting()}, or switch that off: ALTER DATABASE {known.database} RESET "
                f"default_transaction_read_only; ALTER ROLE {known.user} RESET default_transaction_read_only"
            )
        return Error(f"The database {kind}, so it takes no writes.", hint=hint, id="queueing.E140")
    return Error(
        f"The user {known.user} of the database may not read and write {', '.join(known.closed[:3])}"
        f"{' …' if len(known.closed) > 3 else ''}.",
        hint="Run, as its administrator: GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA "
        f"{known.schema} TO {known.user}. Migrations need more: that {known.user} owns the tables.",
        id="queueing.E141",
    )
