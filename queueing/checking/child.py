"""The program of a checker: `python -m queueing.checking.child <pid of the web process> <descriptor of the socket>`.

The first message says which forms to import and which settings they see. Then the process gives its rights away, and
answers one question after another: does this form take this file, and with {"preview": True}, what does it show of it?
"""

import importlib
import json
import os
import signal
import socket
import sys
import time
import traceback
import warnings
from typing import Any

from queueing import sandbox
from queueing.checking.messages import LIMIT, Message, receive, receive_with_file, send

OPEN_FILES = 32  # of the process: the standard three, the socket, the upload, and what a late import opens
START_SECONDS = 60  # until the first message has come
TOLD = 8_000  # characters of a traceback or a sentence that are sent


def main(parent_pid: int, descriptor: int) -> None:
    sandbox.end_with_parent(parent_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is for the web process, which ends this one
    warnings.simplefilter("ignore")
    with socket.socket(fileno=descriptor) as parent:
        start = receive(parent, time.monotonic() + START_SECONDS)
        parent.settimeout(None)
        configure(start)
        forms = {name: imported(name) for name in start["forms"]}
        sandbox.limit(memory=start["memory"], file_size=0, open_files=OPEN_FILES)
        taken = sandbox.restrict(read=sandbox.code_paths(), write=(), network=False, processes=False)
        send(parent, {"taken": sorted(taken)})
        while question := receive_with_file(parent):
            sandbox.limit(cpu=start["seconds"])
            send(parent, answer(forms, *question))


def configure(start: Message) -> None:
    """Django, with the site's limits and language, and without its keys, applications, database and Redis."""
    from django.apps import apps
    from django.conf import settings

    # `@task` in the module of a form asks the backend whether it has the queue. This backend takes every queue.
    tasks = {alias: {"BACKEND": "django.tasks.backends.dummy.DummyBackend", "QUEUES": []} for alias in start["tasks"]}
    settings.configure(**start["settings"], INSTALLED_APPS=[], TASKS=tasks)
    apps.populate(())


def imported(name: str) -> Any:
    """A form without data, ready to check files; or the traceback of its import."""
    module, _, path = name.partition(":")
    try:
        form: Any = importlib.import_module(module)
        for part in path.split("."):
            form = getattr(form, part)
        return form()
    except Exception:  # noqa: BLE001  # whatever a module of the site may raise
        return traceback.format_exc()[-TOLD:]


def answer(forms: dict[str, Any], question: Message, descriptor: int) -> Message:
    """The answer to one question: {"fine": True}, {"fine": True, "preview": …}, or why not."""
    from django.core.exceptions import ValidationError
    from django.core.files.uploadedfile import UploadedFile

    from queueing.values import from_json

    with os.fdopen(descriptor, "rb") as content:
        form = forms[question["form"]]
        if isinstance(form, str):
            return {"broken": form}
        upload = UploadedFile(content, question["name"], question["type"], os.fstat(descriptor).st_size)
        try:
            form.chosen, form.checked = from_json(question["options"]), question["field"]
            if question["preview"]:
                return {"fine": True, "preview": bounded(form.preview(upload, form.chosen))}
            form.check_file(upload)
        except ValidationError as error:
            return {"refused": [str(sentence)[:TOLD] for sentence in error.messages[:5]]}
        except MemoryError:
            return {"over": "memory"}
        except Exception:  # noqa: BLE001  # whatever a library may raise
            return {"error": traceback.format_exc()[-TOLD:]}
    return {"fine": True}


def bounded(preview: Any) -> Any:
    """The preview, which has to fit into a message. Raises ValueError."""
    if len(json.dumps(preview)) > LIMIT - 1_000:
        raise ValueError("The preview is larger than a message")
    return preview


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
