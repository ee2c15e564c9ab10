"""Goodput: the worker-seconds of runs whose end was seen by their owner. Everything else is waste, by cause.

Every attempt counts once its entry has ended. Each row belongs to one share with its last attempt (`run_time`); its
earlier attempts (`lost_time`), whose workers died, are always waste.

An answer that its owner has not seen is undecided for as long as there is a row: the owner may still come. It becomes
waste when the row is deleted, see `history/counting.py`. Everything that tells goodput or waste goes by this rule.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.db.models import Case, CharField, Q, Sum, TextChoices, Value, When

from queueing.states import FAILED_BY_US, Status


class Waste(TextChoices):
    """The cause for which the worker-seconds of a run are waste."""

    NEVER_CAME = "never_came", "never came"
    LEFT = "left", "left while running"
    STOPPED = "stopped", "stopped"
    FAILED = "failed", "failed by us"
    NEVER_SEEN = "never_seen", "result never seen"  # decided when the row is deleted, so no row has this share


GOODPUT, NOT_SEEN_YET, DEAD_ATTEMPTS = "goodput", "not_seen_yet", "dead_attempts"

FAILED = Q(status=Status.FAILED, reason__in=FAILED_BY_US)
# A result, or a sentence about the input: that it is unusable, takes too long, or crashes the program.
ANSWERED = Q(status__in=(Status.SUCCEEDED, Status.FAILED)) & ~FAILED
# Code that made an entry gets the answer from its TaskResult, and has no page to look at.
OF_CODE = Q(visitor=None)
END_SEEN = Q(end_seen_at__isnull=False)
CAME = Q(seen_at__isnull=False) | Q(needs_presence=False)  # a page is not looked at for the first time after the end


def shares() -> dict[str, Q]:
    """The condition of each share. Every ended row fulfils exactly one of them."""
    return {
        GOODPUT: ANSWERED & (OF_CODE | (CAME & END_SEEN)),
        NOT_SEEN_YET: ANSWERED & ~OF_CODE & CAME & ~END_SEEN,
        Waste.NEVER_CAME: ((ANSWERED & ~OF_CODE) | Q(status=Status.ABANDONED)) & ~CAME,
        Waste.LEFT: Q(status=Status.ABANDONED) & CAME,
        Waste.STOPPED: Q(status=Status.CANCELLED),
        Waste.FAILED: FAILED,
    }


def share() -> Case:
    """The share of each row, as an expression; empty for a live one."""
    cases = (When(condition, then=Value(str(name))) for name, condition in shares().items())
    return Case(*cases, default=Value(""), output_field=CharField())


def sums() -> dict[str, Sum]:
    """The aggregates over ended rows from which `seconds` makes the numbers."""
    last_attempts = {share: Sum("run_time", filter=rows) for share, rows in shares().items()}
    return last_attempts | {DEAD_ATTEMPTS: Sum("lost_time")}


def seconds(summed: Mapping[str, timedelta | None]) -> dict[str, Any]:
    """Worker-seconds: goodput, not seen yet, and waste, all of it and by cause."""
    worked = {share: span.total_seconds() if span else 0.0 for share, span in summed.items()}
    waste = {cause.value: worked.get(cause, 0.0) for cause in Waste}
    waste[Waste.FAILED.value] += worked[DEAD_ATTEMPTS]
    return {
        GOODPUT: worked[GOODPUT],
        NOT_SEEN_YET: worked[NOT_SEEN_YET],
        "waste": sum(waste.values()),
        "waste_by_cause": waste,
    }
