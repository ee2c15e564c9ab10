"""Charts as SVG geometry: the template draws what stands here. Lengths are in the units of the view box, as text:
a template would write a number with the comma of some languages, which SVG does not know."""

WIDTH = 240
HEIGHT = 72  # of a histogram
ROW = 20  # height of a bar with its label
GAP = 1
LEAST = 1.5  # height of a bar that holds something, however little

type Lengths = dict[str, str]


def histogram(counts: list[int]) -> list[Lengths]:
    """One upright bar per bin, the tallest as high as the chart."""
    tallest = max(counts)
    step = WIDTH / len(counts)
    bars = []
    for number, count in enumerate(counts):
        height = max(HEIGHT * count / tallest, LEAST) if count else 0
        bars.append(_written(x=number * step, y=HEIGHT - height, width=max(step - GAP, GAP), height=height))
    return bars


def bars(counts: list[int], total: int) -> list[Lengths]:
    """One lying bar per value: its share of all values."""
    return [
        _written(x=0, y=number * ROW, width=max(WIDTH * count / total, LEAST), height=ROW - 2 * GAP)
        for number, count in enumerate(counts)
    ]


def _written(**lengths: float) -> Lengths:
    return {name: f"{length:.1f}" for name, length in lengths.items()}
