"""The recognition of text: rapidocr with the PP-OCR models of its wheel, run by onnxruntime.

rapidocr is imported and its models are loaded when the first page is read, so web processes never load them.
"""

import math
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from itertools import batched
from pathlib import Path
from typing import Any

from PIL import Image

from queueing.tasks.documents.page import Corners, Line

# Threads of a model: one per core, at most four. On two cores this halves the time of a single page, and costs two
# workers little, as long as idle threads sleep (see `_session`).
THREADS = min(4, os.cpu_count() or 1)
BATCH = 6  # lines recognised together, as rapidocr does by default; about half a second
SURE_ENOUGH = 0.5  # least confidence (0..1) of a line; anything less is taken for a stain
SMALLEST_SIDE = 16  # pixels; a smaller picture is not searched for text
VOTERS = 12  # the longest lines, which decide whether a page is upside down
FINDING = 0.4  # share of a page's time that goes into finding its lines

Boxes = Any  # numpy array, lines x 4 corners x (x, y): clockwise from the top left


def warm_up() -> None:
    """Import the engine's packages in a process that will fork. This saves each fork over a second.

    No model is loaded here: a loaded model has threads, and threads do not survive a fork.
    """
    import onnxruntime  # noqa: F401
    from rapidocr import RapidOCR  # noqa: F401


def read(picture: Image.Image, report: Callable[[float], None]) -> tuple[Image.Image, list[Line]]:
    """The picture turned upright, and its lines of text in no particular order.

    `report` gets the fraction done (0..1) every few seconds or sooner. Its exceptions pass through.
    """
    if min(picture.size) < SMALLEST_SIDE:
        return picture, []
    with _original_errors():
        return _read(picture, report)


def _read(picture: Image.Image, report: Callable[[float], None]) -> tuple[Image.Image, list[Line]]:
    picture, boxes = _upright(picture, report)
    report(FINDING)
    boxes = sorted(boxes, key=_aspect)  # lines of one shape together: a batch takes as long as its longest
    lines: list[Line] = []
    for batch in batched(zip(boxes, _crops(picture, boxes), strict=True), BATCH):
        lines += _recognise(batch)
        report(FINDING + (1 - FINDING) * len(lines) / len(boxes))
    return picture, [line for line in lines if line.text and line.confidence >= SURE_ENOUGH]


def _upright(picture: Image.Image, report: Callable[[float], None]) -> tuple[Image.Image, Boxes]:
    """Turn a page that was scanned sideways or upside down. Returns it with the boxes of its lines."""
    boxes = _find_lines(picture)
    if _is_sideways(boxes):
        report(FINDING / 3)
        picture = picture.transpose(Image.Transpose.ROTATE_90)
        boxes = _find_lines(picture)
    if _is_upside_down(picture, boxes):
        report(FINDING * 2 / 3)
        picture = picture.transpose(Image.Transpose.ROTATE_180)
        boxes = _find_lines(picture)
    return picture, boxes


def _find_lines(picture: Image.Image) -> Boxes:
    found = _engine()(_pixels(picture), use_det=True, use_cls=False, use_rec=False).boxes
    return [] if found is None else found


def _is_sideways(boxes: Boxes) -> bool:
    """True if more than half of the text, by its length, is in boxes that are clearly taller than wide."""
    tall = [_length(box) for box in boxes if _aspect(box) < 2 / 3]
    return sum(tall) > sum(_length(box) for box in boxes) / 2


def _is_upside_down(picture: Image.Image, boxes: Boxes) -> bool:
    """True if the classifier takes most of the longest lines for upside down. Of a single short line it is unsure."""
    longest = sorted(boxes, key=_length, reverse=True)[:VOTERS]
    if not longest:
        return False
    votes = _engine().cls_and_rotate(_crops(picture, longest))[1].cls_res
    return [label for label, _ in votes].count("180") > len(votes) / 2


def _recognise(batch: Sequence[tuple[Any, Any]]) -> list[Line]:
    boxes, crops = zip(*batch, strict=True)
    found = _engine().recognize_txt(list(crops))
    return [
        Line(text.strip(), float(confidence), corners)
        for text, confidence, corners in zip(found.txts, found.scores, map(_corners, boxes), strict=True)
    ]


def _corners(box: Any) -> Corners:
    top_left, top_right, bottom_right, bottom_left = ((float(x), float(y)) for x, y in box)
    return top_left, top_right, bottom_right, bottom_left


def _crops(picture: Image.Image, boxes: Boxes) -> list[Any]:
    """The part of the picture in each box, turned level; a numpy array each."""
    return list(_engine().crop_text_regions(_pixels(picture), boxes))


def _pixels(picture: Image.Image) -> Any:
    """The picture as a numpy array of the engine's shape: height x width x (blue, green, red)."""
    import numpy as np

    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])


def _aspect(box: Any) -> float:
    """Width divided by height."""
    top_left, top_right, _, bottom_left = box
    return math.dist(top_left, top_right) / max(math.dist(top_left, bottom_left), 1)


def _length(box: Any) -> float:
    """The longer side, in pixels."""
    top_left, top_right, _, bottom_left = box
    return max(math.dist(top_left, top_right), math.dist(top_left, bottom_left))


@contextmanager
def _original_errors() -> Iterator[None]:
    """Unwrap rapidocr's ONNXRuntimeError and raise its cause.

    rapidocr wraps every exception raised while a model runs. That includes the timeout of a job, which RQ raises from a
    signal handler and expects back unchanged.
    """
    from rapidocr.inference_engine.onnxruntime.main import ONNXRuntimeError

    try:
        yield
    except ONNXRuntimeError as error:
        raise error.__cause__ or error from None


@cache
def _engine() -> Any:
    """The engine of this process, with its models loaded.

    The model files are named explicitly: rapidocr would download one that is missing, here it is an error.
    """
    import rapidocr
    from omegaconf import flag_override

    models = Path(rapidocr.__file__).parent / "models"
    engine = rapidocr.RapidOCR(params={"Global.log_level": "critical"})
    with flag_override(engine.cfg, "allow_objects", True):
        for part in ("Det", "Cls", "Rec"):
            [model] = models.glob(f"*_{part.lower()}_*.onnx")
            engine.cfg[part].session = _session(model)
    return engine


def _session(model: Path) -> Any:
    """The onnxruntime session of one model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    # No spinning: a thread that spins while it waits takes the core from the other worker. With two workers on two
    # cores, three pages each take 18 s with spinning and 15 s without. A single worker gains nothing by it.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # pages differ in size, and an arena never shrinks
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
