"""Parts of tests of the task "tables"."""

import random
import re
from xml.etree import ElementTree as ET


def invented(seed: int) -> random.Random:
    """Chance that is the same in each run."""
    return random.Random(seed)  # noqa: S311  # no secret


def charts_of(page: str) -> list[ET.Element]:
    """The SVG charts of a result's page."""
    return [ET.fromstring(chart) for chart in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]  # noqa: S314  # our own
