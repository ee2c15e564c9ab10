"""The pages before a join: the tasks with their lines, and the form of each."""

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from queueing import joining, logs, policy
from queueing.conf import conf
from queueing.connections import give_connection_back
from queueing.exceptions import FormInvalid, JoinRefused, UnknownTask
from queueing.registry import HeavyTask, all_tasks, get_task
from queueing.web import sentences
from queueing.web.bodies import takes_file
from queueing.web.joining_pages import (
    LookIntoForm,
    content_of,
    form_page,
    limit_of_form,
    line_context,
    refusal_of_body,
    refused,
    see_other,
    submitted,
)
from queueing.web.visitor import Visitor


@require_safe
@never_cache
def home(request: HttpRequest) -> HttpResponse:
    """The tasks with their living lines, and the visitor's own places and results."""
    visitor = Visitor.of_request(request)
    lines = [line_context(task, visitor.member) for task in all_tasks().values()]
    mine = {"mine": visitor.places(), "results": visitor.results()}
    return render(
        request, "queueing/home.html", {"lines": lines, "close_grace": sentences.how_long(conf.CLOSE_GRACE)} | mine
    )


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@takes_file(limit_of_form)
@csrf_exempt  # `_join` asks for the token, behind a look at the length: Django looks for it by parsing the whole form
def join(request: HttpRequest, name: str) -> HttpResponse:
    """A task's form; a valid one leads to the entry."""
    try:
        heavy_task = get_task(name)
    except UnknownTask:
        raise Http404 from None
    if refusal := refusal_of_body(request, heavy_task):
        return refused(request, heavy_task, refusal)
    give_connection_back()  # a large form is parsed for long
    return _join(request, heavy_task)


@csrf_protect
def _join(request: HttpRequest, heavy_task: HeavyTask) -> HttpResponse:
    form = submitted(request, heavy_task)
    if form.problem or form.lacks_file():
        return form_page(request, heavy_task, form)
    visitor = Visitor.of_request(request)
    owner = visitor.as_owner(was_shown=form.was_shown())
    try:
        with logs.acting(logs.VISITOR):
            entry = joining.join(
                heavy_task,
                code=form.asked_code(),
                owner=owner,
                upload=content_of(form),
                options=LookIntoForm(form),
                is_once=form.once is not None,
            )
    except FormInvalid:
        return form_page(request, heavy_task, form)
    except JoinRefused as refusal:
        return refused(request, heavy_task, refusal)
    if visitor.member is None and entry.user_id is not None:
        # The twin of a user's form, whose answer has brought the browser a new cookie. Django would end that one, too.
        request.COOKIES.pop(settings.SESSION_COOKIE_NAME, None)
        return see_other(entry)
    # Where a policy has accounts, the twin of a user's form may have the name of one that the user has left since.
    visitor.remember(owner.visitor if visitor.member and policy.has_accounts() else entry.visitor)
    return see_other(entry)
