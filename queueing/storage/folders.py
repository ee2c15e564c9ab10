"""Folders in the storage, whatever it is: on a disk they are made and removed, in a storage of objects they are names.

A storage may have `names_of_folders`, `below` and `delete_many`, which take many files in one call, as `objects.py` has
them. Every other one is asked by Django's own methods.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any

from django.core.files.storage import default_storage

from queueing.connections import give_connection_back
from queueing.exceptions import StorageError
from queueing.storage.staying import sentence_on

storage: Any = default_storage  # which may have more than Django's types know


def warm_up() -> None:
    """In a worker, before its first fork: what each horse would make again to reach the storage."""
    if hasattr(storage, "warm_up"):
        storage.warm_up()


def forget() -> None:
    """In the process of an isolated task: the storage and its keys are gone."""
    if hasattr(storage, "forget"):
        storage.forget()


def is_away() -> bool:
    """True if the storage gave no answer some seconds ago: what can wait does not ask it."""
    return bool(getattr(storage, "is_away", False))


def answers() -> bool:
    """True if the storage answers now. A storage of objects that hangs costs 1.3 s, where a call takes longer."""
    if is_away():
        return False
    try:
        if hasattr(storage, "look"):
            storage.look()
    except StorageError:
        return False
    return True


def are_real() -> bool:
    """True if a folder is more than a part of names: it is made, and has to be removed."""
    return not hasattr(storage, "below")


def give_rows_back() -> None:
    """Before a question to a storage of objects, which may be slow: others may have this connection to the database."""
    if not are_real():
        give_connection_back()


def names_in(folder: str) -> Iterator[str]:
    """The names of the folders in a folder; none if it is not there."""
    if hasattr(storage, "names_of_folders"):
        yield from storage.names_of_folders(folder)
    else:
        yield from _listed(folder)[0]


def below(folder: str) -> list[str]:
    """The paths of all files in a folder and in those inside it."""
    if hasattr(storage, "below"):
        return list(storage.below(folder))
    folders, files = _listed(folder)
    inner = [path for name in folders for path in below(f"{folder}/{name}")]
    return [f"{folder}/{name}" for name in files] + inner


def times_below(folder: str) -> dict[str, datetime]:
    """The same, with the time at which each was stored."""
    if hasattr(storage, "below"):
        return dict(storage.below(folder))
    return {path: storage.get_modified_time(path) for path in below(folder)}


def delete(paths: Iterable[str]) -> None:
    """Delete these files: all that can be deleted. Raises OSError, which names the others."""
    if hasattr(storage, "delete_many"):
        storage.delete_many(paths)
        return
    staying: list[tuple[str, OSError]] = []
    for path in paths:
        try:
            storage.delete(path)
        except OSError as error:
            staying.append((path, error))
    if staying:
        raise OSError(sentence_on(staying)) from staying[0][1]


def remove(folder: str) -> None:
    """Remove a folder that has no files any more, where folders are more than names. Raises OSError."""
    if are_real() and storage.exists(folder):
        remove_inside(folder)
        storage.delete(folder)


def remove_inside(folder: str) -> None:
    """Remove the folders in a folder, which have no files any more. Raises OSError."""
    for name in _listed(folder)[0] if are_real() else ():
        remove(f"{folder}/{name}")


def delete_tree(folder: str) -> None:
    """Delete a folder with all that is in it. Raises OSError."""
    delete(below(folder))
    remove(folder)


def end_uploads(folder: str, older_than: timedelta, *, dry_run: bool = False) -> int:
    """Delete the parts of uploads to this folder that were broken off so long ago; returns their number."""
    return storage.end_uploads(folder, older_than, dry_run=dry_run) if hasattr(storage, "end_uploads") else 0


def _listed(folder: str) -> tuple[list[str], list[str]]:
    try:
        return storage.listdir(folder)  # type: ignore[no-any-return]
    except FileNotFoundError:
        return [], []
