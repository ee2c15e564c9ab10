"""The recognition of text: rapidocr's models (PP-OCR), which come in its wheel, on onnxruntime.

rapidocr is imported and its models are loaded at the first page: the web processes never need them.
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

# As many as there are cores: a page alone is read in half the time, and two workers on two cores lose little by it,
# as long as idle threads sleep (see `_session`).
THREADS = min(4, os.cpu_count() or 1)
BATCH = 6  # lines recognised at once, rapidocr's own number; half a second or so
SURE_ENOUGH = 0.5  # a line of less confidence is taken for a stain
SMALLEST_SIDE = 16  # pixels; a smaller picture holds no line
VOTERS = 12  # lines that are asked whether the page is upside down
FINDING = 0.4  # how much of the work it is to find the lines

Boxes = Any  # numpy array, lines x 4 corners x (x, y): clockwise from the top left


def warm_up() -> None:
    """Import what the engine needs, in a process that will fork: each fork then has over a second less to do.

    It makes no session: a session has threads, and a fork would have the session without them.
    """
    import onnxruntime  # noqa: F401
    from rapidocr import RapidOCR  # noqa: F401


def read(picture: Image.Image, report: Callable[[float], None]) -> tuple[Image.Image, list[Line]]:
    """The picture turned upright, and its lines in no order to rely on.

    `report` gets the fraction that is done, every few seconds or sooner. What it raises passes through.
    """
    if min(picture.size) < SMALLEST_SIDE:
        return picture, []
    with _errors_as_they_were():
        return _read(picture, report)


def _read(picture: Image.Image, report: Callable[[float], None]) -> tuple[Image.Image, list[Line]]:
    picture, boxes = _upright(picture, report)
    report(FINDING)
    boxes = sorted(boxes, key=_shape)  # a batch takes as long as its longest line
    lines: list[Line] = []
    for batch in batched(zip(boxes, _cut(picture, boxes), strict=True), BATCH):
        lines += _recognised(batch)
        report(FINDING + (1 - FINDING) * len(lines) / len(boxes))
    return picture, [line for line in lines if line.text and line.confidence >= SURE_ENOUGH]


def _upright(picture: Image.Image, report: Callable[[float], None]) -> tuple[Image.Image, Boxes]:
    """Turn a page that was scanned sideways or upside down, and find its lines."""
    boxes = _find(picture)
    if _are_tall(boxes):
        report(FINDING / 3)
        picture = picture.transpose(Image.Transpose.ROTATE_90)
        boxes = _find(picture)
    if _is_upside_down(picture, boxes):
        report(FINDING * 2 / 3)
        picture = picture.transpose(Image.Transpose.ROTATE_180)
        boxes = _find(picture)
    return picture, boxes


def _find(picture: Image.Image) -> Boxes:
    found = _engine()(_pixels(picture), use_det=True, use_cls=False, use_rec=False).boxes
    return [] if found is None else found


def _are_tall(boxes: Boxes) -> bool:
    """Whether there is more text, by its length, in boxes that are clearly taller than wide."""
    tall = [_length(box) for box in boxes if _shape(box) < 2 / 3]
    return sum(tall) > sum(_length(box) for box in boxes) / 2


def _is_upside_down(picture: Image.Image, boxes: Boxes) -> bool:
    """What most of the longest lines say. Asked one by one, short lines are often wrong."""
    longest = sorted(boxes, key=_length, reverse=True)[:VOTERS]
    if not longest:
        return False
    votes = _engine().cls_and_rotate(_cut(picture, longest))[1].cls_res
    return [label for label, _ in votes].count("180") > len(votes) / 2


def _recognised(batch: Sequence[tuple[Any, Any]]) -> list[Line]:
    boxes, cuttings = zip(*batch, strict=True)
    found = _engine().recognize_txt(list(cuttings))
    return [
        Line(text.strip(), float(confidence), corners)
        for text, confidence, corners in zip(found.txts, found.scores, map(_corners, boxes), strict=True)
    ]


def _corners(box: Any) -> Corners:
    top_left, top_right, bottom_right, bottom_left = ((float(x), float(y)) for x, y in box)
    return top_left, top_right, bottom_right, bottom_left


def _cut(picture: Image.Image, boxes: Boxes) -> list[Any]:
    """The picture of each line, turned level."""
    return list(_engine().crop_text_regions(_pixels(picture), boxes))


def _pixels(picture: Image.Image) -> Any:
    """Height x width x (blue, green, red), as the engine wants it."""
    import numpy as np

    return np.ascontiguousarray(np.asarray(picture)[:, :, ::-1])


def _shape(box: Boxes) -> float:
    """Width per height."""
    top_left, top_right, _, bottom_left = box
    return math.dist(top_left, top_right) / max(math.dist(top_left, bottom_left), 1)


def _length(box: Boxes) -> float:
    top_left, top_right, _, bottom_left = box
    return max(math.dist(top_left, top_right), math.dist(top_left, bottom_left))


@contextmanager
def _errors_as_they_were() -> Iterator[None]:
    """rapidocr wraps all that is raised while a model runs: also the alarm that ends a job which takes too long."""
    from rapidocr.inference_engine.onnxruntime.main import ONNXRuntimeError

    try:
        yield
    except ONNXRuntimeError as error:
        raise error.__cause__ or error from None


@cache
def _engine() -> Any:
    """One engine a process. The models are named by hand, so that a missing one is an error and not a download."""
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
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    # Threads that spin while they wait take the core from the other worker: 18 s instead of 15 s for three pages each
    # on two workers and two cores, and nothing gained for one alone.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.enable_cpu_mem_arena = False  # pages differ in size; the arena would keep room for the largest of each
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
