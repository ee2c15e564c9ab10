"""The admin: entries with their timelines, and the living lines. Workers own the rows, so here they are read-only."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE as CHANGED
from django.contrib.admin.models import LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from queueing import ending, eta, stats
from queueing.line.allowance import allow_waiting
from queueing.line.clients import RedisError
from queueing.models import Entry, EntryFile
from queueing.roles import CHANGE, LOOK
from queueing.states import Reason
from queueing.web import audit, rights, sign_in  # the other two listen to signals of users, in every process
from queueing.web.address import address_of_request
from queueing.web.visitor import may

__all__ = ["rights", "sign_in"]

TIMES = (
    *("joined_at", "first_look", "started_at", "last_attempted_at", "finished_at", "end_seen_at", "erased_at"),
    *("lease_until", "input_until"),
)
FILTERS = {"", "exact", "isnull", "gte", "lt"}  # how the list is filtered by a column
MOST_EVENTS = 200  # lines of a timeline; the keeper writes fewer, see `keeper/timeline.py`
END_ALLOWANCE = 30.0  # seconds that the end of many entries may wait for Redis


class ReadOnly:
    """Rows are made by visitors and moved by workers; a form here would overwrite what they do."""

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


# Generic for the type checker only.
if TYPE_CHECKING:
    Inline = admin.TabularInline[EntryFile, Entry]
    Model = admin.ModelAdmin[Entry]
else:
    Inline, Model = admin.TabularInline, admin.ModelAdmin


class FileInline(ReadOnly, Inline):
    model = EntryFile
    fields = ("name", "content_type", "size", "attempt")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """The permission for the entry covers the names of its files."""
        return may(request.user, LOOK)


@admin.register(Entry)
class EntryAdmin(ReadOnly, Model):
    list_display = ("short_code", "status", "queue", "reason", "joined_at")
    list_filter = ("queue", "status", "reason", "joined_at")
    search_fields = ("code",)
    ordering = ("-id",)
    list_per_page = 50
    show_full_result_count = False
    actions = ("end",)
    inlines = (FileInline,)
    fieldsets = (
        (None, {"fields": ("code", "queue", "task_path", "input_name", "status", "reason", "message", "progress")}),
        ("Timeline", {"fields": ("timeline",)}),
        ("Times", {"fields": TIMES}),
        ("Place", {"fields": ("place", "priority", "behind", "needs_presence", "keep_seconds", "followed_by")}),
        ("Details", {"fields": ("attempt", "worker_ids", "kwargs")}),
        ("Error", {"fields": ("error_class", "traceback"), "classes": ("collapse",)}),
    )
    change_list_template = "admin/queueing/entry/change_list.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        """Without the results: fifty of them may be hundreds of megabytes."""
        return super().get_queryset(request).defer("args", "result", "traceback")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The filters beside the list alone. Django would answer questions about every column, by `__regex`, too."""
        field, _, kind = lookup.partition("__")
        return field in self.list_filter and kind in FILTERS

    def view_on_site(self, obj: Entry) -> str:
        """The visitor's page."""
        return reverse("queueing:entry", args=[obj.code])

    @admin.display(description="Code", ordering="code")
    def short_code(self, entry: Entry) -> str:
        return entry.code.hex[:8]

    @admin.display(description="First look")
    def first_look(self, entry: Entry) -> str | None:
        return date_format(entry.seen_at, "DATETIME_FORMAT") if entry.seen_at else None

    @admin.display(description="What happened")
    def timeline(self, entry: Entry) -> SafeString:
        moments = [(entry.joined_at, "Joined", "")]
        if entry.seen_at:
            moments.append((entry.seen_at, "First look", "by the owner"))
        moments += [(event.at, event.get_kind_display(), event.words) for event in entry.events.all()[:MOST_EVENTS]]
        if entry.finished_at:
            reason = entry.get_reason_display() if entry.reason else ""
            moments.append((entry.finished_at, entry.get_status_display(), reason))
        if entry.end_seen_at:
            moments.append((entry.end_seen_at, "End seen", "by the owner"))
        if entry.erased_at:
            moments.append((entry.erased_at, "Deleted", "name, options, input, result and errors"))
        if (successor := entry.followed_by) is not None:
            moments.append((successor.joined_at, "Joined again", f"as {successor.code}, in this place"))
        lines = ((date_format(at, "DATETIME_FORMAT"), what, detail) for at, what, detail in moments)
        return format_html("<ol>{}</ol>", format_html_join("", "<li>{} <strong>{}</strong> {}</li>", lines))

    @admin.action(description="End the selected entries (cancel)", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[Entry]) -> None:
        live = [entry for entry in queryset if entry.is_live]
        with allow_waiting(END_ALLOWANCE):
            for entry in live:
                if ending.leave(entry, Reason.ENDED):
                    audit.staff_moves(request.user, address_of_request(request), "end", entry.code)
        assert request.user.pk
        LogEntry.objects.log_actions(request.user.pk, live, CHANGED, "Ended.")
        messages.success(request, f"Ended {len(live)} {'entry' if len(live) == 1 else 'entries'}.")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for the entry's page: the permission to change alone opens nothing."""
        return may(request.user, LOOK)

    def has_end_permission(self, request: HttpRequest) -> bool:
        return may(request.user, CHANGE)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list. Who looks at it is logged."""
        if self.has_view_permission(request):
            audit.staff_looks(request.user, address_of_request(request), "admin")
        return super().changelist_view(request, extra_context)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Entry | None:
        """The entry of a page. Who looks at it is logged."""
        entry = super().get_object(request, object_id, from_field)
        if entry is not None and self.has_view_permission(request):
            audit.staff_looks(request.user, address_of_request(request), "admin", entry.code)
        return entry

    def get_urls(self) -> list[URLPattern]:
        lines = path("lines/", self.admin_site.admin_view(self.lines_view), name="queueing_lines")
        return [lines, *super().get_urls()]

    def lines_view(self, request: HttpRequest) -> HttpResponse:
        """The living lines."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        try:
            numbers = stats.all_lines()
        except RedisError:
            numbers = []  # the page says why
        lines = [
            {"line": line, "wait": eta.sentence(line.wait) or "unknown", "entries": self._entries_url(line.queue)}
            for line in numbers
        ]
        context = self.admin_site.each_context(request) | {"title": "Lines", "lines": lines, "opts": self.opts}
        return TemplateResponse(request, "admin/queueing/lines.html", context)

    def _entries_url(self, queue: str) -> str:
        return f"{reverse('admin:queueing_entry_changelist')}?queue={queue}&status__exact=waiting"
