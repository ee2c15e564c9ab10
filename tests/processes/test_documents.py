"""The task "documents" in processes of its own."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from tests.support import documents


def test_a_fork_of_a_warm_process_reads_and_needs_no_network(tmp_path: Path) -> None:
    """As a worker does it: what is imported before the fork is used after it."""
    (tmp_path / "page.png").write_bytes(documents.saved(documents.drawn(), "PNG"))
    script = """
import os, sys
from PIL import Image
from queueing.registry import get_task
from queueing.tasks.documents import models, recognition

def no_network(event, args):
    if event in {"socket.connect", "socket.getaddrinfo", "open"} and (event != "open" or "w" in str(args[1])):
        sys.stderr.write(f"{event} {args}")
        os._exit(9)

models.warm_up()
assert "rapidocr.main" in sys.modules
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
sys.addaudithook(no_network)
reading = recognition.read(Image.open(sys.argv[1]).convert("RGB"), lambda done: None)
print(sorted(line.text for line in reading.lines), flush=True)
os._exit(0)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "page.png")],
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == str(sorted(documents.WORDS))


# A page of 170 dpi: the computing before its first line is looked for and while all are; then the bytes of memory that
# are this process's alone.
COSTS = """
import os, re, sys, time
from pathlib import Path
from queueing.registry import get_task
from queueing.tasks.documents import engine, models, recognition
from queueing.tasks.documents.source import open_document

def note_costs():
    times = [time.process_time()]
    find_lines = engine.find_lines

    def find(pixels):
        times.append(time.process_time())
        found = find_lines(pixels)
        times.append(time.process_time())
        return found

    engine.find_lines = find
    with open(sys.argv[1], "rb") as file, open_document(file) as document:
        recognition.read(document.picture(0), lambda done: None)
    kilobytes = re.search(r"Private_Dirty: +([0-9]+)", Path("/proc/self/smaps_rollup").read_text())[1]
    print(times[1] - times[0], times[2] - times[1], int(kilobytes) * 1024, flush=True)

models.warm_up()
for _ in range(3):
    if not (child := os.fork()):
        note_costs()
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory as Linux tells it")
def test_recognition_begins_soon_and_keeps_little_memory(tmp_path: Path) -> None:
    (tmp_path / "page.png").write_bytes(documents.saved(_photo(), "PNG"))
    done = subprocess.run(
        [sys.executable, "-c", COSTS, str(tmp_path / "page.png")], capture_output=True, text=True, check=True
    )
    before, finding, kept = (
        min(map(float, costs)) for costs in zip(*map(str.split, done.stdout.splitlines()), strict=True)
    )
    assert before < finding / 2
    assert kept < 130 * 1024**2


def _photo() -> Image.Image:
    """A page with grain, which takes a while to decode, and with lines."""
    grain = Image.effect_noise((1414, 2000), 12).convert("RGB")
    return ImageChops.multiply(ImageChops.screen(grain, grain), documents.drawn(size=grain.size))


def test_web_processes_do_not_load_the_engine() -> None:
    script = "import sys, queueing.tasks.documents.task; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "queueing.tasks.documents.task" in modules
    assert not {"rapidocr", "openvino", "cv2", "numpy", "pillow_heif"} & set(modules)
