"""Budgets of what is stored: of one visitor, one network, one line, and in all; and the free disk.

Bytes are those of inputs (a shared one counts once) and of results' files: the columns `input_size` and `files_size`.
Entries are rows, from the join until RESULT_TTL after the end; one whose content was deleted counts, too.

What a visitor and a network have is summed at each join, by index. The sums of the lines are made every
TOTALS_INTERVAL by the keeper, up to some id; a join adds the rows behind that id.

Joins at the same moment do not see each other: N of them exceed a budget by N uploads at most. The results of entries
that were let in come on top.
"""

import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from django.core.files.storage import default_storage
from django.db import connection as database
from django.db.models import Count, F, Max, Q, Sum

from queueing import logs, policy
from queueing.conf import conf
from queueing.exceptions import (
    JoinRefused,
    LineStoresTooMuch,
    LowOnDisk,
    NetworkStoresTooMuch,
    SiteStoresTooMuch,
    StoresTooMuch,
    TooLargeToStore,
)
from queueing.line.clients import RedisError, connection, is_wrong_type
from queueing.line.keys import STORED, SUMMING
from queueing.line.tampering import reports, shorten
from queueing.models import Entry, EntryQuerySet
from queueing.sizes import readable_size

logger = logging.getLogger("queueing")

TOTALS_INTERVAL = 10.0  # seconds between two sums of the keeper
TOTALS_TTL = 60  # seconds; without a keeper, a join then makes the sums
SUMMING_TTL, LOOKS, PAUSE = 5, 20, 0.05  # seconds; the joins that wait for these sums look so often, with such pauses
MANY = 100  # rows behind the sums, which a join then moves forward: reading one more row costs 0.5 us

_low_on_disk = logs.Seldom(logger, 60)

BYTES = Sum(F("input_size") + F("files_size"))


class Used(NamedTuple):
    """The bytes and entries that count for one budget."""

    bytes: int = 0
    entries: int = 0

    def __add__(self, other: "Used") -> "Used":  # type: ignore[override]  # a tuple's own joins the two
        return Used(self.bytes + other.bytes, self.entries + other.entries)


@dataclass(frozen=True, slots=True)
class Totals:
    """The sums of the lines, of rows up to an id."""

    last_id: int = 0
    lines: Mapping[str, Used] = field(default_factory=dict)

    def of(self, queue: str) -> Used:
        """The stored bytes and entries of one line."""
        return self.lines.get(queue, Used())

    def of_all(self) -> Used:
        """The stored bytes and entries of all lines."""
        return sum(self.lines.values(), Used())


class Use(NamedTuple):
    """The use of one entry's visitor, network and line, and of the site; and the slots that its visitor has taken."""

    visitor: Used
    network: Used
    line: Used
    site: Used
    slots: int  # of the numbers that are allowed


# The sums for the budgets of a join. The rows behind the published sums are few, and so are those of one visitor. Only
# live rows have a slot.
USED = """
SELECT COUNT(CASE WHEN visitor = %(visitor)s AND slot < %(slots)s THEN 1 END),
       COALESCE(SUM(CASE WHEN visitor = %(visitor)s THEN input_size + files_size END), 0),
       COUNT(CASE WHEN visitor = %(visitor)s THEN 1 END),
       COALESCE(SUM(CASE WHEN address = %(address)s THEN input_size + files_size END), 0),
       COUNT(CASE WHEN address = %(address)s THEN 1 END),
       COALESCE(SUM(CASE WHEN id > %(last_id)s AND queue = %(queue)s THEN input_size + files_size END), 0),
       COUNT(CASE WHEN id > %(last_id)s AND queue = %(queue)s THEN 1 END),
       COALESCE(SUM(CASE WHEN id > %(last_id)s THEN input_size + files_size END), 0),
       COUNT(CASE WHEN id > %(last_id)s THEN 1 END)
FROM queueing_entry
WHERE visitor = %(visitor)s OR address = %(address)s OR id BETWEEN %(last_id)s + 1 AND %(last_id)s + 1000000000
"""  # the far end tells a PostgreSQL that knows nothing of the table yet that the rows behind the sums are few


def check(entry: Entry, size: int, use: Use | None = None) -> None:
    """May this new entry store so many bytes more? It is not stored yet, and its queue and owner are known.

    Raises LowOnDisk; TooLargeToStore, StoresTooMuch or another of its kind, which says whose budget it is; RedisError.
    """
    if lack := lack_of_room(size):
        _low_on_disk.warning("The storage is full: %s", lack)
        raise LowOnDisk
    visitor, network, line, site, _ = used(entry) if use is None else use
    quota = policy.quota_of(entry.user)
    for what, most_bytes, most_entries, refusal in (
        (visitor, quota.bytes, quota.entries, StoresTooMuch),
        (network, conf.MAX_BYTES_PER_ADDRESS, conf.MAX_ENTRIES_PER_ADDRESS, NetworkStoresTooMuch),
        (line, conf.MAX_BYTES_PER_LINE, conf.MAX_ENTRIES_PER_LINE, LineStoresTooMuch),
        (site, conf.MAX_BYTES, conf.MAX_ENTRIES, SiteStoresTooMuch),
    ):
        if most_bytes and what.bytes + size > most_bytes:
            raise _without_room(refusal, size, most_bytes, most_bytes - what.bytes)
        if most_entries and what.entries >= most_entries:
            raise refusal(refusal.entries_sentence)


def largest_file(user: Any) -> int:
    """Bytes of the largest file of this user for which an empty store has room; 0: of any size."""
    budgets = (policy.quota_of(user).bytes, conf.MAX_BYTES_PER_ADDRESS, conf.MAX_BYTES_PER_LINE, conf.MAX_BYTES)
    return min((most for most in budgets if most), default=0)


def _without_room(refusal: type[JoinRefused], size: int, most: int, free: int) -> JoinRefused:
    """The refusal of a file. Its sentence says if the file would not fit into an empty store, either."""
    if size > most:
        return TooLargeToStore(refusal.too_large_sentence.format(most=readable_size(most)))
    if free <= 0:
        return refusal()
    return refusal(refusal.room_sentence.format(free=readable_size(free), most=readable_size(most)))


def used(entry: Entry, totals: Totals | None = None, slots: int = 0) -> Use:
    """The use by now, by these sums or by those that were published last; of so many slots. Raises RedisError."""
    totals = totals or read_totals() or _totals_of_one()
    with database.cursor() as cursor:
        cursor.execute(USED, parameters(entry, totals.last_id) | {"slots": slots})
        taken, *sums = [int(value) for value in cursor.fetchone()]
    visitor, network, line, site = (Used(*sums[at : at + 2]) for at in (0, 2, 4, 6))
    if site.entries > MANY:
        move_totals(totals)
    return Use(visitor, network, totals.of(entry.queue) + line, totals.of_all() + site, taken)


def parameters(entry: Entry, last_id: int) -> dict[str, Any]:
    """The parameters of USED. A visitor or network that is unknown or unlimited is NULL there: it equals nothing."""
    visitor = Entry._meta.get_field("visitor").get_db_prep_value(entry.visitor, database)
    is_limited = conf.MAX_BYTES_PER_ADDRESS or conf.MAX_ENTRIES_PER_ADDRESS
    address = entry.address or None if is_limited else None
    return {"visitor": visitor, "address": address, "queue": entry.queue, "last_id": last_id, "slots": 0}


# The sums of the lines


def read_totals() -> Totals | None:
    """The sums as they were published last. None: nobody has lately, or they make no sense. Raises RedisError."""
    try:
        written: Any = connection().get(STORED)
    except RedisError as error:
        if not is_wrong_type(error):
            raise
        written = b""
    return parse_totals(written)


def parse_totals(written: bytes | None) -> Totals | None:
    """The published sums. None: nobody has published any lately, or they make no sense."""
    if written is None:
        return None
    try:
        values = json.loads(written)
        lines = {str(queue): Used(int(size), int(entries)) for queue, (size, entries) in values["lines"].items()}
        return Totals(int(values["last_id"]), lines)
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        reports.add("the sums %s are none", shorten(written[:100]))
        return None


def _totals_of_one() -> Totals:
    """The sums, made by one join for all that ask now: each time they cost a look at every row. Raises RedisError."""
    if connection().set(SUMMING, 1, nx=True, ex=SUMMING_TTL):
        totals = publish_totals()
        connection().delete(SUMMING)
        return totals
    for _ in range(LOOKS):
        time.sleep(PAUSE)
        if totals_of_another := read_totals():
            return totals_of_another
    return publish_totals()  # the other join has died, or its sums take long


def publish_totals() -> Totals:
    """Make the sums and publish them. Raises RedisError.

    A row that is inserted meanwhile may count twice until the next time; one whose commit is under way, not at all.
    """
    last_id = Entry.objects.aggregate(last=Max("id"))["last"] or 0
    stored = stored_rows().values("queue").annotate(bytes=BYTES)
    sizes = {row["queue"]: int(row["bytes"]) for row in stored.order_by()}
    counts = Entry.objects.values("queue").annotate(rows=Count("id")).order_by()
    totals = Totals(last_id, {row["queue"]: Used(sizes.get(row["queue"], 0), row["rows"]) for row in counts})
    connection().set(STORED, json.dumps(asdict(totals)), ex=TOTALS_TTL)
    return totals


def move_totals(totals: Totals) -> None:
    """Add the rows behind the sums to them, until the keeper makes new ones, which also know what was deleted."""
    behind = (
        Entry.objects.filter(pk__gt=totals.last_id)
        .values("queue")
        .annotate(bytes=BYTES, rows=Count("id"), last=Max("id"))
    )
    last_id, lines = totals.last_id, dict(totals.lines)
    for row in behind.order_by():
        lines[row["queue"]] = totals.of(row["queue"]) + Used(int(row["bytes"]), row["rows"])
        last_id = max(last_id, row["last"])
    connection().set(STORED, json.dumps(asdict(Totals(last_id, lines))), xx=True, keepttl=True)


def stored_rows() -> EntryQuerySet:
    """The rows that have anything stored."""
    return Entry.objects.filter(Q(input_size__gt=0) | Q(files_size__gt=0))


# The disk


class Room(NamedTuple):
    """The room on the storage's disk for this process."""

    bytes: int
    inodes: int | None  # None: this file system has no fixed number of them


def free_room() -> Room | None:
    """The room on the disk of inputs and results. None: the storage is no folder of this machine."""
    try:
        folder = Path(default_storage.path(""))
    except NotImplementedError:
        return None
    while not folder.exists():  # it is made with the first input
        folder = folder.parent
    disk = os.statvfs(folder)
    return Room(disk.f_bavail * disk.f_frsize, disk.f_favail if disk.f_files else None)


def has_room(size: int = 0) -> bool:
    """True if the disk has MIN_FREE_DISK and MIN_FREE_INODES left once so many bytes more are stored."""
    return not lack_of_room(size)


def lack_of_room(size: int = 0) -> str:
    """The lack of room on the disk for so many bytes more, in words for who runs the site; empty: there is none."""
    room = free_room()
    if room is None:
        return ""
    if room.bytes - size < conf.MIN_FREE_DISK:
        comes = f", {readable_size(size)} would come" if size else ""
        least = readable_size(conf.MIN_FREE_DISK)
        return f"{readable_size(room.bytes)} are free on the disk of MEDIA_ROOT{comes}, and MIN_FREE_DISK keeps {least}"
    if room.inodes is not None and room.inodes <= conf.MIN_FREE_INODES:
        least = str(conf.MIN_FREE_INODES)
        return f"the disk of MEDIA_ROOT has room for {room.inodes} more files, and MIN_FREE_INODES keeps {least}"
    return ""
