"""Deleting what is stale: old finished entries with their files, and keys and files that belong to no entry."""

import logging
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import batched

from django.core.files.storage import default_storage
from django.db.models.functions import Now
from django.utils import timezone

from queueing import ending
from queueing.line.clients import connection
from queueing.line.jobs import is_entry_job, job_key
from queueing.line.keys import gone_key, presence_key
from queueing.models import Entry, code_of
from queueing.states import LIVE

logger = logging.getLogger("queueing")

BATCH = 500
SMALL_BATCH = 50  # rows between two looks at the clock; a storage over the network may take 10 ms for each
FOLDER = "entries"
# A folder younger than this may belong to a join that is under way: its row comes after its files.
NEWBORN = timedelta(hours=1)


def purge_stale(older_than: timedelta, *, dry_run: bool = False) -> Counter[str]:
    """Everything stale; the number of each kind that was (or with `dry_run`, would be) removed."""
    counts: Counter[str] = Counter()
    counts["orphaned entries recovered"] = recover_orphans(dry_run=dry_run)
    counts.update(purge_entries(older_than, dry_run=dry_run))
    counts["keys without a row"] = purge_keys(dry_run=dry_run)
    counts["folders without a row"] = purge_folders(dry_run=dry_run)
    return counts


def recover_orphans(*, dry_run: bool = False) -> int:
    """Running entries whose worker is dead: what the keeper does, for a site where it was down."""
    orphans = Entry.objects.lease_over()
    if dry_run:
        return orphans.count()
    return ending.settle_orphans()


def purge_entries(older_than: timedelta, *, dry_run: bool = False, until: float = math.inf) -> Counter[str]:
    """Final rows that ended before, with input, results and timeline; counted by status.

    Stops after the batch in which the monotonic clock reaches `until`.
    """
    stale = Entry.objects.final().filter(finished_at__lt=Now() - older_than).order_by("finished_at")
    if dry_run:
        return Counter(f"{status} entries" for status in stale.values_list("status", flat=True))
    counts: Counter[str] = Counter()
    size = BATCH if until == math.inf else SMALL_BATCH
    while time.monotonic() < until and (batch := list(stale.only("id", "code", "status")[:size])):
        for entry in batch:
            try:
                _delete_tree(f"{FOLDER}/{entry.code}")
            except OSError:  # its folder is found again, as one without a row
                logger.exception("entry %s: its files cannot be deleted", entry.code)
        Entry.objects.filter(pk__in=[entry.pk for entry in batch]).delete()
        counts.update(f"{entry.status} entries" for entry in batch)
    return counts


def purge_keys(*, dry_run: bool = False) -> int:
    """Jobs, presence and goodbyes whose entry has ended or is gone. Foreign jobs stay."""
    removed = 0
    for key_of in (presence_key, gone_key, job_key):
        for job_ids in _job_ids(prefix=key_of("")):
            stale = _without_live_row(job_ids)
            removed += len(stale)
            if stale and not dry_run:
                connection().delete(*map(key_of, stale))
    return removed


def purge_folders(*, dry_run: bool = False) -> int:
    """Folders of files whose row is gone."""
    if not default_storage.exists(FOLDER):
        return 0
    folders, _ = default_storage.listdir(FOLDER)
    known = {
        str(code)
        for batch in batched(folders, BATCH)
        for code in Entry.objects.of_jobs(batch).values_list("code", flat=True)
    }
    lost = [name for name in folders if code_of(name) and name not in known and _is_old(f"{FOLDER}/{name}")]
    if not dry_run:
        for name in lost:
            _delete_tree(f"{FOLDER}/{name}")
    return len(lost)


def _job_ids(*, prefix: str) -> Iterator[tuple[str, ...]]:
    """The ids of all keys with this prefix that look like an entry's, in batches."""
    keys = connection().scan_iter(match=f"{prefix}*", count=1000)
    names = (key.decode(errors="replace").removeprefix(prefix) for key in keys)
    return batched([name for name in names if code_of(name) and len(name) == 32], BATCH)


def _without_live_row(job_ids: Sequence[str]) -> list[str]:
    live = {code.hex for code in Entry.objects.of_jobs(job_ids).filter(status__in=LIVE).values_list("code", flat=True)}
    dead = [job_id for job_id in job_ids if job_id not in live]
    # The id of a foreign job may be a UUID too; its hash names another function.
    return [job_id for job_id in dead if is_entry_job(job_id)]


def _is_old(folder: str) -> bool:
    folders, files = default_storage.listdir(folder)
    paths = [f"{folder}/{name}" for name in files]
    paths += [
        f"{folder}/{inner}/{name}" for inner in folders for name in default_storage.listdir(f"{folder}/{inner}")[1]
    ]
    return all(timezone.now() - default_storage.get_modified_time(path) > NEWBORN for path in paths)


def _delete_tree(folder: str) -> None:
    """Input and results, whatever files an interrupted attempt has left there."""
    if not default_storage.exists(folder):
        return
    folders, files = default_storage.listdir(folder)
    for name in files:
        default_storage.delete(f"{folder}/{name}")
    for name in folders:
        _delete_tree(f"{folder}/{name}")
    default_storage.delete(folder)
