"""The workers: what each does, and three commands."""

from typing import Any, NamedTuple

from django.contrib import messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.core.exceptions import BadRequest, PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import conditional_escape, format_html

from queueing.admin.base import NOTHING, clock, duration
from queueing.line import commands
from queueing.line.clients import RedisError
from queueing.line.desks import Desk, desks, first_present
from queueing.line.workers import are_suspended
from queueing.models import Entry
from queueing.states import Status
from queueing.web import audit
from queueing.web.address import address_of_request
from queueing.web.visitor import may_see_lines, may_steer

# The commands: the words on the button, in the history, and what the question says.
COMMANDS = {
    "quiet": (commands.QUIET, "Told to take no more"),
    "resume": (commands.RESUME, "Told to go on"),
    "stop": (commands.STOP, "Told to stop"),
}
MOST = 500  # running entries that are read


class Row(NamedTuple):
    """A worker with what it does."""

    desk: Desk
    word: str
    entry: Entry | None  # that it works on
    ran: float | None  # seconds
    started: int
    done: int
    failed: int
    next: str

    def cells(self) -> dict[str, str]:
        """The HTML of each cell but the first and the last one, by its name."""
        entry, progress = self.entry, self.entry.progress if self.entry else None
        link: str = NOTHING
        if entry is not None:
            address = reverse("admin:queueing_entry_change", args=[entry.pk])
            name = (entry.input_name or entry.code.hex)[:30]
            link = format_html('{}: <a href="{}">{}</a>', entry.queue, address, name)
        texts = {
            "host": f"{self.desk.host} {self.desk.pid}",
            "lines": ", ".join(self.desk.lines),
            "state": self.word,
            "entry": link,
            "since": NOTHING if self.ran is None else duration(self.ran),
            "progress": NOTHING if progress is None else f"{progress:.0%}",
            "life": f"{self.desk.seconds:.0f} s ago",
            "started": str(self.started),
            "done": str(self.done),
            "failed": str(self.failed),
            "next": self.next[:60],
        }
        return {name: conditional_escape(text) for name, text in texts.items()}


def rows() -> list[Row]:
    """The live workers. Raises RedisError."""
    found = desks()
    running = {entry.worker_ids[-1]: entry for entry in _running() if entry.worker_ids}
    suspended, first = are_suspended(), first_present({queue for desk in found for queue in desk.lines if queue})
    codes = Entry.objects.of_jobs(first.values())
    names = {code.hex: name or code.hex[:8] for code, name in codes.values_list("code", "input_name")}
    return [_row(desk, running.get(desk.name), first, names, suspended=suspended) for desk in found]


def _row(desk: Desk, entry: Entry | None, first: dict[str, str], names: dict[str, str], *, suspended: bool) -> Row:
    ran = (timezone.now() - entry.last_attempted_at).total_seconds() if entry and entry.last_attempted_at else None
    done, failed = desk.ends.get(Status.SUCCEEDED, 0), desk.ends.get(Status.FAILED, 0)
    started = sum(desk.ends.values()) + (entry is not None)
    if desk.is_stopping:
        word, following = "Stopping", "Nothing: it ends"
    elif desk.is_quiet:
        word, following = "Quiet", "Nothing: it is quiet"
    elif suspended:
        word, following = "Paused", "Nothing: all workers are paused"
    else:
        word = desk.state.capitalize()
        queue = next((queue for queue in desk.lines if queue in first), "")
        following = f"{queue}: {names.get(first[queue], first[queue][:8])}" if queue else "Nobody is there"
    if entry is not None and word != "Busy":
        word = f"{word}, at work" if word in {"Stopping", "Quiet", "Paused"} else "Busy"
    return Row(desk, word, entry, ran, started, done, failed, following)


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
    # The rows without their cells: while the workers are the same, their buttons stay where they are.
    html = render_to_string("admin/queueing/workers.html#rows", context | {"is_skeleton": True}, request)
    parts = {f"{row.desk.name}:{name}": cell for row in context["rows"] for name, cell in row.cells().items()}
    return JsonResponse({"parts": {"rows": html} | parts, "away": False, "at": clock()})


def _context(request: HttpRequest) -> dict[str, Any]:
    try:
        found, away = rows(), False
    except RedisError:
        found, away = [], True
    return {
        "title": "Workers",
        "rows": found,
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
        commands.send(name, command)
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
