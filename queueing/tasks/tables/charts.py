"""The geometry of the charts; `tables/result.html` draws it as SVG.

Lengths are in units of the SVG view box. They are formatted here as text, because a template would localise numbers,
and SVG does not accept a decimal comma.
"""

WIDTH = 360
HEIGHT = 100  # of a histogram
ROW = 26  # height of a bar with its label
TEXT_BASE = 17  # distance from the top of a bar to the baseline of its text
GAP = 1  # space between neighbouring bars
LETTERS = 46  # characters that fit on one bar
SPARKS, SPARK_WIDTH, SPARK_HEIGHT = 24, 96, 24  # bars of a small chart in the overview; its size
LEAST = 1.5  # smallest length of a bar whose count is not zero

type Lengths = dict[str, str]


def histogram(counts: list[int]) -> list[Lengths]:
    """One vertical bar per bin; the tallest bar is as high as the chart."""
    tallest = max(counts)
    step = WIDTH / len(counts)
    bars = []
    for number, count in enumerate(counts):
        height = max(HEIGHT * count / tallest, LEAST) if count else 0
        bars.append(_as_text(x=number * step, y=HEIGHT - height, width=max(step - GAP, GAP), height=height))
    return bars


def bars(counts: list[int], total: int) -> list[Lengths]:
    """One horizontal bar per value; its length is the value's share of `total`."""
    return [
        _as_text(x=0, y=top, width=max(WIDTH * count / total, LEAST), height=ROW - 2 * GAP, text_y=top + TEXT_BASE)
        for top, count in zip(range(0, len(counts) * ROW, ROW), counts, strict=True)
    ]


def spark(counts: list[int]) -> str:
    """The bars of a small histogram as one SVG path."""
    tallest = max(counts) or 1
    step = SPARK_WIDTH // max(len(counts), 6)
    heights = [max(round(SPARK_HEIGHT * count / tallest), 1) if count else 0 for count in counts]
    return "".join(
        f"M{number * step} {SPARK_HEIGHT}v-{height}h{step - GAP}v{height}z"
        for number, height in enumerate(heights)
        if height
    )


def _as_text(**lengths: float) -> Lengths:
    return {name: f"{length:.1f}" for name, length in lengths.items()}
