"""The preview of a file before a join. It stores nothing and takes no place, and is guarded as a join is.

1. The body has the same limits (`bodies.py`), and its form the same token.
2. Nobody who could not join now gets a preview; while the brake is on, nobody does.
3. Each address has as many previews as joins, counted apart: previews use up no joins.
4. A checker looks into the file, when no join waits for one (`checking/places.py`).

The answer may stand in a frame of the form's page: so the preview works without a script, and the file stays chosen.
"""

from typing import Any

from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.csp import csp_override
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST

from queueing import admission
from queueing.checking.pool import checkers
from queueing.conf import conf
from queueing.connections import give_connection_back
from queueing.exceptions import JoinRefused, NoPreview, TooManyPreviews, UnknownTask
from queueing.registry import HeavyTask, get_task
from queueing.web import brake
from queueing.web.address import address_of_request, network_key
from queueing.web.bodies import takes_file
from queueing.web.guards import in_our_frame
from queueing.web.joining_pages import limit_of_form
from queueing.web.meter import Meter
from queueing.web.visitor import Visitor

MINUTE = 60.0
meter = Meter()


@require_POST
@never_cache
@takes_file(limit_of_form)
@csrf_exempt  # `_preview` asks for the token, behind the limits: Django looks for it by parsing the whole form
@xframe_options_sameorigin
@csp_override(in_our_frame())
def preview(request: HttpRequest, name: str) -> HttpResponse:
    """The reading of a form's file, as the form stands now."""
    try:
        heavy_task = get_task(name)
    except UnknownTask:
        raise Http404 from None
    if not heavy_task.form.preview_template:
        raise Http404
    address = network_key(address_of_request(request))
    try:
        admission.check_policy(Visitor.of_request(request).member, heavy_task)
        _check_limits(heavy_task, address)
        give_connection_back()
        return _preview(request, heavy_task, address)
    except JoinRefused as refusal:
        answer = _page(request, heavy_task, refusal.status, sentences=[str(refusal)])
        if refusal.retry_after:
            answer["Retry-After"] = str(refusal.retry_after)
        return answer


def _check_limits(heavy_task: HeavyTask, address: str) -> None:
    """Raises JoinRefused."""
    admission.check_line(heavy_task.name, address)
    if brake.is_on(heavy_task.name):
        raise NoPreview
    wait = meter.wait_of(address, interval=MINUTE / conf.ADDRESS_RATE, at_once=conf.ADDRESS_BURST) if address else 0
    if wait:
        raise TooManyPreviews(seconds=wait)


@csrf_protect
def _preview(request: HttpRequest, heavy_task: HeavyTask, address: str) -> HttpResponse:
    upload = request.FILES.get("file")
    form = heavy_task.form.of_options(request.POST)
    if upload is None:
        return _page(request, heavy_task, 422, sentences=["Please choose a file first."])
    if not form.is_valid():
        return _page(request, heavy_task, 422, sentences=[error for errors in form.errors.values() for error in errors])
    try:
        form.check_head(upload)
        shown = checkers.preview(heavy_task.form, upload, address, form.options())
    except ValidationError as error:
        return _page(request, heavy_task, 422, sentences=error.messages)
    return _page(request, heavy_task, 200, preview=shown)


def _page(request: HttpRequest, heavy_task: HeavyTask, status: int, **context: Any) -> HttpResponse:
    template = heavy_task.form.preview_template
    return render(request, "queueing/preview.html", context | {"template": template}, status=status)
