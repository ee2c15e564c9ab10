"""Files that are made to take all memory or time, handed to the two heavy tasks in real workers."""

import os
import subprocess
import sys
import uuid
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from queueing import joining, registry
from queueing.conf import conf
from queueing.models import Entry
from queueing.states import Reason, Status
from tests.support import documents
from tests.support.documents import CATALOGUE, pdf
from tests.support.hostile_pictures import DAMAGED, LARGE
from tests.support.paths import ROOT
from tests.support.processes import Processes
from tests.support.slow import slow
from tests.support.waiting import wait_for

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory has a limit on Linux")

MEGABYTE = 2**20
PAGE = (
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /XObject << /F 5 0 R >> >> >>"
)
TREE = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"


def stream(content: bytes, more: str = "") -> bytes:
    return b"<< /Length %d %b >>\nstream\n%b\nendstream" % (len(content), more.encode(), content)


def nested_forms(levels: int) -> bytes:
    """Each form draws the next one ten times: 10 ** levels rectangles in two kilobytes."""
    forms = [
        stream(
            b"/F Do " * 10 if level < levels else b"0 0 9 9 re f",
            f"/Type /XObject /Subtype /Form /BBox [0 0 600 900] /Resources << /XObject << /F {6 + level} 0 R >> >>",
        )
        for level in range(levels + 1)
    ]
    return pdf(CATALOGUE, TREE, PAGE, stream(b"/F Do"), *forms)


def many_operators() -> bytes:
    """300 MB of lines, deflated to 600 KB. Each line takes PDFium several times its size."""
    packer = zlib.compressobj(9)
    chunk = b"1 2 m 3 4 l S\n" * 75_000
    packed = b"".join(packer.compress(chunk) for _ in range(300)) + packer.flush()
    return pdf(CATALOGUE, TREE, PAGE, stream(packed, "/Filter /FlateDecode"))


@pytest.fixture
def join(
    db: None, django_capture_on_commit_callbacks: Callable[..., AbstractContextManager[object]]
) -> Callable[[bytes], Entry]:
    def make(content: bytes) -> Entry:
        with django_capture_on_commit_callbacks(execute=True):
            entry = joining.join(
                registry.get_task("documents"),
                code=uuid.uuid4(),
                owner=joining.Owner(uuid.uuid4()),
                upload=ContentFile(content, name="a.pdf"),
                content_type="application/pdf",
                options={},
            )
        joining.look(entry, conf.POLL_TTL)
        return entry

    return make


MEMORY, TIME = {"TASK_MEMORY_BYTES": 300 * MEGABYTE}, {"DOCUMENT_PAGE_SECONDS": 1}
PDFS: dict[str, tuple[Callable[[], bytes], dict[str, int], str]] = {
    "a form drawn a billion times": (lambda: nested_forms(9), MEMORY, "more memory"),
    "a form drawn a million times": (lambda: nested_forms(6), MEMORY, "more memory"),
    "a flood of operators": (many_operators, MEMORY, "more memory"),
    "a page that takes long": (lambda: nested_forms(9), TIME, "more computing time"),
}


@pytest.mark.parametrize(
    "name", ["a flood of operators", *slow(*(name for name in PDFS if name != "a flood of operators"))]
)
def test_a_pdf_that_takes_all_there_is_fails_once(
    processes: Processes, join: Callable[[bytes], Entry], name: str
) -> None:
    """PDFium hears no alarm, and ends the process when it gets no memory."""
    make, limits, sentence = PDFS[name]
    processes.use(limits)
    processes.worker("documents")
    entry = join(make())
    failed = wait_for(lambda: Entry.objects.final().filter(pk=entry.pk).first(), 90)
    assert (failed.status, failed.reason, failed.attempt) == (Status.FAILED, Reason.CRASHED, 1)
    assert sentence in failed.message


def ended(entry: Entry) -> Entry:
    found: Entry = wait_for(lambda: Entry.objects.filter(pk=entry.pk).final().first(), 90)
    return found


def test_a_picture_that_is_damaged_or_takes_all_memory_fails_once_and_its_worker_goes_on(
    processes: Processes, join: Callable[[bytes], Entry]
) -> None:
    processes.use({"TASK_MEMORY_BYTES": 600 * MEGABYTE})  # reading itself takes some 300
    worker = processes.worker("documents")
    for name in ("bmp, packed", "AVIF, half"):
        refused = ended(join(DAMAGED[name]))
        assert (refused.status, refused.reason, refused.attempt) == (Status.FAILED, Reason.UNUSABLE, 1), name
        assert "damaged" in refused.message
    beyond = ended(join(LARGE["jpeg 2000"]))  # takes 900
    assert (beyond.status, beyond.attempt) == (Status.FAILED, 1)
    assert beyond.reason in {Reason.CRASHED, Reason.UNUSABLE}  # some libraries take a refusal for damage
    assert ended(join(documents.saved(documents.drawn(), "PNG"))).status == Status.SUCCEEDED
    assert worker.poll() is None


@pytest.mark.slow
@pytest.mark.parametrize("name", LARGE)
def test_a_small_file_of_a_large_picture_stays_within_the_limits(
    processes: Processes, join: Callable[[bytes], Entry], name: str
) -> None:
    processes.worker("documents")
    done = ended(join(LARGE[name]))
    assert done.status == Status.SUCCEEDED, done.message


# Tables of 50 MB: a quotation mark in every line; different values in every cell; cells of half a megabyte; dates that
# never end; a title above every row.
TABLES = {
    "quotes": "b'a,b\\n' + (b'\"x\"\"y\\n' * 1000 + b'1,2\\n') * 7500",
    "unique": "b','.join(b'c%d' % n for n in range(1000)) + b'\\n' + b''.join("
    "b','.join(b'%x' % (n * 2654435761 % 2**32) for n in range(row * 1000, row * 1000 + 1000)) + b'\\n' "
    "for row in range(5000))",
    "fat": "b'a,b\\n' + b''.join(b'%d%s,%d%s\\n' % (n, b'x' * 500_000, n, b'y' * 500_000) for n in range(50))",
    "dates": "b'a\\n' + b''.join(b'1-1-1T' + b'1' * 500_000 + b'!\\n' for n in range(100))",
    "ragged": "b'a,b,c\\n' + (b',' * 900 + b'\\n' + b'1\\n' * 50) * 50_000",
}
PROFILE = """
import sys, pathlib
import django
django.setup()
from queueing.exceptions import UnusableInput
from queueing.tasks.tables.profile import profile
from queueing.work.limits import Limits, set_limits
path = pathlib.Path(sys.argv[1])
path.write_bytes({table})
set_limits(Limits(memory=1024 * 2**20, cpu=120, disk=0, processes=0), inherited=0)
try:
    profile(path, progress=lambda *_: None)
except UnusableInput as error:
    print(error)
"""


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", TABLES)
def test_a_hostile_table_of_50_megabytes_is_read_or_refused_within_a_budget(tmp_path: Path, name: str) -> None:
    code = PROFILE.format(table=TABLES[name])
    environment = os.environ | {"DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-c", code, str(tmp_path / "table.csv")]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    (tmp_path / "table.csv").unlink()  # pytest keeps the folder
    assert (done.returncode, done.stderr) == (0, "")
