"""A heavy task for the tests: it notes that it was entered, waits, reports, and ends as it is told."""

import contextlib
import hashlib
import mmap
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import IO, Any

from django import forms
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.files import File
from django.db import transaction
from django.tasks import task

import queueing.tasks.tables
from queueing.exceptions import UnusableInput
from queueing.forms import EntryForm
from queueing.registry import Context, HeavyTask
from tests.support import shapes
from tests.support.deeds import DEEDS

_LOG = Path(os.environ["PROBE_LOG"])  # in the process of an isolated task the variable is gone


def log_path() -> Path:
    return Path(os.environ.get("PROBE_LOG", _LOG))


def calls() -> list[str]:
    """The labels of every time the task was entered, in order."""
    path = log_path()
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


def _true_time() -> float:
    """The time, also on a host whose clock is wrong: PROBE_EPOCH is the time at which the monotonic clock began."""
    epoch = os.environ.get("PROBE_EPOCH")
    return time.time() if epoch is None else time.monotonic() + float(epoch)


def entered(label: str, times: int = 1) -> bool:
    return calls().count(label) >= times


def hold(label: str) -> Path:
    """Keep the task with this label running until the file is removed."""
    path = log_path().with_name(f"{label}.hold")
    path.touch()
    return path


def _raise(error: BaseException) -> None:
    raise error


def _die_of(number: signal.Signals) -> None:
    os.kill(os.getpid(), number)
    time.sleep(60)


def _swallow() -> None:
    with contextlib.suppress(Exception):
        time.sleep(60)


def _leave_behind(**options: Any) -> None:
    child = subprocess.Popen(["sleep", "600"], **options)
    log_path().with_name("child").write_text(str(child.pid))


def child() -> int:
    """The pid of the process that the task has left behind."""
    return int(log_path().with_name("child").read_text())


def _double_fork(times: int) -> None:
    for _ in range(times):
        if os.fork() == 0:
            if os.fork() == 0:
                os._exit(0)
            os._exit(0)
        os.wait()


def _become_a_daemon() -> None:
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(60)
            os._exit(0)
        sys.exit(0)
    time.sleep(1)


def _report_in_transaction(context: Context) -> None:
    with transaction.atomic():
        context.progress(1, 2, "inside")


def _hog() -> None:
    held = []
    while True:
        held.append(b"x" * 2**20)


def _hog_in_children() -> None:
    """Each child takes less than the limit, all together take more."""
    for _ in range(6):
        if os.fork() == 0:
            _ = b"x" * 40 * 2**20
            time.sleep(60)
            os._exit(0)
    time.sleep(60)


def _share() -> None:
    """Memory that is shared, and so is under no limit of the kernel."""
    shared = mmap.mmap(-1, 2**30)
    for page in range(0, 2**30, mmap.PAGESIZE):
        shared[page] = 1
    time.sleep(60)


def _compute() -> None:
    """Native code that hears no signal: years of hashing in one call."""
    hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 2**31 - 1)


def _fill(file: IO[bytes]) -> None:
    while True:
        file.write(b"x" * 2**20)
        file.flush()
        time.sleep(0.002)


def _fill_folder() -> None:
    with tempfile.NamedTemporaryFile() as file:
        _fill(file)


def _fill_without_name() -> None:
    with tempfile.TemporaryFile() as file:
        _fill(file)


def _make_files() -> None:
    folder = Path(tempfile.mkdtemp())
    for number in range(100_000):
        (folder / f"{number}").touch()
    time.sleep(60)


def _save_much(context: Context) -> None:
    for number in range(100):
        context.save_file(f"{number}.bin", b"x" * 2**20, "application/octet-stream")


def _multiply() -> None:
    """At most 300 processes, in groups of their own, each of which has more."""
    for _ in range(2):
        if os.fork() == 0:
            os.setsid()
            for _ in range(150):
                if os.fork() == 0:
                    time.sleep(60)
                    os._exit(0)
            time.sleep(60)
            os._exit(0)
    time.sleep(60)


def _look_around() -> dict[str, Any]:
    """What a task finds: its folder, its keys, and where it may write."""
    folder = Path(tempfile.gettempdir())
    (folder / "locked" / "inner").mkdir(parents=True)
    (folder / "locked" / "inner").chmod(0)
    (folder / "locked").chmod(0)
    media = Path(settings.MEDIA_ROOT)
    places = {
        "own": folder,
        "usual": Path("/tmp"),  # noqa: S108  # the point is that it cannot write there
        "beside": folder.parent,
        "media": media / "entries",
        "code": Path(__file__).parent,
        "home": Path("/root" if os.geteuid() == 0 else "/var/tmp"),  # noqa: S108
        "shared memory": Path("/dev/shm"),  # noqa: S108
    }
    return {
        "folder": str(folder),
        "writable": [name for name, place in places.items() if _can_write(place)],
        "secret": bool(_secret_key()) or "SECRET_KEY" in os.environ,
        "environ": "only for tests" in Path("/proc/self/environ").read_text(),
        "core": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "privileges": "NoNewPrivs:\t0" in Path("/proc/self/status").read_text(),
        "oom": int(Path("/proc/self/oom_score_adj").read_text()),
    }


def _secret_key() -> str:
    try:
        return settings.SECRET_KEY
    except ImproperlyConfigured:  # it is empty
        return ""


def _can_write(folder: Path) -> bool:
    file = folder / f"probe-{os.getpid()}"
    try:
        file.write_bytes(b"x")
        file.unlink()
    except OSError:
        return False
    return True


def _work(context: Context) -> None:
    """What a good task does, file by file."""
    with context.input_file() as path, path.open("rb") as file:
        context.save_file("copy.csv", File(file), "text/csv")
        context.save_file("size.txt", str(path.stat().st_size).encode(), "text/plain")


def _flood(context: Context) -> None:
    for number in range(3_000):
        context.save_file(f"{number}.txt", b"", "text/plain")


def _crash_beside_a_child() -> None:
    """The child has all that is open in this process."""
    if os.fork() == 0:
        time.sleep(60)
        os._exit(0)
    _die_of(signal.SIGSEGV)


def _done(deeds: list[str]) -> dict[str, str]:
    """What comes of each of these deeds (`tests/support/deeds.py`), as in "tcp: 6379"."""
    found = {}
    for line in deeds:
        deed, _, argument = line.partition(": ")
        try:
            found[line] = str(DEEDS[deed](*filter(None, [argument])))
        except Exception as error:  # noqa: BLE001  # whatever a deed raises
            found[line] = type(error).__name__
    return found


# Signals by which a task kills its horse.
CRASHES = ("SIGXCPU", "SIGABRT", "SIGTRAP", "SIGILL", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGSYS")


def _crash(name: str, _: Context) -> None:
    _die_of(signal.Signals[name])


# Deeds of the task before it returns.
ENDS: dict[str, Callable[[Context], object]] = {
    "unusable": lambda _: _raise(UnusableInput("This input has no corners.")),
    "error": lambda _: _raise(RuntimeError("secret detail")),
    "error at first": lambda context: _raise(ConnectionError("nobody answers")) if context.attempt == 1 else None,
    "nul": lambda _: _raise(UnusableInput("A NUL\0 in a sentence.")),
    "exit": lambda _: sys.exit(1),
    "panic": lambda _: _raise(KeyboardInterrupt()),
    "memory": lambda _: bytearray(2**62),
    "die": lambda _: os._exit(3),
    "swallow": lambda _: _swallow(),
    "child": lambda _: _leave_behind(),
    "escaped child": lambda _: _leave_behind(start_new_session=True),
    "zombies": lambda _: _double_fork(300),
    "daemon": lambda _: _become_a_daemon(),
    "transaction": _report_in_transaction,
    "hog": lambda _: _hog(),
    "hog in children": lambda _: _hog_in_children(),
    "share": lambda _: _share(),
    "compute": lambda _: _compute(),
    "fill": lambda _: _fill_folder(),
    "fill without a name": lambda _: _fill_without_name(),
    "many files": lambda _: _make_files(),
    "save much": _save_much,
    "multiply": lambda _: _multiply(),
    "sleep": lambda _: time.sleep(60),
    "work": _work,
    "flood": _flood,
    "crash beside a child": lambda _: _crash_beside_a_child(),
    "bad name": lambda context: context.save_file("../x", b"", "text/plain"),
    "bad type": lambda context: context.save_file("x", b"", "text/html\r\nX: y"),
    "SIGKILL": lambda _: _die_of(signal.SIGKILL),
    **{name: partial(_crash, name) for name in CRASHES},
}


# @task is typed for Django's TaskContext; our backend passes a `registry.Context`, which has more methods.
@task(queue_name="probe", takes_context=True)  # type: ignore[arg-type]
def probe(
    context: Context,
    *,
    label: str = "x",
    seconds: float = 0,
    end: str = "",
    deaf: bool = False,
    deeds: list[str] | None = None,
) -> dict[str, Any]:
    """Runs for `seconds`; while a file named by `label` + ".hold" lies beside the log, longer."""
    with log_path().open("a") as log:
        log.write(f"{label} {context.attempt} {os.getpid()} {_true_time()}\n")
    began = time.monotonic()
    hold = log_path().with_name(f"{label}.hold")
    while (passed := time.monotonic() - began) < seconds or hold.exists():
        if not deaf:
            context.progress(passed, max(seconds, passed * 2), f"Working on {label}")
        time.sleep(0.02)
    if end == "nan":
        return {"label": label, "attempt": float("nan")}
    if end == "look around":
        return _look_around()
    if deeds:
        return _done(deeds)
    if end:
        ENDS[end](context)
    context.save_file("answer.txt", f"{label}\n".encode(), "text/plain")
    return {"label": label, "attempt": context.attempt}


@task(queue_name="probe")
def fails() -> None:
    raise RuntimeError


@task(queue_name="probe")
def types_of(*values: Any, **named: Any) -> dict[str, str]:
    """The values as they have come, and their types."""
    return {str(name): f"{type(value).__name__} {value}" for name, value in [*enumerate(values), *named.items()]}


def warmed() -> list[int]:
    """The pids of the processes in which this task was warmed up."""
    path = log_path().with_name("warmed")
    return [int(pid) for pid in path.read_text().split()] if path.exists() else []


def _warm_up() -> None:
    with log_path().with_name("warmed").open("a") as file:
        file.write(f"{os.getpid()}\n")
    if os.environ["PROBE_WARM_UP"] == "fail":
        raise RuntimeError("It is too cold")


class ProbeForm(EntryForm):
    label = forms.CharField(required=False, initial="x")
    seconds = forms.FloatField(required=False)
    end = forms.CharField(required=False)

    def options(self) -> dict[str, Any]:
        return {name: value for name, value in super().options().items() if value not in (None, "")}


heavy_task = HeavyTask(
    task=probe,
    title="Probe",
    summary="Does what a test tells it.",
    verb="Probing",
    form=ProbeForm,
    result_template="tables/result.html",
    timeout=int(os.environ.get("PROBE_TIMEOUT", "60")),
    sample=Path(queueing.tasks.tables.__file__).parent / "sample" / "table.csv",
    may_keep=True,
    attempts=int(os.environ.get("PROBE_ATTEMPTS", "1")),
    retry_on=(OSError,) if "PROBE_ATTEMPTS" in os.environ else (Exception,),
    retry_after=float(os.environ.get("PROBE_RETRY_AFTER", "10")),
    processes=int(os.environ["PROBE_PROCESSES"]) if "PROBE_PROCESSES" in os.environ else None,
    isolated="PROBE_ISOLATED" in os.environ,
    warm_up=_warm_up if "PROBE_WARM_UP" in os.environ else None,
    writable=(log_path().parent, *map(Path, os.environ.get("PROBE_WRITABLE", "").split())),
)
if "PROBE_SHAPE" in os.environ:
    heavy_task = replace(heavy_task, **shapes.SHAPES[os.environ["PROBE_SHAPE"]])
