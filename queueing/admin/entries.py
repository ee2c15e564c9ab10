"""The list of entries, and the page of one entry."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.formats import date_format

from queueing.admin import acts, columns, export, failures, search, workers
from queueing.admin.base import Look, ReadOnly, clock
from queueing.admin.columns import Columns, add_stands
from queueing.admin.filters import AgeFilter, AttemptFilter, EndedFilter, LineFilter, PresenceFilter
from queueing.admin.listing import Found, newest
from queueing.admin.timeline import moments
from queueing.models import Entry
from queueing.roles import CHANGE, CONTENT, LOOK
from queueing.web import audit
from queueing.web.address import address_of_request
from queueing.web.visitor import may

TIMES = (
    *("joined_at", "not_before", "first_look", "started_at", "last_attempted_at", "finished_at", "end_seen_at"),
    *("erased_at", "lease_until", "input_until"),
)
# The columns by which an address may filter the list beside its own filters, and how.
LOOKUPS = {"queue", "status", "reason", "joined_at", "error_class", "message"}
KINDS = {"", "exact", "in", "isnull", "gte", "lt"}
# Columns that have what a visitor or code handed in: the arguments of an entry made by code, and values in a traceback.
CONTENTS = {"kwargs", "traceback"}
BELOW = "below"  # in an address: the list goes on with the entries of smaller ids

# Generic for the type checker only.
if TYPE_CHECKING:
    Model = admin.ModelAdmin[Entry]
else:
    Model = admin.ModelAdmin


class Newest(ChangeList):
    """A list without a count, which goes on from an id: no page of it costs more than the first one."""

    found: Found

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> QuerySet[Any]:
        """Takes the id out of what Django would take for filters."""
        below = self.params.pop(BELOW, "")
        self.filter_params.pop(BELOW, None)
        self.below = int(below) if below.isdecimal() and len(below) < 19 else None
        return super().get_queryset(request, *args, **kwargs)

    def get_results(self, request: HttpRequest) -> None:
        """One page of rows. Nothing is counted."""
        self.found = newest(self.queryset, limit=self.list_per_page, below=self.below)
        if away := add_stands(self.found.rows):
            sentence = f"{columns.unreached(away)} cannot be reached: presence and places are left out."
            messages.warning(request, sentence)
        self.result_list = self.found.rows
        self.result_count = len(self.found.rows)
        self.full_result_count = None
        self.show_full_result_count = self.can_show_all = self.multi_page = False
        self.show_admin_actions = True

    @property
    def older(self) -> str:
        """The address of the entries below these; empty at the end."""
        return self.get_query_string({BELOW: self.found.below}) if self.found.below is not None else ""


@admin.register(Entry)
class EntryAdmin(Look, ReadOnly, Columns, Model):
    list_display = ("file_name", "state", "times", "line", "who")
    list_filter = (LineFilter, "status", "reason", PresenceFilter, AgeFilter, EndedFilter, AttemptFilter)
    list_select_related = ("user",)
    sortable_by = ()
    search_fields = ("code",)
    search_help_text = search.HELP
    ordering = ("-id",)
    list_per_page = 50
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    actions = acts.actions()
    view_on_site = False  # the page links to the visitor's page
    fieldsets = (
        ("Entry", {"fields": ("code", "queue", "task_path", "backend", "kwargs"), "classes": ("collapse",)}),
        ("Times", {"fields": TIMES, "classes": ("collapse",)}),
        (
            "Place",
            {
                "fields": ("place", "priority", "behind", "needs_presence", "keep_seconds", "followed_by"),
                "classes": ("collapse",),
            },
        ),
        ("Workers", {"fields": ("attempt", "retries", "worker_ids"), "classes": ("collapse",)}),
        ("Error", {"fields": ("error_class", "traceback"), "classes": ("collapse",)}),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Entry]:
        """Without the results: fifty of them may be hundreds of megabytes."""
        return super().get_queryset(request).defer("args", "result", "traceback")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return Newest

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        if fault := search.find_fault(search_term):
            messages.info(request, fault)
        rows: Any = queryset
        if search_term and search.has_more_users(search_term):
            messages.warning(request, f"Only {search.MOST_USERS} of the users with such a name are looked for.")
        return search.search(rows, search_term, may_open=may(request.user, CONTENT)), False

    def get_fieldsets(self, request: HttpRequest, obj: Entry | None = None) -> Any:
        """Without the columns of content, for staff who may not open it."""
        if may(request.user, CONTENT):
            return self.fieldsets
        return [(title, options | {"fields": _without_contents(options)}) for title, options in self.fieldsets]

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        """The filters beside the list alone. Django would answer questions about every column, by `__regex`, too."""
        field, _, kind = lookup.partition("__")
        return lookup in {"presence", "age", "ended", "attempt"} or (field in LOOKUPS and kind in KINDS)

    @admin.display(description="First look")
    def first_look(self, entry: Entry) -> str | None:
        return date_format(entry.seen_at, "DATETIME_FORMAT") if entry.seen_at else None

    # Permissions

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """As for the entry's page: the permission to change alone opens nothing."""
        return may(request.user, LOOK)

    def has_end_permission(self, request: HttpRequest) -> bool:
        """The permission for the actions."""
        return may(request.user, CHANGE)

    # Pages

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("workers/", view(lambda request: workers.page(request, self.admin_site)), name="queueing_workers"),
            path("workers/now.json", view(workers.now), name="queueing_workers_now"),
            path("failures/", view(self.failures_view), name="queueing_failures"),
            path("export.csv", view(self.export_view), name="queueing_export"),
            path("<int:pk>/now.json", view(self.now_view), name="queueing_entry_now"),
            *super().get_urls(),
        ]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The list. Who looks at it is logged."""
        if self.has_view_permission(request):
            audit.staff_looks(request.user, address_of_request(request), "admin")
        return super().changelist_view(request, {"title": "Entries"} | (extra_context or {}))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Entry | None:
        """The entry of a page. Who looks at it is logged."""
        entry = super().get_object(request, object_id, from_field)
        if entry is not None and self.has_view_permission(request):
            audit.staff_looks(request.user, address_of_request(request), "admin", entry.code)
        return entry

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """One entry: how it is now and its timeline first, the rest folded."""
        self._require(self.has_view_permission(request))
        entry = Entry.objects.select_related("user").filter(pk=object_id).first() if object_id.isdecimal() else None
        now = {"now": _now(entry), "may_open": may(request.user, CONTENT)} if entry else {}
        return super().change_view(request, object_id, form_url, (extra_context or {}) | now)

    def now_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The parts of an entry's page that live, as JSON."""
        self._require(self.has_view_permission(request))
        entry = Entry.objects.select_related("user").filter(pk=pk).first()
        if entry is None:
            return JsonResponse({"gone": True}, status=404)
        context = {"now": _now(entry)}
        parts = {
            name: render_to_string(f"admin/queueing/entry/now.html#{name}", context) for name in ("state", "timeline")
        }
        return JsonResponse({"parts": parts, "at": clock(), "away": not context["now"]["is_known"]})

    def failures_view(self, request: HttpRequest) -> HttpResponse:
        """Failures by their error."""
        self._require(self.has_view_permission(request))
        audit.staff_looks(request.user, address_of_request(request), "failures")
        groups = failures.groups(request.GET.get("queue", ""))
        if len(groups) == failures.MOST_GROUPS:
            messages.info(request, f"These are the {failures.MOST_GROUPS} largest groups; there may be others.")
        context = self.admin_site.each_context(request) | {
            "title": "Failures by error",
            "groups": groups,
            "most": f"{failures.MOST_FAILURES:,}",
            "opts": self.opts,
        }
        return TemplateResponse(request, "admin/queueing/entry/failures.html", context)

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """The entries of the list's filter, as CSV."""
        self._require(self.has_view_permission(request))
        audit.staff_looks(request.user, address_of_request(request), "export")
        rows: Any = self.get_changelist_instance(request).queryset
        return export.answer(rows)  # type: ignore[return-value]

    @staticmethod
    def _require(is_allowed: bool) -> None:  # a question, asked in the same line
        if not is_allowed:
            raise PermissionDenied


def _without_contents(options: Any) -> list[str]:
    return [name for name in options["fields"] if name not in CONTENTS]


def _now(entry: Entry) -> dict[str, Any]:
    """The first part of an entry's page."""
    is_known = not add_stands([entry])
    return {
        "entry": entry,
        "is_known": is_known,
        "state": columns.state(entry),
        "presence": columns.presence(entry),
        "who": columns.who(entry),
        "moments": moments(entry),
        "files": list(entry.files.filter(attempt=entry.attempt)),
        "follows": list(entry.follows.values_list("pk", flat=True)[:10]),
    }
