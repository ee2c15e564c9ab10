"""The site's URLs: the queue's pages and the admin."""

from django.contrib import admin
from django.http import Http404
from django.urls import include, path, re_path
from django.views.defaults import page_not_found

handler400 = "queueing.web.middleware.bad_request"
handler500 = "queueing.web.middleware.server_error"

urlpatterns = [
    # The admin's way from an object to its page. No model here has one, and a model without a table would be an error.
    re_path(r"^admin/r/", page_not_found, {"exception": Http404()}),
    path("admin/", admin.site.urls),
    path("", include("queueing.web.urls")),
]
