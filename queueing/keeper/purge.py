"""Deleting what is stale: old finished entries with their files, and keys and files that belong to no entry."""

import logging
import math
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import batched

from django.contrib.sessions.models import Session
from django.db.models.functions import Now
from django.utils import timezone

from queueing import ending, inputs, site_time
from queueing.deployment import TRIALS
from queueing.exceptions import StorageError
from queueing.history import counting
from queueing.inputs import FOLDER
from queueing.line.clients import SyncRedis
from queueing.line.jobs import is_entry_job, job_key
from queueing.line.keys import gone_key, presence_key
from queueing.line.servers import ask_each
from queueing.models import Entry, code_of
from queueing.states import LIVE
from queueing.storage import folders

logger = logging.getLogger("queueing")

BATCH = 500
SMALL_BATCH = 50  # rows between two looks at the clock; a storage over the network may take 10 ms for each
# A folder younger than this may belong to a join that is under way: its row comes after its files.
NEWBORN = timedelta(hours=1)
# The kind that is recovered, beside those that are deleted.
RECOVERED = "entries of dead workers"


def purge_stale(older_than: timedelta, *, dry_run: bool = False) -> Counter[str]:
    """Everything stale; the number of each kind that was (or with `dry_run`, would be) removed."""
    counts: Counter[str] = Counter()
    counts[RECOVERED] = recover_orphans(dry_run=dry_run)
    counts.update(purge_entries(older_than, dry_run=dry_run))
    counts["keys without a row"] = purge_keys(dry_run=dry_run)
    counts["folders without a row"] = purge_folders(dry_run=dry_run)
    if not folders.are_real():
        counts["objects of interrupted checks"] = purge_trials(dry_run=dry_run)
        counts["uploads that were broken off"] = folders.end_uploads(FOLDER, NEWBORN, dry_run=dry_run)
    return counts


def recover_orphans(*, dry_run: bool = False) -> int:
    """Running entries whose worker is dead: what the keeper does, for a site where it was down."""
    orphans = Entry.objects.lease_over()
    if dry_run:
        return orphans.count()
    return ending.settle_orphans()


def purge_entries(older_than: timedelta, *, dry_run: bool = False, until: float = math.inf) -> Counter[str]:
    """Final rows that ended before, with input, results and timeline; counted by status.

    Stops after the batch in which the monotonic clock reaches `until`, or in which nothing could be deleted because
    another keeper is at it. While the storage is away nothing is deleted.
    """
    stale = Entry.objects.final().filter(finished_at__lt=Now() - older_than).order_by("finished_at")
    if dry_run:
        return Counter(f"{status} entries" for status in stale.values_list("status", flat=True))
    counts: Counter[str] = Counter()
    size = BATCH if until == math.inf else SMALL_BATCH
    while time.monotonic() < until and (batch := list(stale.only("id", "code", "status", "input")[:size])):
        if not _delete_files(batch):
            break
        deleted = counting.delete([entry.pk for entry in batch], wait=until == math.inf)
        if not deleted:
            break
        counts.update(f"{entry.status} entries" for entry in batch if entry.pk in deleted)
    return counts


def _delete_files(batch: Sequence[Entry]) -> bool:
    """Delete the files of these entries. False: the storage is away, so the rows have to stay."""
    if not folders.answers():
        return False
    inputs.release([entry.pk for entry in batch if entry.input])
    try:
        if not folders.are_real():  # all of them in a few calls
            inputs.delete_folders(entry.code for entry in batch)
            return True
    except StorageError as error:
        logger.warning("Stale entries stay, because their files cannot be deleted: %s", error)
        return False
    for entry in batch:
        try:
            inputs.delete_folder(entry.code)
        except OSError:  # its folder is found again, as one without a row
            logger.exception("entry %s: its files cannot be deleted", entry.code)
    return True


def expire_inputs(until: float = math.inf) -> int:
    """Delete the inputs of ended entries that are past INPUT_TTL; returns their number. `until` as in purge_entries.

    While the storage is away nothing is deleted.
    """
    total, over = 0, Entry.objects.inputs_over().order_by("input_until").values_list("pk", flat=True)
    while time.monotonic() < until and (batch := list(over[:SMALL_BATCH])):
        if not folders.answers():
            break
        inputs.release(batch)
        total += len(batch)
    return total


def purge_sessions(until: float = math.inf) -> int:
    """Delete the sessions that have expired; returns their number. `until` as in purge_entries."""
    total, expired = 0, Session.objects.filter(expire_date__lt=site_time.now()).order_by("expire_date")
    while time.monotonic() < until and (batch := list(expired.values_list("pk", flat=True)[:BATCH])):
        total += Session.objects.filter(pk__in=batch, expire_date__lt=site_time.now()).delete()[0]
    return total


def purge_keys(*, dry_run: bool = False) -> int:
    """Jobs, presence and goodbyes whose entry has ended or is gone, on the servers that answer. Foreign jobs stay."""
    return sum(ask_each(lambda server: _purge_keys_at(server.client, dry_run=dry_run)))


def _purge_keys_at(client: SyncRedis, *, dry_run: bool) -> int:
    removed = 0
    for key_of in (presence_key, gone_key, job_key):
        for job_ids in _job_ids(client, prefix=key_of("")):
            stale = _without_live_row(client, job_ids)
            removed += len(stale)
            if stale and not dry_run:
                client.delete(*map(key_of, stale))
    return removed


def purge_folders(*, dry_run: bool = False) -> int:
    """Folders whose row is gone, but for those with an input that another row names."""
    total = 0
    for batch in batched(folders.names_in(FOLDER), BATCH):
        known = {str(code) for code in Entry.objects.of_jobs(batch).values_list("code", flat=True)}
        unknown = [(name, code) for name in batch if name not in known and (code := code_of(name))]
        lost = [code for name, code in unknown if _is_lost(f"{FOLDER}/{name}")]
        if not dry_run:
            inputs.delete_folders(lost)
        total += len(lost)
    return total


def purge_trials(*, dry_run: bool = False) -> int:
    """Objects by which a check has tried the storage, and which it could not delete."""
    old = [path for path, time in folders.times_below(TRIALS).items() if timezone.now() - time > NEWBORN]
    if not dry_run:
        folders.delete(old)
    return len(old)


def _job_ids(client: SyncRedis, *, prefix: str) -> Iterator[tuple[str, ...]]:
    """The ids of all keys with this prefix that look like an entry's, in batches."""
    keys = client.scan_iter(match=f"{prefix}*", count=1000)
    names = (key.decode(errors="replace").removeprefix(prefix) for key in keys)
    return batched([name for name in names if code_of(name) and len(name) == 32], BATCH)


def _without_live_row(client: SyncRedis, job_ids: Sequence[str]) -> list[str]:
    live = {code.hex for code in Entry.objects.of_jobs(job_ids).filter(status__in=LIVE).values_list("code", flat=True)}
    dead = [job_id for job_id in job_ids if job_id not in live]
    # The id of a foreign job may be a UUID too; its hash names another function.
    return [job_id for job_id in dead if is_entry_job(client, job_id)]


def _is_lost(folder: str) -> bool:
    """True if nothing in the folder is new, and no row names anything in it as its input."""
    stored = folders.times_below(folder)
    if not stored and not folders.are_real():
        return False  # some servers tell the name of a folder that had objects
    return not inputs.named_among(stored) and all(timezone.now() - time > NEWBORN for time in stored.values())
