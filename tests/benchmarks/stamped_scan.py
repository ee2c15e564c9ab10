"""The task "documents" with stamps: when it begins to look for lines, and when its first page is read."""

import os
import time
from pathlib import Path
from typing import Any

from django.tasks import task

from queueing.registry import Context, HeavyTask
from queueing.tasks.documents import engine, models
from queueing.tasks.documents.form import DocumentForm
from queueing.tasks.documents.task import read_document
from tests.support.paths import SCAN

LOG = Path(os.environ["PROBE_LOG"])  # in the process of an isolated task the variable is gone


def stamp(kind: str) -> None:
    with LOG.open("a") as log:
        log.write(f"{kind} {time.time()}\n")


class Stamped:
    """The context of the task; notes the first picture that is saved, which is that of the first page."""

    def __init__(self, context: Context) -> None:
        self._context, self._has_page = context, False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._context, name)

    def save_file(self, name: str, content: Any, content_type: str) -> None:
        self._context.save_file(name, content, content_type)
        if not self._has_page:
            self._has_page = True
            stamp("page")


# @task is typed for Django's TaskContext; our backend passes a `registry.Context`, which has more methods.
@task(queue_name="scan", takes_context=True)  # type: ignore[arg-type]
def read_with_stamps(context: Context) -> dict[str, Any]:
    find_lines = engine.find_lines

    def first(pixels: Any) -> list[Any]:
        stamp("recognition")
        engine.find_lines = find_lines
        return find_lines(pixels)

    engine.find_lines = first
    found: dict[str, Any] = read_document.func(Stamped(context))
    return found


heavy_task = HeavyTask(
    task=read_with_stamps,
    title="Scan",
    summary="Reads a scan, and says when.",
    verb="Reading",
    form=DocumentForm,
    result_template="documents/result.html",
    isolated=True,
    warm_up=models.warm_up,
    timeout=180,
    sample=SCAN,
    processes=0,
    writable=(LOG.parent,),
)
