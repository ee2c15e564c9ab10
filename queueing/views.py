"""The pages. Every change is a POST; who may see an entry is decided in `ownership`."""

import contextlib
import json
import mimetypes
import uuid
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import requires_csrf_token
from django.views.decorators.http import require_GET, require_http_methods, require_POST, require_safe

from queueing import eta, events, ownership, presence, services, snapshot, stats, tasks
from queueing.conf import conf
from queueing.exceptions import JoinRefused, TooManyWaiting, UnknownTask, UnusableInput
from queueing.forms import EntryForm
from queueing.keys import RedisError
from queueing.models import Entry
from queueing.states import Reason, Status

# Joining


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    mine = ownership.live_entries(request.session, request.user)
    context = {
        "lines": [_line(task) for task in tasks.each()],
        "mine": mine,
        "results": ownership.results(request.session, request.user),
    }
    return render(request, "queueing/home.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
def join(request: HttpRequest, name: str) -> HttpResponse:
    try:
        heavy_task = tasks.get(name)
    except UnknownTask:
        raise Http404 from None
    form = heavy_task.form(*_submitted(request, heavy_task))
    if not form.is_valid():
        status = 422 if form.is_bound else 200
        return render(request, "queueing/join.html", _form_page(request, heavy_task, form), status=status)
    upload: UploadedFile[Any] = form.cleaned_data["file"]
    try:
        entry = services.join(
            heavy_task,
            code=form.cleaned_data["code"],
            visitor=ownership.make_visitor(request.session),
            user=request.user,
            upload=upload,
            content_type=upload.content_type or "application/octet-stream",
            options=form.options(),
        )
    except JoinRefused as refusal:
        return _refused(request, heavy_task, refusal)
    return _see_other(entry)


# The entry


@require_safe
@never_cache
def entry(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    found = _entry_or_404(request, code)
    _beat(request, found)
    is_owner = ownership.owns(found, request.session, request.user)
    rights = {"is_owner": is_owner, "may_change": is_owner or request.user.has_perm(ownership.CHANGE)}
    return render(request, "queueing/entry.html", snapshot.page(found) | rights)


@require_GET
@never_cache
def status(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """The state as JSON; with ?have=<status>, the page's partial too when the status is another one."""
    found = _entry_or_404(request, code)
    _beat(request, found)
    page = snapshot.page(found)
    state = page["snapshot"].as_json()
    if request.GET.get("have", found.status) != found.status:
        state["html"] = render_to_string("queueing/entry.html#status", page)
    return JsonResponse(state)


@require_POST
def goodbye(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """The owner closes or leaves a page that has no socket to say so. Twice is once.

    After a reload it comes later than the new page, which is then held until it opens a socket or polls.
    """
    found = _entry_or_404(request, code)
    if not ownership.owns(found, request.session, request.user):
        raise Http404  # nobody else's page counted
    if found.is_live:
        with contextlib.suppress(RedisError):  # the key runs out by itself
            presence.close(found.queue, found.job_id, "closed")
        events.publish(found.code, "entry.closed")  # another page of it, which has a socket, beats at once
    return HttpResponse(status=204)


@require_POST
def leave(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    found = _entry_or_404(request, code, ownership.CHANGE)
    is_owner = ownership.owns(found, request.session, request.user)
    services.leave(found, Reason.LEFT if is_owner else Reason.ENDED)
    return _see_other(found)


@require_POST
def keep(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    found = _entry_or_404(request, code, ownership.CHANGE)
    services.keep(found)
    return _see_other(found)


@require_POST
def again(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """A new place with the same input. Pressed twice, or while the entry is alive, it leads to the living one."""
    found = _entry_or_404(request, code, ownership.CHANGE)
    if not ownership.owns(found, request.session, request.user):
        raise Http404  # a new place would be the staff member's, with the visitor's input
    if found.is_live:
        return _see_other(found)
    try:
        visitor = ownership.make_visitor(request.session)
        return _see_other(services.join_again(found, visitor=visitor, user=request.user))
    except JoinRefused as refusal:
        return _refused(request, found.heavy_task, refusal)
    except UnusableInput as error:
        context = {"task": found.heavy_task, "refusal": error}
        return render(request, "queueing/refused.html", context, status=410)


@require_GET
@never_cache
def result(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """What the task returned, as a JSON file."""
    found = _entry_or_404(request, code)
    if found.status != Status.SUCCEEDED:
        raise Http404
    headers = {"Content-Disposition": f'attachment; filename="{found.queue}-{found.code}.json"'}
    return JsonResponse(found.result, safe=False, json_dumps_params={"ensure_ascii": False}, headers=headers)


@require_safe
def file(request: HttpRequest, code: uuid.UUID, name: str) -> FileResponse:
    """A file of the result, as an attachment."""
    found = _entry_or_404(request, code)
    if "\0" in name:  # in no name, and an error in PostgreSQL
        raise Http404
    stored = get_object_or_404(found.files.filter(attempt=found.attempt), name=name)
    try:
        content = stored.file.open("rb")
    except FileNotFoundError:
        raise Http404 from None
    response = FileResponse(content, as_attachment=True, filename=stored.name, content_type=stored.content_type)
    # Never changes, and only this visitor may have it.
    response["Cache-Control"] = f"private, max-age={round(conf.RESULT_TTL)}"
    return response


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return render(request, "403_csrf.html", {"reason": reason}, status=403)


# Details


def _entry_or_404(request: HttpRequest, code: uuid.UUID, permission: str = ownership.LOOK) -> Entry:
    found = ownership.find_entry(code, request.session, request.user, permission)
    if found is None:
        raise Http404
    return found


def _beat(request: HttpRequest, found: Entry) -> None:
    """A look by the owner counts as presence, for those whose page has no socket."""
    if found.is_live and ownership.owns(found, request.session, request.user):
        with contextlib.suppress(RedisError):  # the page says so; the next look is soon
            presence.beat(found.queue, [found.job_id], conf.POLL_TTL)


def _submitted(request: HttpRequest, heavy_task: tasks.HeavyTask) -> tuple[Any, ...]:
    """The form's data and files; the sample stands in for a file when its button was pressed."""
    if request.method != "POST":
        return ()
    if "sample" not in request.POST or not heavy_task.sample:
        return request.POST, request.FILES
    sample = heavy_task.sample_path
    content_type, _ = mimetypes.guess_type(sample.name)
    return request.POST, {"file": SimpleUploadedFile(sample.name, sample.read_bytes(), content_type or "")}


def _line(heavy_task: tasks.HeavyTask) -> dict[str, Any]:
    """The living line of a task, as the list and the form show it."""
    closed = heavy_task.name in conf.CLOSED_LINES.replace(",", " ").split()
    try:
        line = stats.line_now(heavy_task.name)
    except RedisError:
        return {"task": heavy_task, "closed": closed, "unknown": True}
    return {
        "task": heavy_task,
        "present": line.present,
        "held": line.held,
        "running": line.running,
        "workers": line.workers,
        "wait_text": eta.sentence(line.wait),
        "closed": closed,
    }


def _form_page(request: HttpRequest, heavy_task: tasks.HeavyTask, form: EntryForm) -> dict[str, Any]:
    heads = [(pattern.decode("latin-1"), sentence) for pattern, sentence in form.refused_heads]
    context = {
        "task": heavy_task,
        "form": form,
        "line": _line(heavy_task),
        "max_bytes": form.max_bytes(),
        "refused_heads": json.dumps(heads),
    }
    return context | _refusal(request, _obstacle(request, heavy_task))


def _obstacle(request: HttpRequest, heavy_task: tasks.HeavyTask) -> JoinRefused | None:
    """Why a join would be refused at this moment: better told before a file has travelled."""
    try:
        services.check_doors(heavy_task.name)
        services.free_slot(ownership.visitor_of(request.session))
    except JoinRefused as refusal:
        return refusal
    return None


def _refusal(request: HttpRequest, refusal: JoinRefused | None) -> dict[str, Any]:
    too_many = isinstance(refusal, TooManyWaiting)
    mine = ownership.live_entries(request.session, request.user) if too_many else []
    return {"refusal": refusal, "mine": mine}


def _refused(request: HttpRequest, heavy_task: tasks.HeavyTask, refusal: JoinRefused) -> HttpResponse:
    context = {"task": heavy_task} | _refusal(request, refusal)
    status = 429 if isinstance(refusal, TooManyWaiting) else 503
    response = render(request, "queueing/refused.html", context, status=status)
    response["Retry-After"] = str(refusal.retry_after)
    return response


def _see_other(found: Entry) -> HttpResponse:
    response = redirect("queueing:entry", code=found.code)
    response.status_code = 303
    return response
