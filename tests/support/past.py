"""A past for the memory of a line."""

import math
import random
from datetime import datetime, timedelta

from queueing.history.books import locked
from queueing.tally import Tally


def fill(queue: str, first: datetime, minutes: int, step: int = 1) -> list[Tally]:
    """Something has happened in every such minute from the first on; returns the tallies."""
    chance = random.Random(1)  # noqa: S311  # numbers, no secrets
    made = []
    with locked([queue]) as books:
        for number in range(0, minutes, step):
            tally = _minute(chance, 1 + math.sin(number / 90))
            books.of(queue, first + timedelta(minutes=number)).add(tally)
            made.append(tally)
    return made


def _minute(chance: random.Random, crowd: float) -> Tally:
    served = chance.randrange(3)
    tally = Tally(joined=round(5 * crowd), started=served, succeeded=served, gone=chance.randrange(2), failed=1)
    tally.add(Tally(samples=1, present=round(20 * crowd), held=round(4 * crowd), running=2, workers=3))
    for _ in range(served):
        tally.waits.note(chance.lognormvariate(4, 1))
        tally.runs.note(chance.lognormvariate(3, 0.5))
    tally.details.update({"lost": tally.gone, "error": tally.failed, "goodput": served * 20_000_000})
    tally.details.update({"waste_left": tally.gone * 7_000_000, "holds": 2, "returns": 1})
    return tally
