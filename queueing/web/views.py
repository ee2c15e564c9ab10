"""The pages of an entry. Every change is a POST; `Visitor` decides who may see an entry."""

import contextlib
import logging
import uuid
from functools import cache
from typing import Any

from django.core.exceptions import BadRequest
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.template.loader import render_to_string
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csp import csp_override
from django.views.decorators.csrf import requires_csrf_token
from django.views.decorators.http import require_GET, require_POST, require_safe

from queueing import ending, events, logs, parcel, rejoining, serving
from queueing.connections import give_connection_back
from queueing.exceptions import FormInvalid, JoinRefused, KeepRefused, UnusableInput
from queueing.line import presence
from queueing.line.clients import RedisError
from queueing.models import Entry
from queueing.roles import CHANGE, CONTENT, LOOK
from queueing.states import Absence, Reason, Status
from queueing.web import snapshot
from queueing.web.download import attachment
from queueing.web.guards import in_our_frame
from queueing.web.joining_pages import (
    changed_options,
    refused,
    see_other,
)
from queueing.web.snapshot import Snapshot
from queueing.web.visitor import Visitor

logger = logging.getLogger("queueing")

# The entry


@require_safe
@never_cache
def entry_page(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """The one page of an entry: waiting, running, ended."""
    return _page(request, _entry_or_404(request, code))


@require_safe
@never_cache
@xframe_options_sameorigin
@csp_override(in_our_frame())
def card(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """The same page without the site around it, for a frame in another page of the site. Its links leave the frame."""
    return _page(request, _entry_or_404(request, code), base="queueing/framed.html")


@require_GET
@never_cache
def status(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """The state as JSON; with ?have=<status>, the page's partial too when the status is another one."""
    entry, visitor = _entry_or_404(request, code), Visitor.of_request(request)
    context = _context(visitor, entry, _look(request, visitor, entry))
    state = context["snapshot"].as_json()
    if request.GET.get("have", entry.status) != entry.status:
        state["html"] = render_to_string("queueing/entry.html#status", context)
    visitor.see_end(entry)
    return JsonResponse(state)


@require_POST
def goodbye(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """The owner closes or leaves a page that has no socket to say so. A repeated goodbye changes nothing.

    On a reload the old page's goodbye may arrive after the new page was loaded. The entry is then held until the new
    page opens a socket or polls.
    """
    entry = _entry_or_404(request, code)
    if not Visitor.of_request(request).owns(entry):
        raise Http404  # only an owner's page counts as presence
    if entry.is_live:
        with contextlib.suppress(RedisError):  # the key runs out by itself
            presence.close(entry.queue, entry.job_id, Absence.CLOSED)
        events.publish(entry.code, "entry.closed")  # another page of it that has a socket beats again
    return HttpResponse(status=204)


@require_POST
def leave(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """Leave the line, or stop the task."""
    entry, visitor = _entry_or_404(request, code, CHANGE), Visitor.of_request(request)
    with visitor.acting(entry):
        has_ended = ending.leave(entry, Reason.LEFT if visitor.owns(entry) else Reason.ENDED)
    if has_ended:
        visitor.note_move(entry, "Ended")
    return see_other(entry)


@require_POST
def keep(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """Keep the place for longer in an absence."""
    entry, visitor = _entry_or_404(request, code, CHANGE), Visitor.of_request(request)
    try:
        if visitor.owns(entry):  # staff may keep the place of a visitor who is not there
            ending.check_keep(entry)
            entry.see()  # an owner has looked, even if the row could not be told; only staff keep an unseen place
    except KeepRefused as refusal:  # the page again, because it keeps the visitor present
        return _page(request, entry, refusal)
    if ending.keep(entry):
        visitor.note_move(entry, "Place kept")
    return see_other(entry)


@require_POST
def again(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """A new place with the same input, and with other options if some are sent with "change".

    Pressed twice, or while the entry is live, it leads to the live one.
    """
    entry, visitor = _entry_or_404(request, code, CHANGE), Visitor.of_request(request)
    if not visitor.owns(entry):
        raise Http404  # a new place would be the staff member's, with the visitor's input
    if entry.is_live:
        return see_other(entry)
    try:
        with logs.acting(logs.VISITOR):
            successor = rejoining.join_again(entry, visitor.as_owner(), changed_options(request, entry))
    except FormInvalid:
        raise BadRequest from None
    except JoinRefused as refusal:
        return refused(request, entry.heavy_task, refusal)
    except UnusableInput as error:
        context = {"task": entry.heavy_task, "refusal": error}
        return render(request, "queueing/refused.html", context, status=410)
    visitor.remember(successor.visitor)
    return see_other(successor)


@require_POST
def delete(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """Delete the content of an ended entry now. Pressed twice it changes nothing."""
    entry, visitor = _entry_or_404(request, code, CHANGE), Visitor.of_request(request)
    with visitor.acting(entry):
        has_erased = ending.erase(entry)
    if has_erased:
        visitor.note_move(entry, "Deleted")
    return see_other(entry)


@require_GET
@never_cache
def result(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """The task's return value, as a JSON file."""
    entry = _entry_or_404(request, code, CONTENT)
    if entry.status != Status.SUCCEEDED or entry.erased_at:
        raise Http404
    Visitor.of_request(request).see_end(entry)
    headers = {"Content-Disposition": f'attachment; filename="{entry.queue}-{entry.code}.json"'}
    return JsonResponse(entry.result, safe=False, json_dumps_params={"ensure_ascii": False}, headers=headers)


@require_safe
@never_cache
def file(request: HttpRequest, code: uuid.UUID, name: str) -> HttpResponseBase:
    """A file of the result, as an attachment."""
    entry = _entry_or_404(request, code, CONTENT)
    if "\0" in name:  # in no name, and an error in PostgreSQL
        raise Http404
    stored = get_object_or_404(entry.files.filter(attempt=entry.attempt), name=name)
    response = attachment(request, stored.file, filename=stored.name, content_type=stored.content_type)
    _see_end(request, Visitor.of_request(request), entry)
    give_connection_back()  # a file may travel for long
    return response


@require_safe
@never_cache
def input_file(request: HttpRequest, code: uuid.UUID) -> HttpResponseBase:
    """The file that the visitor handed in, as an attachment of no known type: nobody has looked at all of it."""
    entry = _entry_or_404(request, code, CONTENT)
    if not entry.input:
        raise Http404
    name = f"{entry.input_name}.tar" if str(entry.input.name).endswith(parcel.ENDING) else entry.input_name
    response = attachment(request, entry.input, filename=name, content_type="application/octet-stream")
    give_connection_back()
    return response


@requires_csrf_token
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """A form came without its token, as it does when cookies are off."""
    return render(request, "queueing/errors/403_csrf.html", {"reason": reason}, status=403)


# Details


def _entry_or_404(request: HttpRequest, code: uuid.UUID, permission: str = LOOK) -> Entry:
    entry = Visitor.of_request(request).find(code, permission)
    if entry is None:
        raise Http404
    return entry


def _page(
    request: HttpRequest, entry: Entry, refusal: KeepRefused | None = None, base: str = "queueing/base.html"
) -> HttpResponse:
    """The page of an entry; with the sentence of a refusal above it, it is the answer to a POST, and no look."""
    _tell_of_missing_sockets()
    visitor = Visitor.of_request(request)
    now = snapshot.read(entry) if refusal else _look(request, visitor, entry)
    context = _context(visitor, entry, now)
    rights = {"may_change": visitor.may_change(entry), "refusal": refusal, "base": base}
    response = render(request, "queueing/entry.html", context | rights, status=409 if refusal else 200)
    _see_end(request, visitor, entry)
    return response


@cache
def _tell_of_missing_sockets() -> None:
    """One line in the life of a process that another application serves: Django's own, or one of WSGI."""
    if not serving.has_sockets() and not serving.is_application_looked_at():
        logger.warning(
            "Pages of the queue are served without sockets, so each of them asks again and again. Start the server "
            "with the application that has them: queueing.asgi:application"
        )


def _context(visitor: Visitor, entry: Entry, now: Snapshot) -> dict[str, Any]:
    refusal = "" if entry.is_live else visitor.refusal(entry)
    rights = {"is_owner": visitor.owns(entry), "may_open": visitor.may_open(entry), "may_join": not refusal}
    return snapshot.page_context(entry, snapshot.without_again(now, refusal), **rights)


def _look(request: HttpRequest, visitor: Visitor, entry: Entry) -> Snapshot:
    """The state of the entry. A look by the owner counts as presence, for visitors whose page has no socket."""
    is_look = entry.is_live and _shows_page(request) and visitor.owns(entry)
    return snapshot.look(entry) if is_look else snapshot.read(entry)


def _see_end(request: HttpRequest, visitor: Visitor, entry: Entry) -> None:
    if _shows_page(request):
        visitor.see_end(entry)


def _shows_page(request: HttpRequest) -> bool:
    """False for HEAD: its answer is empty, so it is no look."""
    return request.method != "HEAD"
