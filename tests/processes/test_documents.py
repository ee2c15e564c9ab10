"""The task "documents" in processes of its own."""

import os
import subprocess
import sys
from pathlib import Path

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


def test_web_processes_do_not_load_the_engine() -> None:
    script = "import sys, queueing.tasks.documents.task; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert "queueing.tasks.documents.task" in modules
    assert not {"rapidocr", "openvino", "cv2", "numpy", "pillow_heif"} & set(modules)
