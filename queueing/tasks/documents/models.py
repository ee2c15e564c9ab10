"""The two models, one that finds lines and one that reads them: rapidocr's PP-OCR from its wheel, run by OpenVINO.

A worker loads them before its first fork, which finds them ready and shares their memory. Every other process loads
them when it reads its first page, so web processes never do.
"""

import ctypes
import sys
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

FINDING_SIDE = 1280  # pixels of the long side of a page, as the model sees it
# Height and width of an upright page in pixels, likewise: Letter, and A4 with a margin.
PAGE_SIZE = (1280, 1024)
BYTE = 255  # greatest value of a colour
LINE_HEIGHT = 48  # pixels, as the model sees a line
LINE_STEP = 384  # pixels; the widths of lines are multiples of it
USUAL_WIDTHS = range(LINE_STEP, 6 * LINE_STEP, LINE_STEP)

# OpenVINO's properties. Without streams a model starts no threads, and the caller's own computes. So it does in a fork
# of the process that has loaded the model, where a stream would wait for ever for threads that are not there.
PROPERTIES: dict[str, Any] = {
    "INFERENCE_NUM_THREADS": 1,
    "NUM_STREAMS": 0,
    "PERFORMANCE_HINT": "LATENCY",
    "ENABLE_CPU_PINNING": False,  # two workers are not bound to the same core
}
SETTINGS: dict[str, Any] = {  # the names are rapidocr's
    "Global.log_level": "critical",
    "Global.max_side_len": FINDING_SIDE,
    "Global.return_word_box": True,  # with the columns of the letters
    "Rec.rec_batch_num": 1,
} | {f"EngineConfig.openvino.{name.lower()}": value for name, value in PROPERTIES.items()}

M_MMAP_THRESHOLD = -3  # mallopt(3)
LARGE = 4 * 2**20  # bytes; 60 MiB less for each run than with 16 MiB, at a tenth more computing


def warm_up() -> None:
    """Load the models in a process that will fork, and prepare them for what nearly all documents have.

    What a model prepares for a new size of picture takes time and memory; here it does so once for all forks.
    """
    engine = loaded()
    page_finder(PAGE_SIZE)
    reader = engine.text_rec.session
    for width in USUAL_WIDTHS:
        reader(_blank(LINE_HEIGHT, width))
    reader.session.get_compiled_model().release_memory()  # of the results


@cache
def loaded() -> Any:
    """rapidocr's engine with both models."""
    _give_back_large_pieces()
    rapidocr = packages()
    settings = dict(SETTINGS)
    for part in ("Det", "Rec"):
        settings[f"{part}.engine_type"] = rapidocr.EngineType.OPENVINO
        settings[f"{part}.model_path"] = str(_file(part.lower()))
    engine = rapidocr.RapidOCR(params=settings)
    engine.text_det, engine.text_rec = engine._load_det_model(), engine._load_rec_model()  # noqa: SLF001  # not when first used
    return engine


def packages() -> Any:
    """rapidocr with OpenVINO, and without OpenVINO's telemetry.

    Where that package is, each import of OpenVINO notes it in the home folder and tells its maker.
    """
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # it cannot be imported
    import cv2
    import openvino  # noqa: F401
    import rapidocr

    cv2.setNumThreads(0)  # a fork would wait for its threads, too
    return rapidocr


def find(sheet: Any) -> Any:
    """The boxes of the lines in a picture; None if there are none.

    A page, upright or turned, has a model of its own, which takes three quarters of the time and half of the memory.
    """
    detector, size = loaded().text_det, sheet.shape[:2]
    if size not in (PAGE_SIZE, PAGE_SIZE[::-1]):
        return detector(sheet).boxes
    request = page_finder(size)
    request.get_input_tensor().data[0] = sheet
    request.infer()
    boxes, _ = detector.postprocess_op(request.get_output_tensor().data, size)
    request.get_compiled_model().release_memory()  # of the layers: more than recognition takes
    return boxes


@cache
def page_finder(size: tuple[int, int]) -> Any:
    """OpenVINO's request for pictures of this height and width, in bytes as they are."""
    import openvino
    from openvino.preprocess import PrePostProcessor

    core, detector = openvino.Core(), loaded().text_det
    model = core.read_model(_file("det"))
    model.reshape([1, 3, *size])
    steps = PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    as_numbers = steps.input().preprocess().convert_element_type(openvino.Type.f32)
    as_numbers.mean([BYTE * mean for mean in detector.mean]).scale([BYTE * scale for scale in detector.std])
    return core.compile_model(steps.build(), "CPU", PROPERTIES).create_infer_request()


def _file(part: str) -> Path:
    """A model in rapidocr's wheel. It is named explicitly: one that is missing would be downloaded, here it fails."""
    [path] = (Path(packages().__file__).parent / "models").glob(f"*_{part}_*.onnx")
    return path


def _blank(height: int, width: int) -> Any:
    import numpy as np

    return np.zeros((1, 3, height, width), np.float32)


def _give_back_large_pieces() -> None:
    """Let large pieces of memory go back to the system when they are freed. glibc would keep 100 MB of them."""
    with suppress(AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, LARGE)
