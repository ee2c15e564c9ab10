"""Samples the lines at the end of a minute: how many are present, held and running, and the workers."""

from collections.abc import Collection, Iterable
from datetime import datetime

from django.conf import settings
from django.db.models import Count

from queueing.history.books import locked
from queueing.line.places import get_line
from queueing.line.workers import all_workers, is_counting
from queueing.models import Entry, LineMemory
from queueing.tally import Tally


def sample(minute: datetime, queues: Collection[str] | None = None) -> int:
    """Note the present numbers of these lines, or of all, as those of the end of this minute; returns how many lines.

    A line whose numbers are not known after a flush is left out, and so is one that another keeper has sampled. Raises
    RedisError.
    """
    names = [queue for queue in settings.QUEUEING_TASKS if queues is None or queue in queues]
    tallies = {queue: tally for queue in names if (tally := _look(queue))}
    _add_rows_and_workers(tallies)
    with locked(tallies) as books:
        due = [memory for memory in books.memories.values() if memory.sampled is None or memory.sampled < minute]
        for memory in due:
            memory.sampled = minute
            books.of(memory.queue, minute).add(tallies[memory.queue])
        LineMemory.objects.filter(pk__in=[memory.pk for memory in due]).update(sampled=minute)
    return len(due)


def _look(queue: str) -> Tally | None:
    """The line's places. None: after a flush they are on their way back, and the numbers are too small."""
    counts = get_line(queue).counts(0)
    return Tally(samples=1, present=counts.present, held=counts.held) if counts.has_epoch else None


def _add_rows_and_workers(tallies: dict[str, Tally]) -> None:
    running = Entry.objects.running().filter(queue__in=tallies).order_by()
    for queue, count in running.values_list("queue").annotate(Count("id")):
        tallies[queue].running = count
    workers = [line for worker in all_workers(tallies) if worker.takes_work for line in worker.lines]
    for queue in _uncertain(tallies, workers):
        del tallies[queue]
    for queue, tally in tallies.items():
        tally.workers = workers.count(queue)


def _uncertain(queues: Iterable[str], served: list[str]) -> list[str]:
    """Lines whose workers may not have come back yet after a flush."""
    return [queue for queue in queues if queue not in served and is_counting(queue)]
