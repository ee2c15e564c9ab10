"""The site's URLs: the queue's pages and the admin."""

from django.contrib import admin
from django.http import Http404
from django.urls import include, path, re_path
from django.views.defaults import page_not_found

from queueing.admin import line

handler400 = "queueing.web.middleware.bad_request"
handler500 = "queueing.web.middleware.server_error"

urlpatterns = [
    # The admin's way from an object to its page. No model here has one, and a model without a table would be an error.
    re_path(r"^admin/r/", page_not_found, {"exception": Http404()}),
    path("admin/queueing/lines/<slug:name>/", admin.site.admin_view(line.page), name="line"),
    path("admin/queueing/lines/<slug:name>/now.json", admin.site.admin_view(line.now), name="line_now"),
    path("admin/queueing/lines/<slug:name>/numbers.csv", admin.site.admin_view(line.numbers), name="line_csv"),
    path("admin/", admin.site.urls),
    path("", include("queueing.web.urls")),
]
