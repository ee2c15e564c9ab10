"""Finding and reading lines of text in a picture, by the two models of `models.py`."""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from PIL import Image

from queueing.tasks.documents import models
from queueing.tasks.documents.models import FINDING_SIDE, LINE_HEIGHT, LINE_STEP
from queueing.tasks.documents.spacing import with_spaces
from queueing.tasks.documents.strokes import explained, ink_of

# The models keep memory for each shape that they have seen, so they are shown few. Lines are read one by one, which
# takes no longer, and are made so many times wider than high: 8, 16, 24 and so on. Pages are laid on sheets.
STEP = LINE_STEP // LINE_HEIGHT
LONG_STEP = 320  # pixels of the long side, as lines are looked for
SHAPES = (2, 1.25, 1)  # of sheets: long side by short side. rapidocr makes small ones larger, and long ones huge
GREY = 127  # what rapidocr itself puts beside a line: zero, for the model
EXPLAINED = 0.9  # share of a line's ink that its letters explain if none was left out
COLUMNS = 6  # of the recogniser, in a piece of the line that is as wide as high

# A box is four corners (x, y), clockwise from the top left of the text; an array of numpy, or `Corners`.


def find_lines(pixels: Any) -> list[Any]:
    """The boxes of the lines in a picture, in pixels of it."""
    scale = min(1, FINDING_SIDE / max(pixels.shape))
    with _original_errors():
        found = models.find(_on_sheet(pixels, scale))
    return [] if found is None else [box / scale for box in found]


def _on_sheet(pixels: Any, scale: float) -> Any:
    """The picture in this scale, on a sheet of one of few sizes in the colour of its paper."""
    import cv2
    import numpy as np

    small = pixels if scale == 1 else cv2.resize(pixels, None, fx=scale, fy=scale)
    height, width, depth = small.shape
    long = math.ceil(max(height, width) / LONG_STEP) * LONG_STEP
    short = next(long / shape for shape in SHAPES if shape == 1 or long / shape >= min(height, width))
    sides = (long, short) if height >= width else (short, long)
    sheet = np.empty((*map(round, sides), depth), small.dtype)
    sheet[:] = np.median(pixels[::8, ::8], axis=(0, 1))
    sheet[:height, :width] = small
    return sheet


def recognise(crops: Sequence[Any]) -> list[tuple[str, float]]:
    """The text and confidence (0..1) of each crop; the text is empty where nothing was read."""
    with _original_errors():
        found = models.loaded().recognize_txt(list(map(_widened, crops)))
    return list(map(_mended, found.txts, found.scores, map(_middles, found.word_results), map(ink_of, crops)))


def _mended(text: str, confidence: float, middles: Sequence[float], ink: Any) -> tuple[str, float]:
    """The text with its lost spaces, and a confidence that counts the ink that was left out."""
    return with_spaces(text.strip(), middles, ink), float(confidence) * min(1, explained(ink, middles) / EXPLAINED)


def _middles(words: Any) -> list[float]:
    """Position of each letter of a line, from the left; in heights of the line."""
    return [(column + 0.5) / COLUMNS for columns in words.word_cols or [] for column in columns]


def _widened(crop: Any) -> Any:
    import numpy as np

    height, width, depth = crop.shape
    steps = max(1, math.ceil(width / height / STEP))
    wide = np.full((height, max(width, round(steps * STEP * height)), depth), GREY, crop.dtype)
    wide[:, :width] = crop
    return wide


def crops(pixels: Any, boxes: Sequence[Any]) -> list[Any]:
    """The part of the picture in each box, turned level; a numpy array each."""
    return list(models.loaded().crop_text_regions(pixels, boxes))


def pixels_of(picture: Image.Image) -> Any:
    """The picture in RGB as a numpy array of the engine's shape: height x width x (blue, green, red)."""
    import cv2
    import numpy as np

    return cv2.cvtColor(np.asarray(picture), cv2.COLOR_RGB2BGR)


def aspect(box: Any) -> float:
    """Width divided by height."""
    top_left, top_right, _, bottom_left = box
    return math.dist(top_left, top_right) / max(math.dist(top_left, bottom_left), 1)


def length(box: Any) -> float:
    """The longer side, in pixels."""
    top_left, top_right, _, bottom_left = box
    return max(math.dist(top_left, top_right), math.dist(top_left, bottom_left))


@contextmanager
def _original_errors() -> Iterator[None]:
    """Unwrap rapidocr's OpenVINOError and raise its cause.

    rapidocr wraps every exception raised while a model runs. That includes the timeout of a job, which RQ raises from a
    signal handler and expects back unchanged.
    """
    models.packages()
    from rapidocr.inference_engine.openvino.main import OpenVINOError

    try:
        yield
    except OpenVINOError as error:
        raise error.__cause__ or error from None
