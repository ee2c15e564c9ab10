"""The indexes and constraints of entries. Each names its reader; `tests/unit/test_plans.py` looks at the plans."""

from django.db import models

from queueing.models.memory import NOT_COUNTED
from queueing.states import Status

INDEXES = [
    # The keeper's round: the waiting rows of a queue, and leases that are over. With the address: `crowding`.
    models.Index(fields=["queue", "address"], condition=models.Q(status=Status.WAITING), name="entry_waiting"),
    models.Index(fields=["lease_until"], condition=models.Q(status=Status.RUNNING), name="entry_running"),
    # The entries whose time has come, in each round (`keeper/later.py`).
    models.Index(
        fields=["not_before"],
        condition=models.Q(status=Status.WAITING, not_before__isnull=False),
        name="entry_put_off",
    ),
    # The list of entries in the admin, by status and by reason, newest first (`admin/listing.py`).
    models.Index(
        fields=["status", "-id"],
        condition=models.Q(status__in=[Status.FAILED, Status.CANCELLED, Status.ABANDONED]),
        name="entry_unsuccessful",
    ),
    models.Index(fields=["reason", "-id"], condition=models.Q(reason__gt=""), name="entry_reason"),
    # The same, by attempt: few entries have a second one.
    models.Index(fields=["-id"], condition=models.Q(attempt__gt=1), name="entry_retried"),
    # The runs of each line: the keeper's survey (`running_rows`), each 2 s.
    models.Index(fields=["queue"], condition=models.Q(status=Status.RUNNING), name="entry_running_queue"),
    # The latest ends (`latest_ends` of the survey), and the sums of `queue_stats`.
    models.Index(fields=["queue", "finished_at"], name="entry_finished"),
    # The latest runs of a line in which most entries end otherwise (`latest_runs` of the survey).
    models.Index(fields=["queue", "finished_at"], condition=models.Q(status=Status.SUCCEEDED), name="entry_succeeded"),
    # `purge_entries`, each minute.
    models.Index(fields=["finished_at"], name="entry_finished_at"),
    # Whether another row names an input (`inputs.release`).
    models.Index(fields=["input"], condition=models.Q(input__gt=""), name="entry_input"),
    # The inputs of ended entries that are past their time (`expire_inputs`, every few seconds).
    models.Index(fields=["input_until"], condition=models.Q(input__gt=""), name="entry_input_until"),
    # The rows of a new entry's network (`budget.used`, at each join).
    models.Index(fields=["address"], name="entry_address"),
    # The bytes of each line (`budget.publish_totals`, every few seconds).
    models.Index(
        fields=["queue"],
        condition=models.Q(input_size__gt=0) | models.Q(files_size__gt=0),
        name="entry_stored",
    ),
    # The entries that are due for the memory (`history/counting.py`, every few seconds).
    models.Index(fields=["queue"], condition=NOT_COUNTED, name="entry_not_counted"),
]

CONSTRAINTS: list[models.BaseConstraint] = [
    # Two joins at the same moment cannot both take a visitor's last place. A place that runs counts, too.
    models.UniqueConstraint(
        fields=["visitor", "slot"],
        condition=models.Q(status__in=[Status.WAITING, Status.RUNNING]),
        name="entry_slot",
    ),
]
