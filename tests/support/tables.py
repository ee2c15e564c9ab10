"""Parts of tests of the task "tables"."""

import random
import re
from xml.etree import ElementTree as ET


def invented(seed: int) -> random.Random:
    """Chance that is the same in each run."""
    return random.Random(seed)  # noqa: S311  # no secret


def charts_of(page: str) -> list[ET.Element]:
    """The SVG charts of a result's page, without the small ones of the overview."""
    return [ET.fromstring(chart) for chart in re.findall(r'<svg class="chart.*?</svg>', page, re.DOTALL)]  # noqa: S314  # our own
