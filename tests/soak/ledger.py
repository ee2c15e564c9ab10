"""The books of a soak: what the site has acknowledged to each visitor, and all that was done to the site."""

import threading
import time
from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Stay:
    """One visitor's stay with one entry. Times are by the clock of this machine, which the probe writes down, too."""

    label: str
    way: str  # "stays", "says goodbye", "leaves" or "vanishes"
    code: str = ""  # of the entry, as soon as a join was answered with a redirect
    joined_at: float = 0.0
    looked_at: float = 0.0  # the first sign that the site knows of the page
    gone_at: float = 0.0  # the moment at which the visitor has left; a goodbye was answered by then
    end: str = ""  # the final status that the visitor was told
    told_at: float = 0.0  # the moment at which it was told
    result: str = ""  # the label in the result that the visitor was given
    lost_sockets: int = 0
    troubles: int = 0  # answers that did not come, and sockets that were lost
    problem: str = ""  # an answer that contradicts what was acknowledged
    gaps: list[tuple[float, float]] = field(default_factory=list)  # without a sign of the site for over half a second
    heard_at: float = 0.0  # the last sign of the site

    def hear(self) -> None:
        """A sign of the site: at this moment the page is open."""
        now = time.time()
        before = self.heard_at or self.joined_at
        if now - before > 0.5:
            self.gaps.append((before, now))
        self.heard_at = now
        self.looked_at = self.looked_at or now

    @property
    def longest_gap(self) -> float:
        return max((end - begin for begin, end in self.gaps), default=0.0)

    @property
    def first_gap(self) -> float:
        """Seconds from the answer to the join to the first sign of the page."""
        return self.looked_at - self.joined_at if self.looked_at else float("inf")


@dataclass(frozen=True)
class Window:
    """The time of a fault, with the part of the site that it was done to."""

    part: str  # worker, keeper, web, redis, database, link, disk, clock
    begin: float
    over: float
    well: float  # the moment from which nothing of it is left: places and presences are back


@dataclass(frozen=True)
class End:
    """A process of the site has ended on its own: no fault was to end it."""

    name: str
    started: float
    ended: float
    code: int
    words: str  # the last line of its log

    def __str__(self) -> str:
        return f"{self.name} ended with {self.code} after {self.ended - self.started:.0f} s: {self.words!r}"


class Ledger:
    """The acknowledged-log, and the event log."""

    def __init__(self) -> None:
        self.began = time.time()
        self.stays: list[Stay] = []
        self.windows: list[Window] = []
        self.faults: Counter[str] = Counter()  # those that happened
        self.broken_faults: list[tuple[float, str]] = []  # those that did nothing
        self.left_out: Counter[str] = Counter()  # those for which there was nothing at their time
        self.promised: list[str] = []  # those that have to happen
        self.ends: list[End] = []
        self.events: list[tuple[float, str]] = []
        self._lock = threading.Lock()

    def note(self, text: str) -> None:
        with self._lock:
            self.events.append((time.time(), text))

    def joined(self, stay: Stay) -> None:
        stay.joined_at = time.time()
        with self._lock:
            self.stays.append(stay)
        self.note(f"{stay.label} joined as {stay.code}, and {stay.way}")

    def ended(self, end: End) -> None:
        self.ends.append(end)
        self.note(f"END: {end}")

    def around(self, moment: float, seconds: float) -> list[str]:
        """The lines of the event log around a moment."""
        with self._lock:
            return [self.line(at, text) for at, text in self.events if abs(at - moment) <= seconds]

    def line(self, at: float, text: str) -> str:
        return f"{at - self.began:7.2f} s  {text}"

    def is_touched(self, parts: set[str], begin: float, end: float, *, until_well: bool = True) -> bool:
        """True if a fault of one of these parts was on between two moments, or had not been made good."""
        windows = [window for window in self.windows if window.part in parts and window.begin <= end]
        return any((window.well if until_well else window.over) >= begin for window in windows)
