"""A record of the calls that RQ makes: a worker that notes calls of its own methods, and jobs for it."""

import inspect
import json
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from rq import get_current_job

from queueing.work.worker import PresenceWorker
from tests.support.rq_inventory import OVERRIDES, WORKERS

Note = Callable[[dict[str, Any]], None]


def note_calls(cls: type, names: Iterable[str], note: Note) -> None:
    """Notes each call of these methods and properties of the class before and after it is made."""
    for name in names:
        original = inspect.getattr_static(cls, name)
        if isinstance(original, property):
            setattr(cls, name, property(_noted(original.fget, name, note)))
        else:
            setattr(cls, name, _noted(original, name, note))


def _noted(original: Any, name: str, note: Note) -> Callable[..., Any]:
    signature = inspect.signature(original)

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        arguments = dict(signature.bind(self, *args, **kwargs).arguments)
        arguments.pop("self")
        note({"event": "call", "name": name} | {"arguments": _plain(arguments)})
        try:
            value = original(self, *args, **kwargs)
        except BaseException as error:
            note({"event": "raise", "name": name, "error": type(error).__name__})
            raise
        note({"event": "return", "name": name, "value": _plain(value)})
        return value

    return call


def _plain(value: Any) -> Any:
    """The value in types of JSON; an object becomes the name of its class."""
    if isinstance(value, str | int | float | None):
        return value
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple) and not hasattr(value, "_fields"):
        return [_plain(item) for item in value]
    return type(value).__name__


# The id of the worker's own process; a horse has another one.
WORKER_PID = os.getpid()


def write_record(record: dict[str, Any]) -> None:
    where = "worker" if os.getpid() == WORKER_PID else "horse"
    with Path(os.environ["CALLS"]).open("a") as calls:
        calls.write(json.dumps(record | {"where": where, "at": time.monotonic()}) + "\n")


class RecordingWorker(PresenceWorker):
    allowed_functions = PresenceWorker.allowed_functions | {
        f"tests.support.recording.{name}" for name in ("report", "fail", "die", "sleep")
    }


OVERRIDDEN = [override.name for cls in WORKERS for override in OVERRIDES[cls] if override.where]
BETWEEN_THEM = ["perform_job", "reorder_queues"]
note_calls(RecordingWorker, dict.fromkeys(OVERRIDDEN + BETWEEN_THEM), write_record)


def report() -> None:
    """Notes the surroundings of a job's function: its job, environment, process group and signals."""
    job = get_current_job()
    write_record(
        {
            "event": "report",
            "current_job": job and job.id,
            "environment": {name: os.environ.get(name) for name in ("RQ_WORKER_ID", "RQ_JOB_ID")},
            "leads_its_group": os.getpgrp() == os.getpid(),
            "ignores_sigint": signal.getsignal(signal.SIGINT) is signal.SIG_IGN,
            "ends_at_sigterm": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
            "has_an_alarm": signal.alarm(60) > 0,
        }
    )


def fail() -> None:
    raise RuntimeError("a job of the contract tests that fails")


def die() -> None:
    os._exit(3)


def sleep() -> None:
    time.sleep(60)
