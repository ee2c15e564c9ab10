"""The events of one line in a span of time, as numbers that add up. Pure functions of numbers.

The tallies of sixty minutes add up to that of their hour. Most numbers of a minute are 0 or small, so they are packed:
those of a busy minute take about 60 bytes, and a month of fifty lines fits into 100 MB.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields

from queueing.sketch import Sketch

# The packed numbers. A bit of the bytes in the database stands for each, by its place here: append only.
DETAILS = (
    *("passed_over", "holds", "returns", "goodput"),
    *("left", "ended", "unseen", "closed", "lost"),
    *("unusable", "error", "timeout", "crashed", "orphaned"),
    *("waste_never_came", "waste_left", "waste_stopped", "waste_failed", "waste_never_seen"),
    *("lost_attempts", "undone", "waited", "ran"),
)
WASTE = "waste_"
# The packed numbers that are microseconds.
TIMES = frozenset({"goodput", "waited", "ran", *(name for name in DETAILS if name.startswith(WASTE))})


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
    # By the names in DETAILS: ends by reason, ends before any work (`passed_over`), holds and returns of places,
    # attempts that ended with their workers, undone starts; in microseconds of workers `goodput` and waste by cause;
    # in microseconds the sums of the waits (`waited`) and of the runs (`ran`).
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

    def gains(self) -> "Tally":
        """The numbers above 0: without what is taken back of an earlier span."""
        columns = {name: max(0, number) for name, number in self.columns().items()}
        return Tally(**columns, details=+self.details, waits=Sketch(+self.waits), runs=Sketch(+self.runs))

    def columns(self) -> dict[str, int]:
        """The numbers that are not packed, by name."""
        return {name: getattr(self, name) for name in COLUMNS}

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
        filled = [number for number, name in enumerate(DETAILS) if self.details[name] > 0]
        numbers = [sum(1 << number for number in filled), *(self.details[DETAILS[number]] for number in filled)]
        return bytes(_varints([*numbers, *_sketched(self.waits), *_sketched(self.runs)]))


COLUMNS = tuple(field.name for field in fields(Tally) if field.type is int)


def unpacked(columns: dict[str, int], packed: bytes) -> Tally:
    """The tally with these columns, and with the numbers that `Tally.pack` made bytes of."""
    numbers = _numbers(packed)
    details = _details(numbers)
    return Tally(**columns, details=details, waits=_sketch(numbers), runs=_sketch(numbers))


def details_of(packed: bytes) -> Counter[str]:
    """The details that `Tally.pack` made bytes of; without the durations, which take most of the time."""
    return _details(_numbers(packed))


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of these."""
    summed = Tally()
    for tally in tallies:
        summed.add(tally)
    return summed


def _details(numbers: Iterator[int]) -> Counter[str]:
    filled = next(numbers, 0)
    found = {number: next(numbers) for number in range(filled.bit_length()) if filled >> number & 1}
    return Counter({DETAILS[number]: value for number, value in found.items() if number < len(DETAILS)})


def _sketched(sketch: Sketch) -> Iterator[int]:
    """The number of buckets, then a number for each: the distance from the one before, times 4, and its count.

    A count of 1, 2 or 3 is 0, 1 or 2 there; a larger one is 3, and follows. So most buckets of a minute take one byte.
    """
    pairs, last = list(sketch.pairs()), 0
    yield len(pairs)
    for bucket, count in pairs:
        yield (bucket - last) * 4 + min(count - 1, 3)
        if count > 3:
            yield count - 4
        last = bucket


def _sketch(numbers: Iterator[int]) -> Sketch:
    sketch, bucket = Sketch(), 0
    for _ in range(next(numbers, 0)):
        distance, count = divmod(next(numbers), 4)
        bucket += distance
        sketch[bucket] = count + 1 if count < 3 else next(numbers) + 4
    return sketch


def _varints(numbers: Iterable[int]) -> Iterator[int]:
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
