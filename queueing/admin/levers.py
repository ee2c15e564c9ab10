"""The levers of one line in the admin. A change takes effect without a restart; see `steering.py`."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from queueing import steering
from queueing.admin import board, line, lines
from queueing.admin.base import Look
from queueing.exceptions import LeverRefused
from queueing.line.clients import RedisError, connection
from queueing.line.signs import takes_writes
from queueing.line.workers import suspensions
from queueing.models import Line
from queueing.models.line import LIMITS
from queueing.web import audit
from queueing.web.address import address_of_request
from queueing.web.visitor import may_see_lines, may_steer

REDIS_AWAY = "Redis does not answer, or takes no writes: no line can be steered right now, and nothing is changed."

# Generic for the type checker only.
if TYPE_CHECKING:
    Form = forms.ModelForm[Line]
    Model = admin.ModelAdmin[Line]
else:
    Form, Model = forms.ModelForm, admin.ModelAdmin


class LineForm(Form):
    """The levers of one line."""

    changes: steering.Changes = {}  # the columns that were written, replaced by the save

    class Meta:
        model = Line
        fields = ("state", "sentence", "opens_at", "draining", *LIMITS)
        widgets = {"sentence": forms.Textarea(attrs={"rows": 3, "cols": 60})}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            field.show_hidden_initial = True  # changed is what differs from what this member of staff was shown

    def clean(self) -> dict[str, Any]:
        """Refuse all while Redis is away, and what the state does not allow."""
        values = super().clean() or {}
        changes = {name: values[name] for name in self.changed_data if name in values}
        try:
            takes_writes(connection(self.instance.queue))
            steering.check(self.initial["state"], changes)
        except RedisError:
            self.add_error(None, REDIS_AWAY)
        except LeverRefused as refusal:
            self.add_error(None, str(refusal))
        return values


@admin.register(Line)
class LineAdmin(Look, Model):
    """One row for each line of the settings. Nobody adds or deletes one. The list of them is the board."""

    form = LineForm
    readonly_fields = ("emptied_at",)
    fieldsets = (
        (None, {"fields": ("state", "sentence", "opens_at", "draining", "emptied_at")}),
        ("Limits", {"fields": LIMITS}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Line]:
        """The lines of the settings."""
        return super().get_queryset(request).filter(queue__in=steering.names())

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("board.json", view(lines.now), name="queueing_board"),
            path("page/<slug:name>/", view(line.page), name="queueing_line_page"),
            path("page/<slug:name>/now.json", view(line.now), name="queueing_line_now"),
            path("page/<slug:name>/past.json", view(line.its_past), name="queueing_line_past"),
            path("page/<slug:name>/numbers.csv", view(line.numbers), name="queueing_line_csv"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        return lines.page(request, self.admin_site)

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> HttpResponse:
        """The levers. A word to all workers is none of them, and stronger."""
        with suppress(RedisError):
            if request.method == "GET" and (said := board.suspended(suspensions())):
                messages.warning(request, said)
        return super().changeform_view(request, *args, **options)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return may_see_lines(request.user)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for the workers: the permission to steer alone opens nothing, and the save leads to the lines."""
        return may_steer(request.user)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Line, form: Any, change: bool) -> None:
        """Write the columns that were changed here, and no others: another member of staff may change those."""
        if not form.changed_data:
            return
        row, changes = steering.lock(obj.queue), {name: form.cleaned_data[name] for name in form.changed_data}
        steering.mark(row, changes, request.user)
        # Read again by `construct_change_message`: a line that opens loses its sentence.
        form.changes = steering.complete(row.state, changes)
        Line.objects.filter(pk=obj.pk).update(**form.changes)
        audit.staff_steers(request.user, address_of_request(request), f"line {obj.queue}", _words(form))
        transaction.on_commit(lambda: self._publish(request, obj.queue))

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """The words of the log: with the new values, which Django's own leave out."""
        return _words(form)

    def log_change(self, request: HttpRequest, obj: Line, message: Any) -> Any:
        """A line of the log, unless nothing was changed."""
        return super().log_change(request, obj, message) if message else None

    def _publish(self, request: HttpRequest, queue: str) -> None:
        try:
            steering.publish(queue)
        except LeverRefused as error:
            messages.warning(request, str(error))


def _words(form: Any) -> str:
    """The levers that were changed, with their new values, and the sentence that an opened line has lost."""
    values = {name: form.cleaned_data[name] for name in form.changed_data}
    if form.changes.get("sentence") == "" != form.initial["sentence"]:
        values["sentence"] = ""
    said = ((form.fields[name].label, "none" if value in {None, ""} else value) for name, value in values.items())
    return "; ".join(f"{label}: {value}" for label, value in said)
