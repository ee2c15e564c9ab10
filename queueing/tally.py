"""What happened in a span of time of one line, as numbers that add up. Pure functions of numbers.

The tallies of sixty minutes add up to that of their hour. Most numbers of a minute are 0 or small, so they are packed:
those of a busy minute take about 60 bytes, and a month of fifty lines fits into 100 MB.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields

from queueing.sketch import Sketch

# The packed numbers, by the number that is stored for each. Append only: the bytes are in the database.
DETAILS = (
    *("passed_over", "holds", "returns", "goodput"),
    *("left", "ended", "unseen", "closed", "lost"),
    *("unusable", "error", "timeout", "crashed", "orphaned"),
    *("waste_never_came", "waste_left", "waste_stopped", "waste_failed", "waste_never_seen"),
)
WASTE = "waste_"


@dataclass(slots=True)
class Tally:
    """The numbers of a span. Each event counts in the minute of its own time, by the clock of who noted it."""

    joined: int = 0
    started: int = 0  # first starts of an entry
    succeeded: int = 0
    failed: int = 0
    gone: int = 0  # cancelled or abandoned
    # Sums over the samples, which are taken at the end of a minute: the mean is the sum divided by their number.
    samples: int = 0
    present: int = 0
    held: int = 0
    running: int = 0
    workers: int = 0
    # By the names in DETAILS: ends by reason, ends before any work (`passed_over`), holds and returns of places; and
    # in microseconds of workers `goodput` and waste by cause.
    details: Counter[str] = field(default_factory=Counter)
    waits: Sketch = field(default_factory=Sketch)  # from the join to the first start
    runs: Sketch = field(default_factory=Sketch)  # of the tasks that succeeded

    def add(self, other: "Tally") -> None:
        """Add the numbers of another span, or of a part of this one."""
        for name in COLUMNS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.details.update(other.details)  # of a Counter: adds
        self.waits.update(other.waits)
        self.runs.update(other.runs)

    @property
    def goodput(self) -> float:
        """Worker-seconds whose end was seen by the owner."""
        return self.details["goodput"] / 1e6

    @property
    def waste_by_cause(self) -> dict[str, float]:
        """Worker-seconds of all other runs, by the values of `goodput.Waste`."""
        return {name.removeprefix(WASTE): self.details[name] / 1e6 for name in DETAILS if name.startswith(WASTE)}

    @property
    def waste(self) -> float:
        """Worker-seconds of all other runs."""
        return sum(self.details[name] for name in DETAILS if name.startswith(WASTE)) / 1e6

    def mean(self, name: str) -> float | None:
        """The mean of a sampled number; None if no sample was taken."""
        return getattr(self, name) / self.samples if self.samples else None

    def pack(self) -> bytes:
        """The numbers that have no column of their own, as bytes."""
        details = [(number, self.details[name]) for number, name in enumerate(DETAILS, 1) if self.details[name] > 0]
        parts = (details, [(bucket + 1, count) for bucket, count in self.waits.pairs()], self.runs.pairs())
        ended = ([*parts[0], (0, 0)], [*parts[1], (0, 0)], parts[2])
        return bytes(byte for part in ended for key, value in part for byte in _varints(key, value))


COLUMNS = tuple(field.name for field in fields(Tally) if field.type is int)


def unpacked(columns: dict[str, int], packed: bytes) -> Tally:
    """The tally with these columns, and with the numbers that `Tally.pack` made bytes of."""
    numbers = _numbers(packed)
    details = {DETAILS[key - 1]: value for key, value in _pairs(numbers) if key <= len(DETAILS)}
    waits = {key - 1: value for key, value in _pairs(numbers)}
    runs = dict(zip(numbers, numbers, strict=True))
    return Tally(**columns, details=Counter(details), waits=Sketch(waits), runs=Sketch(runs))


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of these."""
    summed = Tally()
    for tally in tallies:
        summed.add(tally)
    return summed


def _pairs(numbers: Iterator[int]) -> Iterator[tuple[int, int]]:
    """The pairs up to the one with the key 0."""
    for key in numbers:
        value = next(numbers, 0)
        if not key:
            return
        yield key, value


def _varints(*numbers: int) -> Iterator[int]:
    """Seven bits a byte, the lowest first, as Protocol Buffers write them: small numbers take one byte."""
    for number in numbers:
        left = number
        while left > 0x7F:
            yield left & 0x7F | 0x80
            left >>= 7
        yield left


def _numbers(packed: bytes) -> Iterator[int]:
    number, shift = 0, 0
    for byte in packed:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield number
            number, shift = 0, 0
