"""The site's URLs: the queue's pages and the admin."""

from django.contrib import admin
from django.urls import include, path

handler400 = "queueing.web.middleware.bad_request"
handler500 = "queueing.web.middleware.server_error"

urlpatterns = [
    path("admin/", admin.site.urls),
    path("", include("queueing.web.urls")),
]
