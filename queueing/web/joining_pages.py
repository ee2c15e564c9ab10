"""The parts of the pages around a join: the living line, the form, and a refusal."""

import json
import mimetypes
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from queueing import eta, facts, joining
from queueing.conf import conf
from queueing.exceptions import JoinRefused, TooManyWaiting, UnknownTask
from queueing.forms import EntryForm
from queueing.line.clients import RedisError
from queueing.registry import HeavyTask, get_task
from queueing.web.visitor import Visitor


def line_context(heavy_task: HeavyTask) -> dict[str, Any]:
    """The living line of a task, as the first page and the form show it."""
    closed = conf.is_closed(heavy_task.name)
    try:
        line = facts.line_now(heavy_task.name)
    except RedisError:
        line = None
    if line is None or not line.has_epoch:
        return {"task": heavy_task, "closed": closed, "unknown": True}
    return {
        "task": heavy_task,
        "present": line.present,
        "held": line.held,
        "running": line.running,
        "workers": line.workers,
        "suspended": line.suspended,
        "wait_text": eta.sentence(line.wait),
        "closed": closed,
    }


def submitted(request: HttpRequest, heavy_task: HeavyTask) -> tuple[Any, ...]:
    """The form's data and files; the sample stands in for a file when its button was pressed."""
    if request.method != "POST":
        return ()
    sample = heavy_task.sample
    if "sample" not in request.POST or sample is None:
        return request.POST, request.FILES
    content_type, _ = mimetypes.guess_type(sample.name)
    return request.POST, {"file": SimpleUploadedFile(sample.name, sample.read_bytes(), content_type or "")}


def limit_of_form(name: str) -> int:
    """Bytes of the largest file that this task's form takes. Raises Http404 for a task that is not there."""
    try:
        return get_task(name).form().max_bytes()
    except UnknownTask:
        raise Http404 from None


def form_context(request: HttpRequest, heavy_task: HeavyTask, form: EntryForm) -> dict[str, Any]:
    """The page of a form: its line, its limits, and what stands in the way of a join."""
    heads = [(pattern.decode("latin-1"), sentence) for pattern, sentence in form.refused_heads]
    context = {
        "task": heavy_task,
        "form": form,
        "line": line_context(heavy_task),
        "max_bytes": form.max_bytes(),
        "refused_heads": json.dumps(heads),
    }
    visitor = Visitor.of_request(request)
    return context | _refusal_context(visitor, _obstacle(visitor, heavy_task))


def refused(request: HttpRequest, heavy_task: HeavyTask, refusal: JoinRefused) -> HttpResponse:
    """The answer to a join that is refused."""
    context = {"task": heavy_task} | _refusal_context(Visitor.of_request(request), refusal)
    status = 429 if isinstance(refusal, TooManyWaiting) else 503
    response = render(request, "queueing/refused.html", context, status=status)
    response["Retry-After"] = str(refusal.retry_after)
    return response


def _obstacle(visitor: Visitor, heavy_task: HeavyTask) -> JoinRefused | None:
    """The refusal of a join at this moment: the form shows it before a file has travelled."""
    try:
        joining.check_line(heavy_task.name)
        joining.check_visitor(visitor.name)
    except JoinRefused as refusal:
        return refusal
    return None


def _refusal_context(visitor: Visitor, refusal: JoinRefused | None) -> dict[str, Any]:
    return {"refusal": refusal, "mine": visitor.places() if isinstance(refusal, TooManyWaiting) else []}
