"""The models that find and read lines of text: rapidocr with the PP-OCR models of its wheel, run by OpenVINO.

rapidocr is imported and its models are loaded when the first page is read, so web processes never load them.
"""

import math
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from queueing.tasks.documents.spacing import with_spaces
from queueing.tasks.documents.strokes import explained, ink_of

# Threads of a model: one per core, at most four. On two cores a single page is read in two thirds of the time.
THREADS = min(4, os.cpu_count() or 1)
FINDING_SIDE = 1280  # pixels of the long side in which lines are looked for; they are read in the picture as it is
# The models keep memory for each shape that they have seen, so they are shown few. Lines are read one by one, which
# takes no longer, and are made so many times wider than high: 8, 16, 24 and so on. Pages are laid on sheets.
STEP = 8
LONG_STEP = 320  # pixels of the long side, as lines are looked for
SHAPES = (8, 4, 2, 1.4, 1.25, 1)  # of sheets: long side by short side; 1.4 is A4, 1.25 is Letter
GREY = 127  # what rapidocr itself puts beside a line: zero, for the model
EXPLAINED = 0.9  # share of a line's ink that its letters explain if none was left out
COLUMNS = 6  # of the recogniser, in a piece of the line that is as wide as high
# The names are rapidocr's, and those of OpenVINO's properties. One request at a time, as fast as it can be; the threads
# of two workers are not bound to the same cores.
SETTINGS: dict[str, Any] = {
    "Global.log_level": "critical",
    "Global.max_side_len": FINDING_SIDE,
    "Global.return_word_box": True,  # with the columns of the letters
    "Rec.rec_batch_num": 1,
    "EngineConfig.openvino.inference_num_threads": THREADS,
    "EngineConfig.openvino.performance_hint": "LATENCY",
    "EngineConfig.openvino.num_streams": 1,
    "EngineConfig.openvino.enable_cpu_pinning": False,
}

# A box is four corners (x, y), clockwise from the top left of the text; an array of numpy, or `Corners`.


def warm_up() -> None:
    """Import the engine's packages in a process that will fork. This saves each fork over a second.

    No model is loaded here: a loaded model has threads, and threads do not survive a fork.
    """
    _import()


def _import() -> Any:
    """rapidocr with OpenVINO, and without OpenVINO's telemetry.

    Where that package is, each import of OpenVINO notes it in the home folder and tells its maker.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # it cannot be imported
    import openvino  # noqa: F401
    import rapidocr

    return rapidocr


def find_lines(pixels: Any) -> list[Any]:
    """The boxes of the lines in a picture, in pixels of it."""
    with _original_errors():
        found = _engine()(_on_sheet(pixels), use_det=True, use_cls=False, use_rec=False).boxes
    return [] if found is None else list(found)


def _on_sheet(pixels: Any) -> Any:
    import numpy as np

    height, width, depth = pixels.shape
    scale = min(1, FINDING_SIDE / max(height, width))
    long = math.ceil(max(height, width) * scale / LONG_STEP) * LONG_STEP
    short = next(long / shape for shape in SHAPES if shape == 1 or long / shape >= min(height, width) * scale)
    sides = (long, short) if height >= width else (short, long)
    sheet = np.empty((*(round(side / scale) for side in sides), depth), pixels.dtype)
    sheet[:] = np.median(pixels[::8, ::8], axis=(0, 1))
    sheet[:height, :width] = pixels
    return sheet


def recognise(crops: Sequence[Any]) -> list[tuple[str, float]]:
    """The text and confidence (0..1) of each crop; the text is empty where nothing was read."""
    with _original_errors():
        found = _engine().recognize_txt(list(map(_widened, crops)))
    return list(map(_mended, found.txts, found.scores, map(_middles, found.word_results), map(ink_of, crops)))


def _mended(text: str, confidence: float, middles: Sequence[float], ink: Any) -> tuple[str, float]:
    """The text with its lost spaces, and a confidence that counts the ink that was left out."""
    return with_spaces(text.strip(), middles, ink), float(confidence) * min(1, explained(ink, middles) / EXPLAINED)


def _middles(words: Any) -> list[float]:
    """Where each letter of a line is, from the left; in heights of the line."""
    return [(column + 0.5) / COLUMNS for columns in words.word_cols or [] for column in columns]


def _widened(crop: Any) -> Any:
    import numpy as np

    height, width, depth = crop.shape
    steps = max(1, math.ceil(width / height / STEP))
    wide = np.full((height, max(width, round(steps * STEP * height)), depth), GREY, crop.dtype)
    wide[:, :width] = crop
    return wide


def crops(picture: Image.Image, boxes: Sequence[Any]) -> list[Any]:
    """The part of the picture in each box, turned level; a numpy array each."""
    return list(_engine().crop_text_regions(pixels_of(picture), boxes))


def pixels_of(picture: Image.Image) -> Any:
    """The picture as a numpy array of the engine's shape: height x width x (blue, green, red)."""
    import numpy as np

    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])


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
    _import()
    from rapidocr.inference_engine.openvino.main import OpenVINOError

    try:
        yield
    except OpenVINOError as error:
        raise error.__cause__ or error from None


@cache
def _engine() -> Any:
    """The engine of this process, with its models loaded.

    The model files are named explicitly: rapidocr would download one that is missing, here it is an error.
    """
    rapidocr = _import()
    settings = dict(SETTINGS)
    for part in ("Det", "Rec"):
        [model] = (Path(rapidocr.__file__).parent / "models").glob(f"*_{part.lower()}_*.onnx")
        settings[f"{part}.engine_type"] = rapidocr.EngineType.OPENVINO
        settings[f"{part}.model_path"] = str(model)
    return rapidocr.RapidOCR(params=settings)
