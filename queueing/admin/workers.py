"""The workers: what each does, and three commands."""

from typing import Any, NamedTuple

from django.conf import settings
from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.html import format_html

from queueing import site_time
from queueing.admin import board
from queueing.admin.base import NOTHING, Cell, Row, clock, duration, live_rows, two_lines
from queueing.line import commands
from queueing.line.clients import RedisError
from queueing.line.desks import Desk, Next, desks, next_of
from queueing.line.workers import suspensions
from queueing.models import Entry
from queueing.roles import LOOK
from queueing.states import Status
from queueing.web import audit
from queueing.web.address import address_of_request
from queueing.web.visitor import may, may_see_lines, may_steer

# The commands: the words on the button, in the history, and what the question says.
COMMANDS = {
    "quiet": (commands.QUIET, "Told to take no more"),
    "resume": (commands.RESUME, "Told to go on"),
    "stop": (commands.STOP, "Told to stop"),
}
NONE = "No worker is there."
MOST = 500  # running entries that are read


COLUMNS = {
    "worker": "Worker",
    "lines": "Lines",
    "state": "State",
    "entry": "Works on",
    "runs": "Runs",
    "life": "Sign of life",
    "next": "Next",
}
# On the page of one line, beside the line itself.
FEW = {name: COLUMNS[name] for name in ("worker", "state", "entry", "life")}


class At(NamedTuple):
    """A moment of all workers."""

    running: dict[str, Entry]  # by worker
    next: dict[str, Next]  # by line
    names: dict[str, str]  # of the files of these entries, by job id
    suspended: set[str]  # the lines whose workers are told to take nothing
    may_look: bool  # at entries: the names of their files are shown


def rows(queue: str = "", columns: dict[str, str] = COLUMNS, *, may_look: bool) -> list[Row]:
    """The live workers; with a queue, those that serve it. Raises RedisError."""
    found = [desk for desk in desks([queue] if queue else None) if not queue or queue in desk.lines]
    following = next_of({name for desk in found for name in desk.lines if name})
    codes = Entry.objects.of_jobs(one.job_id for one in following.values())
    at = At(
        running={entry.worker_ids[-1]: entry for entry in _running() if entry.worker_ids},
        next=following,
        names={code.hex: (may_look and name) or code.hex[:8] for code, name in codes.values_list("code", "input_name")},
        suspended={line for line, told in suspensions([queue] if queue else None).items() if told},
        may_look=may_look,
    )
    return [_row(desk, at, columns) for desk in found]


def _row(desk: Desk, at: At, columns: dict[str, str]) -> Row:
    entry = at.running.get(desk.name)
    done, failed = desk.ends.get(Status.SUCCEEDED, 0), desk.ends.get(Status.FAILED, 0)
    started = sum(desk.ends.values()) + (entry is not None)
    texts = {
        "worker": two_lines(desk.name[:14], f"{desk.host} {desk.pid}"),
        "lines": ", ".join(desk.lines),
        "state": _state(desk, suspended=desk.home in at.suspended, is_busy=entry is not None),
        "entry": _work(entry, may_look=at.may_look),
        "runs": two_lines(f"{started} started", f"{done} done, {failed} failed"),
        "life": f"{desk.seconds:.0f} s ago",
        "next": _next(desk, at),
    }
    return Row(desk.name, [Cell(name, label, texts[name]) for name, label in columns.items()], desk)


def _state(desk: Desk, *, suspended: bool, is_busy: bool) -> str:
    if desk.is_stopping:
        word = "Stopping"
    elif desk.is_quiet:
        word = "Quiet"
    elif suspended:
        word = "Paused"
    else:
        return "Busy" if is_busy else desk.state.capitalize() or NOTHING
    return f"{word}, at work" if is_busy else word


def _work(entry: Entry | None, *, may_look: bool) -> str:
    """The entry that a worker works on, how far it is, and for how long it has run."""
    if entry is None:
        return NOTHING
    address = reverse("admin:queueing_entry_change", args=[entry.pk])
    name = ((may_look and entry.input_name) or entry.code.hex[:8])[:30]
    progress = [] if entry.progress is None else [f"{entry.progress:.0%}"]
    ran = [duration(site_time.now() - entry.last_attempted_at)] if entry.last_attempted_at else []
    link = format_html('{}: <a href="{}">{}</a>', entry.queue, address, name)
    return two_lines(link, ", ".join(["running", *ran, *progress]))


def _next(desk: Desk, at: At) -> str:
    """The entry that the worker would take if it were free."""
    if desk.is_stopping:
        return "Nothing: it ends"
    if desk.is_quiet:
        return "Nothing: it is quiet"
    if desk.home in at.suspended:
        return "Nothing: all workers are paused"
    lines = {queue: at.next[queue] for queue in desk.lines if queue in at.next}
    for queue, following in lines.items():
        if following.job_id:
            return f"{queue}: {at.names.get(following.job_id, following.job_id[:8])}"[:60]
    hindrances = [f"{queue}: {following.hindrance}" for queue, following in lines.items() if following.hindrance]
    return f"Nothing. {'; '.join(hindrances)}" if hindrances else "Nobody is there"


def _running() -> list[Entry]:
    columns = ("code", "queue", "input_name", "worker_ids", "last_attempted_at", "progress", "status")
    return list(Entry.objects.running().only(*columns).order_by("pk")[:MOST])


def page(request: HttpRequest, site: Any) -> HttpResponse:
    """The table; a POST is a command."""
    if not may_see_lines(request.user):
        raise PermissionDenied
    if request.method == "POST":
        return _command(request, site)
    context = site.each_context(request) | _context(request)
    return TemplateResponse(request, "admin/queueing/workers.html", context)


def now(request: HttpRequest) -> HttpResponse:
    """The table as JSON."""
    if not may_see_lines(request.user):
        raise PermissionDenied
    context = _context(request)
    if context["away"]:
        return JsonResponse({"parts": {}, "away": True, "at": clock()})
    parts = live_rows("rows", context.pop("rows"), **context) | {board.NOTICES: context["notices"]}
    return JsonResponse({"parts": parts, "away": False, "at": clock()})


def _context(request: HttpRequest) -> dict[str, Any]:
    queue = request.GET.get("queue", "")
    queue = queue if queue in settings.QUEUEING_TASKS else ""
    try:
        found, notices, away = rows(queue, may_look=may(request.user, LOOK)), board.notices(), False
    except RedisError:
        found, notices, away = [], "", True
    return {
        "title": "Workers",
        "rows": found,
        "columns": COLUMNS,
        "none": "Unknown" if away else NONE,
        "queue": queue,
        "notices": notices,
        "away": away,
        "may_steer": may_steer(request.user),
        "opts": Entry._meta,
    }


def _command(request: HttpRequest, site: Any) -> HttpResponse:
    if not may_steer(request.user):
        raise PermissionDenied
    verb = next((verb for verb in COMMANDS if verb in request.POST), None)
    if verb is None:
        raise BadRequest
    name = request.POST[verb]
    address = reverse("admin:queueing_workers")
    try:
        desk = next((desk for desk in desks() if desk.name == name), None)
        if desk is None:
            messages.warning(request, "This worker is not there any more.")
            return HttpResponseRedirect(address)
        if verb == "stop" and request.POST.get("confirmed") != "yes":
            context = site.each_context(request) | {"title": "Stop this worker?", "desk": desk, "opts": Entry._meta}
            return TemplateResponse(request, "admin/queueing/stop_worker.html", context)
        command, past = COMMANDS[verb]
        commands.send(name, command, desk.home)
    except RedisError:
        messages.error(request, "Redis does not answer, so the worker could not be told.")
        return HttpResponseRedirect(address)
    _note(request, desk, past)
    messages.success(request, f"{past}: {name}. It says so itself once it has heard.")
    return HttpResponseRedirect(address)


def _note(request: HttpRequest, desk: Desk, past: str) -> None:
    assert request.user.pk
    LogEntry.objects.create(
        user_id=request.user.pk, action_flag=CHANGE, object_repr=f"worker {desk.name}"[:200], change_message=f"{past}."
    )
    audit.staff_steers(request.user, address_of_request(request), f"worker {desk.name}", past.lower())
