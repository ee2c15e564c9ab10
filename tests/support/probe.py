"""A heavy task for the tests: it notes that it was entered, waits, reports, and ends as it is told."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from django import forms
from django.db import transaction
from django.tasks import task

import queueing.tasks.tables
from queueing.exceptions import UnusableInput
from queueing.forms import EntryForm
from queueing.registry import Context, HeavyTask


def log_path() -> Path:
    return Path(os.environ["PROBE_LOG"])


def calls() -> list[str]:
    """The labels of every time the task was entered, in order."""
    path = log_path()
    return [line.split()[0] for line in path.read_text().splitlines()] if path.exists() else []


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


# Signals by which a task kills its horse.
CRASHES = ("SIGXCPU", "SIGABRT", "SIGTRAP", "SIGILL", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGSYS")


def _crash(name: str, _: Context) -> None:
    _die_of(signal.Signals[name])


# Deeds of the task before it returns.
ENDS: dict[str, Callable[[Context], object]] = {
    "unusable": lambda _: _raise(UnusableInput("This input has no corners.")),
    "error": lambda _: _raise(RuntimeError("secret detail")),
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
    "SIGKILL": lambda _: _die_of(signal.SIGKILL),
    **{name: partial(_crash, name) for name in CRASHES},
}


# @task is typed for Django's TaskContext; our backend passes a `registry.Context`, which has more methods.
@task(queue_name="probe", takes_context=True)  # type: ignore[arg-type]
def probe(
    context: Context, *, label: str = "x", seconds: float = 0, end: str = "", deaf: bool = False
) -> dict[str, Any]:
    """Runs for `seconds`; while a file named by `label` + ".hold" lies beside the log, longer."""
    with log_path().open("a") as log:
        log.write(f"{label} {context.attempt} {os.getpid()} {time.time()}\n")
    began = time.monotonic()
    hold = log_path().with_name(f"{label}.hold")
    while (passed := time.monotonic() - began) < seconds or hold.exists():
        if not deaf:
            context.progress(passed, max(seconds, passed * 2), f"Working on {label}")
        time.sleep(0.02)
    if end == "nan":
        return {"label": label, "attempt": float("nan")}
    if end:
        ENDS[end](context)
    context.save_file("answer.txt", f"{label}\n".encode(), "text/plain")
    return {"label": label, "attempt": context.attempt}


class ProbeForm(EntryForm):
    label = forms.CharField(required=False, initial="x")
    seconds = forms.FloatField(required=False)

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
)
