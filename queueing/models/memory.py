"""The memory of the lines: a row for each line and minute. `history/` writes and reads it."""

from datetime import datetime, timedelta

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from queueing import site_time
from queueing.tally import COLUMNS, Tally, unpacked

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


class Counted(models.IntegerChoices):
    """Stages of an entry on its way into its line's minutes. The keeper moves it on together with the minutes."""

    NOTHING = 0
    JOIN = 1
    START = 2
    END = 3
    WORTH = 4  # goodput or waste


# Entries of which something is not in its minute yet, in the order of `Counted`.
NOT_COUNTED = (
    Q(counted__lt=Counted.JOIN)
    | Q(counted__lt=Counted.START, started_at__isnull=False)
    | Q(counted__lt=Counted.END, finished_at__isnull=False)
    | Q(counted__lt=Counted.WORTH, end_seen_at__isnull=False)
)


class LineMemory(models.Model):
    """One line in the memory. Whoever writes minutes of the line locks this row."""

    id = models.SmallAutoField(primary_key=True)
    queue = models.CharField(max_length=100, unique=True)
    # All that ever happened, for counters that only grow: the columns of a Tally, and what it packs.
    columns = models.JSONField(default=dict)
    packed = models.BinaryField(default=bytes)
    # The latest minute, which goes into a row when a later one begins. In PostgreSQL a row that is written again and
    # again leaves dead versions, which take twice its room.
    open_at = models.DateTimeField(null=True)
    open_columns = models.JSONField(default=dict)
    open_packed = models.BinaryField(default=bytes)
    # The minute at whose end the line was sampled last.
    sampled = models.DateTimeField(null=True)
    # Minutes before this time are rolled up into hours.
    rolled_up_to = models.DateTimeField(null=True)
    # The notes that were written into timelines last: their number, and a digest of the last one (keeper/timeline.py).
    notes_written = models.PositiveIntegerField(default=0)
    last_note = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name_plural = "line memories"

    def __str__(self) -> str:
        return self.queue

    def add(self, tally: Tally) -> None:
        """Add to the totals of this object. They only grow: a start that is undone stays in them, and so does its wait.

        Else every reader of a counter would take it for one that began anew.
        """
        summed = self.tally()
        summed.add(tally.gains())
        self.columns, self.packed = summed.columns(), summed.pack()

    def note(self, at: datetime, tally: Tally) -> tuple[datetime, Tally] | None:
        """Add to the open minute of this object. Returns the minute that has to go into a row now.

        That is this one, if it is over, and else the one that was open until now.
        """
        if (self.open_at and at < self.open_at) or at > site_time.now():  # late, or of a clock that is ahead
            return at, tally
        opened, closed = self.open_tally(), None
        if at != self.open_at:
            closed = (self.open_at, opened) if self.open_at else None
            opened = Tally()
        opened.add(tally)
        self.open_at, self.open_columns, self.open_packed = at, opened.columns(), opened.pack()
        return closed

    def open_tally(self) -> Tally:
        """The numbers of the open minute."""
        return unpacked({name: self.open_columns.get(name, 0) for name in COLUMNS}, bytes(self.open_packed))

    def tally(self) -> Tally:
        """The totals."""
        return unpacked({name: self.columns.get(name, 0) for name in COLUMNS}, bytes(self.packed))


class LineMinute(models.Model):
    """The events of one line in one minute, or after a week in one hour. See `Tally` for the numbers.

    The columns are those by which lists and pages sum; everything else is packed. A row takes 150 bytes.
    """

    # Wide columns first: PostgreSQL aligns them, and each gap would take megabytes.
    pk = models.CompositePrimaryKey("line", "at")
    at = models.DateTimeField()  # the beginning
    joined = models.IntegerField(default=0)
    started = models.IntegerField(default=0)
    succeeded = models.IntegerField(default=0)
    failed = models.IntegerField(default=0)
    gone = models.IntegerField(default=0)
    present = models.IntegerField(default=0)
    held = models.IntegerField(default=0)
    running = models.IntegerField(default=0)
    workers = models.IntegerField(default=0)
    line = models.ForeignKey(LineMemory, models.CASCADE, db_index=False, related_name="minutes")
    span = models.SmallIntegerField(default=1)  # minutes: 1 or 60
    samples = models.SmallIntegerField(default=0)
    packed = models.BinaryField(default=bytes)

    def __str__(self) -> str:
        return f"{self.line} {self.at:%Y-%m-%d %H:%M}"

    @classmethod
    def of(cls, line: LineMemory, at: datetime, span: int, tally: Tally) -> "LineMinute":
        """The row of a tally."""
        return cls(line=line, at=at, span=span, packed=tally.pack(), **tally.columns())

    def tally(self) -> Tally:
        """The numbers of this row."""
        return unpacked({name: getattr(self, name) for name in COLUMNS}, bytes(self.packed))


class LineEvent(models.Model):
    """An event that explains the numbers of a line, as a mark in its charts. Kept as long as the hours."""

    class Kind(models.TextChoices):
        DEPLOYED = "deployed", "New code or settings"
        PAUSED = "paused", "Paused"
        RESUMED = "resumed", "Resumed"
        CLOSED = "closed", "Closed"
        OPENED = "opened", "Opened"
        SUSPENDED = "suspended", "All workers paused"
        UNSUSPENDED = "unsuspended", "All workers resumed"
        FLUSHED = "flushed", "Redis empty or another server"

    queue = models.CharField(max_length=100)
    at = models.DateTimeField(db_default=Now())
    kind = models.CharField(max_length=12, choices=Kind)
    detail = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["at", "id"]
        # The charts of one line, and the deletion of old events (`history/rolling.py`).
        indexes = [models.Index(fields=["queue", "at"], name="line_event")]

    def __str__(self) -> str:
        return f"{self.queue} {self.at:%Y-%m-%d %H:%M} {self.words}"

    @property
    def words(self) -> str:
        """The event in words."""
        return f"{self.get_kind_display()}, {self.detail}" if self.detail else self.get_kind_display()
