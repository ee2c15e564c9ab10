"""The lines, as staff steer them. `steering.py` changes a row, and `line/levers.py` has the copy of it in Redis."""

from datetime import timedelta
from typing import Any, Self

from django.apps import apps as global_apps
from django.conf import settings
from django.core.validators import MinValueValidator
from django.db import DEFAULT_DB_ALIAS, models
from django.db.models.functions import Now

from queueing.conf import conf
from queueing.line import levers
from queueing.line.levers import Levers, Row
from queueing.models.entry import Entry
from queueing.states import LineState

DUE = models.Q(state__in=[LineState.CLOSED, LineState.STOPPED], opens_at__lte=Now())
LIMITS = ("max_line", "max_per_visitor", "max_starts", "max_running")
# An entry that ended so long ago was started before the last minute, also where the clocks of two hosts differ.
SURELY_EARLIER = timedelta(minutes=2)


class LineQuerySet(models.QuerySet["Line"]):
    def due(self) -> Self:
        """Closed lines whose time to open has come, by the database's clock."""
        return self.filter(DUE)

    def with_due(self) -> Self:
        """Each line has `is_due`: as `due`."""
        return self.annotate(is_due=models.Exists(Line.objects.due().filter(pk=models.OuterRef("pk"))))


def _limit(words: str, help_text: str) -> Any:
    return models.PositiveIntegerField(
        words, null=True, blank=True, validators=[MinValueValidator(1)], help_text=help_text
    )


class Line(models.Model):
    """The levers of one line. A line that nobody has touched has no row, and is as the settings say."""

    queue = models.CharField("line", max_length=100, unique=True, editable=False)
    state = models.CharField(max_length=10, choices=LineState, default=LineState.OPEN)
    sentence = models.CharField(
        max_length=300, blank=True, help_text="Shown to all who wait in this line, and on its form."
    )
    opens_at = models.DateTimeField(
        null=True, blank=True, help_text="Of a closed line: when it opens, by itself. The form says so."
    )
    # Staff want to know when the closed line is empty; and since when it is, by the database's clock.
    draining = models.BooleanField("drain", default=False, help_text="Of a closed line: say when it is empty.")
    emptied_at = models.DateTimeField("empty since", null=True, blank=True, editable=False)
    max_line = _limit("longest line", "Entries that may wait. Empty: the setting MAX_LINE.")
    max_per_visitor = _limit(
        "places per visitor",
        "Places in this line that one visitor may hold. Empty: as many as MAX_WAITING_PER_VISITOR allows in all lines.",
    )
    max_starts = _limit("starts per minute", "Empty: as many as the workers can start.")
    max_running = _limit("most running at once", "Empty: as many as there are workers.")

    objects = LineQuerySet.as_manager()

    class Meta:
        ordering = ["queue"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(**{f"{name}__gte": 1}) | models.Q(**{name: None}), name=f"line_{name}"
            )
            for name in LIMITS
        ]

    def __str__(self) -> str:
        return self.queue

    @classmethod
    def of(cls, queue: str) -> "Line":
        """The row of this line; one that is not stored yet, if nobody has touched the line."""
        return cls.objects.filter(queue=queue).first() or cls(queue=queue, state=initial_state(queue))

    @property
    def levers(self) -> Levers:
        """The row, as scripts and pages see it."""
        return Levers(
            state=LineState(self.state),
            sentence=self.sentence,
            opens_at=self.opens_at.timestamp() if self.opens_at else None,
            draining=self.draining and self.emptied_at is None,
            emptied_at=self.emptied_at.timestamp() if self.draining and self.emptied_at else None,
            **{name: getattr(self, name) for name in LIMITS},
        )


def initial_state(queue: str) -> LineState:
    """The state of a line that nobody has touched."""
    return LineState.CLOSED if conf.is_closed(queue) else LineState.OPEN


def make_rows(*, using: str = DEFAULT_DB_ALIAS, apps: Any = global_apps, **_: Any) -> None:
    """After a migration: store the rows of the lines that have none, so that staff see all lines."""
    try:
        model = apps.get_model("queueing", "Line")
    except LookupError:
        return  # it was a migration back to a time before the table
    rows = [model(queue=queue, state=initial_state(queue)) for queue in settings.QUEUEING_TASKS]
    model._default_manager.using(using).bulk_create(rows, ignore_conflicts=True)  # noqa: SLF001


def read_row(queue: str) -> Row:
    """The row of a line, with what Redis has to count for its limits. Queues of stock RQ have no row."""
    if queue not in settings.QUEUEING_TASKS:
        return Row(Levers(), [], 0)
    line = Line.of(queue)
    entries = Entry.objects.filter(queue=queue)
    running = [code.hex for code in entries.running().values_list("code", flat=True)] if line.max_running else []
    lost_starts = 0
    if line.max_starts:
        ended = entries.final().filter(finished_at__gt=Now() - SURELY_EARLIER, attempt__gt=0)
        lost_starts = entries.running()[: line.max_starts].count() + ended[: line.max_starts].count()
    return Row(line.levers, running, lost_starts)


levers.rows.read = read_row
