"""The timeline of an entry."""

from django.db import models
from django.utils import timezone


class EntryEvent(models.Model):
    """A line of an entry's timeline that the row itself does not tell: held, back, a start, a dead worker."""

    class Kind(models.TextChoices):
        HELD = "held", "Held"
        BACK = "back", "Back in place"
        STARTED = "started", "Started"
        PROGRESS = "progress", "Progress"
        ORPHANED = "orphaned", "Worker died"
        KEPT = "kept", "Asked to keep the place"
        RESTORED = "restored", "Place restored"
        STAFF = "staff", "By staff"
        RETRIED = "retried", "To be tried again"

    entry = models.ForeignKey("queueing.Entry", models.CASCADE, related_name="events")
    at = models.DateTimeField(default=timezone.now)
    kind = models.CharField(max_length=10, choices=Kind)
    detail = models.CharField(max_length=200, blank=True)
    # Number of times that this happened: the last line about comings and goings stands for all that followed it.
    times = models.PositiveIntegerField(default=1)

    class Meta:
        ordering = ["at", "id"]

    def __str__(self) -> str:
        return f"{self.at:%H:%M:%S} {self.get_kind_display()} {self.words}".strip()

    @property
    def words(self) -> str:
        """The detail, and how often more it happened."""
        more = f"and {self.times - 1} more until now" if self.times > 1 else ""
        return f"{self.detail} {more}".strip()
