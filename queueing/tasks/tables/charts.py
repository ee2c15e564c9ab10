"""Charts as SVG geometry: the template draws what stands here. Lengths are in the units of the view box, as text:
a template would write a number with the comma of some languages, which SVG does not know."""

WIDTH = 360
HEIGHT = 100  # of a histogram
ROW = 26  # height of a bar with its label
TEXT_BASE = 17  # from the top of a bar to the line that its letters stand on
GAP = 1
LETTERS = 46  # that fit side by side
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
    """One lying bar per value, as long as its share of all values."""
    return [
        _written(x=0, y=top, width=max(WIDTH * count / total, LEAST), height=ROW - 2 * GAP, text_y=top + TEXT_BASE)
        for top, count in zip(range(0, len(counts) * ROW, ROW), counts, strict=True)
    ]


def _written(**lengths: float) -> Lengths:
    return {name: f"{length:.1f}" for name, length in lengths.items()}
