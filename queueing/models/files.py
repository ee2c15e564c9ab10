"""The files of results, and where inputs and results are stored."""

from typing import TYPE_CHECKING

from django.db import models

if TYPE_CHECKING:
    from queueing.models.entry import Entry


def input_path(entry: "Entry", name: str) -> str:
    """The path of an entry's input in the storage. Each attempt's results have a folder beside the input."""
    return f"entries/{entry.code}/{name}"


def file_path(file: "EntryFile", name: str) -> str:
    """The path of a result file: by attempt, so that a late attempt cannot overwrite files that were kept."""
    return f"{results_folder(file.entry, file.attempt)}/{name}"


def results_folder(entry: "Entry", attempt: int) -> str:
    """The folder of an attempt's files, in the storage."""
    return f"entries/{entry.code}/{attempt}"


class EntryFile(models.Model):
    """A file that an attempt made for the visitor."""

    entry = models.ForeignKey("queueing.Entry", models.CASCADE, related_name="files")
    attempt = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=200)
    content_type = models.CharField(max_length=100)
    size = models.PositiveBigIntegerField()
    file = models.FileField(upload_to=file_path, max_length=300)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["entry", "attempt", "name"], name="entryfile_name")]

    def __str__(self) -> str:
        return self.name
