"""The actions on entries: a question that says how many and what visitors will read, then the act in bounded time.

An act on a whole filter is done in steps. Each step is a POST of its own, with the permission asked again; the answer
to it says how far it has come, and the page sends the next one. So no request is long, a closed page stops the rest,
and nothing has to be remembered between two steps.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Self

from django.contrib import messages
from django.contrib.admin.decorators import action
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import ActionLocation
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse

from queueing import staff
from queueing.admin import listing
from queueing.line.allowance import allow_waiting
from queueing.models import Entry, EntryQuerySet
from queueing.staff import ACTS, Act, Outcome
from queueing.web import audit
from queueing.web.address import address_of_request

STEP = 1.5  # seconds of one request
STEP_ALLOWANCE = 5.0  # seconds that one step may wait for Redis
BATCH = 50  # rows that are read together
MOST_NAMED = 10  # entries that the question lists
MOST_TICKED = 1000  # rows that one POST may tick


class Step(NamedTuple):
    """How far an act has come, as the form of the next step says it. Only texts for the same person depend on it."""

    below: int | None  # the entries with smaller ids are still to do
    done: int
    refused: int
    of: int = 0  # entries that the question was about

    @classmethod
    def of_form(cls, request: HttpRequest) -> Self:
        """From the fields of a form; numbers that are none count as nothing."""
        below, *numbers = (request.POST.get(name, "") for name in ("below", "done", "refused", "of"))
        return cls(
            int(below) if below.isdecimal() and len(below) < 19 else None,
            *(int(number) if number.isdecimal() and len(number) < 10 else 0 for number in numbers),
        )


def actions() -> list[Callable[..., Any]]:
    """The actions for a ModelAdmin, on its list and on the page of one entry."""
    return [_as_action(act) for act in ACTS.values()]


def _as_action(act: Act) -> Callable[..., Any]:
    def run(_admin: Any, request: HttpRequest, rows: QuerySet[Entry]) -> HttpResponse | None:
        return handle(act, request, rows)

    run.__name__ = act.name
    places = [ActionLocation.CHANGE_LIST, ActionLocation.CHANGE_FORM]
    marked: Callable[..., Any] = action(permissions=["end"], description=f"{act.title}…", location=places)(run)
    return marked


def handle(act: Act, request: HttpRequest, rows: Any) -> HttpResponse | None:
    """The question, or a step of the act. None: it is done, and the list comes next."""
    wanted: EntryQuerySet = act.candidates(rows)
    if request.POST.get("confirmed") != "yes":
        return _page(request, act, _question(request, wanted))
    step = Step.of_form(request)
    outcome, below = _go_on(act, wanted, step.below, request)
    step = Step(below, step.done + len(outcome.done), step.refused + outcome.refused.total(), step.of)
    for sentence, number in outcome.refused.items():
        messages.warning(request, f"{_entries(number)}: {sentence}")
    if below is not None:
        return _page(request, act, {"step": step})
    if step.done:
        messages.success(request, f"{act.past}: {_entries(step.done)}.")
    elif not step.refused:
        messages.info(request, "No entry was left that this concerns. Nothing was changed.")
    return None


def _question(request: HttpRequest, wanted: EntryQuerySet) -> dict[str, Any]:
    number = listing.count(wanted)
    named = listing.newest(wanted, limit=MOST_NAMED).rows
    newest = named[0].pk + 1 if named else None  # entries that join meanwhile are not meant
    ticked = request.POST.getlist(ACTION_CHECKBOX_NAME)
    left_out = 0 if _is_whole_filter(request) else max(0, len(ticked) - number.value)
    step = Step(newest, 0, 0, number.value)
    return {"number": number, "named": named, "left_out": left_out, "step": step, "is_question": True}


def _go_on(act: Act, wanted: EntryQuerySet, below: int | None, request: HttpRequest) -> tuple[Outcome, int | None]:
    """Do it until the time is over; returns the outcome, and the id below which entries are still to do."""
    until, outcome, reached = time.monotonic() + STEP, Outcome(refused=Counter()), below
    with allow_waiting(STEP_ALLOWANCE):
        for entry, reached in _walk(wanted, below):
            if entry is not None:
                _do(act, entry, request, outcome)
            if reached is None or time.monotonic() >= until:
                break
    staff.log(outcome.done, request.user, act.past)
    return outcome, reached


def _walk(wanted: EntryQuerySet, below: int | None) -> Iterator[tuple[Entry | None, int | None]]:
    """Each entry with the id below which the others are; at the end (None, None)."""
    while True:
        found = listing.newest(wanted, limit=BATCH, below=below)
        for entry in found.rows:
            yield entry, entry.pk
        if found.below is None:
            yield None, None
            return
        below = found.below
        yield None, below


def _do(act: Act, entry: Entry, request: HttpRequest, outcome: Outcome) -> None:
    if refusal := act.perform(entry, request.user):
        outcome.refused[refusal] += 1
        return
    outcome.done.append(entry)
    audit.staff_moves(request.user, address_of_request(request), act.name, entry.code)


def _page(request: HttpRequest, act: Act, values: dict[str, Any]) -> HttpResponse:
    from django.contrib.admin import site

    whole, query = _is_whole_filter(request), request.GET.urlencode()
    context = site.each_context(request) | {
        "title": f"{act.title}?",
        "act": act,
        "opts": Entry._meta,
        "is_whole_filter": whole,
        "ticked": ["0"] if whole else request.POST.getlist(ACTION_CHECKBOX_NAME)[:MOST_TICKED],
        "target": f"{reverse('admin:queueing_entry_changelist')}{'?' if query else ''}{query}",
    }
    return TemplateResponse(request, "admin/queueing/entry/act.html", context | values)


def _is_whole_filter(request: HttpRequest) -> bool:
    return request.POST.get("select_across") == "1"


def _entries(number: int) -> str:
    return "1 entry" if number == 1 else f"{number:,} entries"
