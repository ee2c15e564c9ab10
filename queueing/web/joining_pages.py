"""The parts of the pages around a join: the living line, the form, and a refusal."""

import json
import logging
import mimetypes
from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.datastructures import MultiValueDict

from queueing import admission, budget, facts, policy
from queueing.connections import give_connection_back
from queueing.exceptions import (
    CheckFailed,
    FormInvalid,
    JoinRefused,
    LineClosed,
    LineStoresTooMuch,
    NotOpen,
    SiteStoresTooMuch,
    StoresTooMuch,
    TooManyWaiting,
    UnknownTask,
)
from queueing.forms import EntryForm
from queueing.inputs import Content, Parts, Upload
from queueing.line.clients import RedisError
from queueing.line.levers import Levers
from queueing.models import Entry, Line
from queueing.models.trouble import DATABASE_ERRORS
from queueing.parcel import Part
from queueing.registry import HeavyTask, get_task
from queueing.sizes import readable_size
from queueing.web import brake
from queueing.web.guards import may_frame_ours
from queueing.web.sentences import wait_in_words, who_may_return
from queueing.web.visitor import Visitor

logger = logging.getLogger("queueing")

# Bytes of a form around its file: the other fields and the headers of the parts. Most forms have less.
AROUND_FILE = 10_000
# The refusals of a large form that the visitor's own entry may have caused. A low disk takes no second copy.
BY_OWN_ENTRY = (NotOpen, StoresTooMuch, LineStoresTooMuch, SiteStoresTooMuch)


def line_context(heavy_task: HeavyTask, user: Any) -> dict[str, Any]:
    """The living line of a task, as the first page and the form show it to this user, or None."""
    try:
        line = facts.line_now(heavy_task.name, _priority(heavy_task, user))
    except RedisError:  # the row knows what staff say
        levers = Line.of(heavy_task.name).levers
        return {"task": heavy_task, "unknown": True} | _said(levers, paused=levers.is_paused)
    said = _said(line.levers, paused=line.is_paused)
    if not line.has_epoch:
        return {"task": heavy_task, "unknown": True} | said
    return said | {
        "task": heavy_task,
        "present": line.present,
        "held": line.held,
        "may_return": who_may_return(line.held),
        "running": line.running,
        "workers": line.workers,
        "wait_text": wait_in_words(line.wait, is_overtaken=line.is_overtaken),
        "overtaken": line.is_overtaken,
    }


def _priority(heavy_task: HeavyTask, user: Any) -> int:
    """The priority of a new place of this user. Of somebody who may not join, the policy need not know one.

    An error of the policy is logged: it must not keep the first page, and the places there, from the visitor.
    """
    try:
        if not policy.refusal_of(user, heavy_task):
            return policy.priority_of(user, heavy_task)
    except DATABASE_ERRORS:
        raise
    except Exception:
        logger.exception("The policy could not be asked about a place in %s", heavy_task.name)
    return heavy_task.task.priority


def _said(levers: Levers, *, paused: bool) -> dict[str, Any]:
    """The sentence of staff about the line."""
    closed = levers.is_closed
    opens_at = LineClosed(opens_at=levers.opens_at).opens_at if closed else None
    return {"closed": closed, "paused": paused, "notice": levers.sentence, "opens_at": opens_at}


def submitted(request: HttpRequest, heavy_task: HeavyTask) -> EntryForm:
    """The task's form, with what was sent; the sample stands in for a file when its button was pressed.

    The brake comes first: a form without its check is not looked into.
    """
    if request.method != "POST":
        return heavy_task.form()
    form = heavy_task.form(request.POST, _files(request, heavy_task))
    form.address = Visitor.of_request(request).address
    try:
        form.once = brake.verify(request, heavy_task.name)
    except CheckFailed as error:
        form.problem = str(error)
    return form


class LookIntoForm:
    """The look into a form for `joining.join`. It may wait for a checker."""

    def __init__(self, form: EntryForm) -> None:
        self._form = form

    @property
    def was_checked(self) -> bool:
        return self._form.was_checked

    def options(self) -> dict[str, Any]:
        """The options of the task. Raises FormInvalid, or JoinRefused when the look is not possible now."""
        form = self._form
        # The look is remembered, so a second one costs nothing; without files there is none.
        if form.once and not form.was_checked and form.file_fields():
            brake.pay(form.once)
        give_connection_back()  # until the input is stored: no row is needed before
        if form.is_valid():
            return form.options()
        if form.once:
            brake.use_up(form.once)
        raise FormInvalid


def changed_options(request: HttpRequest, entry: Entry) -> dict[str, Any] | None:
    """The options of "Join again" with other ones, as the task's form cleans them; None: they stay as they are.

    Raises FormInvalid for values that the form does not offer.
    """
    if "change" not in request.POST:
        return None
    form = entry.heavy_task.form.of_options(request.POST)
    if not form.is_valid():
        raise FormInvalid
    return form.options()


def _files(request: HttpRequest, heavy_task: HeavyTask) -> Any:
    sample = heavy_task.sample
    if "sample" not in request.POST or sample is None:
        return request.FILES
    content_type, _ = mimetypes.guess_type(sample.name)
    field = next(iter(heavy_task.form.file_fields()), "file")
    return MultiValueDict({field: [SimpleUploadedFile(sample.name, sample.read_bytes(), content_type or "")]})


def content_of(form: EntryForm) -> Content | None:
    """The files of a form as they were sent, before anybody looks into them. None: there is none."""
    sent = list(_sent(form))
    if not sent:
        return None
    if form.takes_one_file():
        [(_, file)] = sent
        return Upload(file, file.content_type or "application/octet-stream")
    parts = (Part(name, file, file.content_type or "", form.ending_of(file)) for name, file in sent)
    return Parts(tuple(parts))


def _sent(form: EntryForm) -> Iterator[tuple[str, Any]]:
    """The files that the form looks at, by field. Of several in a field for one, Django's form takes the last."""
    for name, field in form.file_fields().items():
        takes_several = getattr(field.widget, "allow_multiple_selected", False)
        files = form.files.getlist(name) if takes_several else [form.files.get(name)]
        yield from ((name, file) for file in files if file)


def limit_of_form(name: str) -> int:
    """Bytes of the largest files that this task's form takes. Raises Http404 for a task that is not there."""
    try:
        form = get_task(name).form()
        return form.max_bytes() * form.most_files()
    except UnknownTask:
        raise Http404 from None


def form_page(request: HttpRequest, heavy_task: HeavyTask, form: EntryForm) -> HttpResponse:
    """The page of a form; with what is wrong, if something was sent."""
    status = 422 if form.is_bound else 200
    page = render(request, "queueing/join.html", form_context(request, heavy_task, form), status=status)
    return may_frame_ours(page) if form.preview_template else page


def form_context(request: HttpRequest, heavy_task: HeavyTask, form: EntryForm) -> dict[str, Any]:
    """The page of a form: its line, its limits, and what stands in the way of a join."""
    heads = [(pattern.decode("latin-1"), sentence) for pattern, sentence in form.refused_heads]
    visitor, refusal, behind = Visitor.of_request(request), None, False
    newcomer = visitor.newcomer(heavy_task.name)
    try:  # shown before a file has travelled
        admission.check_policy(newcomer.user, heavy_task)
        behind = admission.check_line(heavy_task.name, visitor.address)
        admission.check_visitor(newcomer)
        admission.check_budgets(newcomer, int(bool(form.file_fields())))
    except JoinRefused as error:
        refusal = error
    check = brake.markup(request, heavy_task.name)
    max_bytes = min(form.max_bytes(), budget.largest_file(newcomer.user) or form.max_bytes())
    return {
        "task": heavy_task,
        "form": form,
        "line": line_context(heavy_task, newcomer.user) | {"behind": behind},
        "takes_files": bool(form.file_fields()),
        "max_bytes": max_bytes,
        "max_size": readable_size(max_bytes),
        "refused_heads": json.dumps(heads),
        "brake": check,
        "has_preview": bool(form.preview_template) and not check,
    } | _refusal_context(visitor, refusal)


def refused(request: HttpRequest, heavy_task: HeavyTask, refusal: JoinRefused) -> HttpResponse:
    """The answer to a join that is refused."""
    context = {"task": heavy_task} | _refusal_context(Visitor.of_request(request), refusal)
    response = render(request, "queueing/refused.html", context, status=refusal.status)
    if refusal.retry_after:
        response["Retry-After"] = str(refusal.retry_after)
    return response


def refusal_of_body(request: HttpRequest, heavy_task: HeavyTask) -> JoinRefused | None:
    """The refusal of a large form by its length, before it is parsed and its file is written a second time.

    The code is inside of the form. So the form of a visitor with a place in this line is parsed: it may be the one that
    made the place, sent again. `joining.join` tells, and asks the same of any other form.
    """
    declared = request.META.get("CONTENT_LENGTH") or ""
    length = int(declared) if declared.isdecimal() and len(declared) < 20 else 0
    if request.method != "POST" or length <= settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
        return None
    visitor = Visitor.of_request(request)
    newcomer = visitor.newcomer(heavy_task.name)
    try:
        admission.check_policy(newcomer.user, heavy_task)
        admission.check_budgets(newcomer, length - AROUND_FILE)
    except JoinRefused as refusal:
        may_be_again = (
            isinstance(refusal, BY_OWN_ENTRY)
            and budget.has_room(length)
            and any(place.queue == heavy_task.name for place in visitor.places())
        )
        return None if may_be_again else refusal
    return None


def _refusal_context(visitor: Visitor, refusal: JoinRefused | None) -> dict[str, Any]:
    """The refusal, with the entries by which the visitor can make room: places to leave, or content to delete.

    A policy may refuse another place to somebody who has one: the way to it is shown, too.
    """
    mine = visitor.places() if isinstance(refusal, (TooManyWaiting, NotOpen)) else []
    stored = visitor.stored() if isinstance(refusal, StoresTooMuch) else []
    return {"refusal": refusal, "mine": mine, "stored": stored}


def see_other(entry: Entry) -> HttpResponse:
    """The answer to a form that was taken: 303 to the entry's page."""
    response = redirect("queueing:entry", code=entry.code)
    response.status_code = 303
    return response
