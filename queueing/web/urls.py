"""The queue's URLs."""

from django.urls import path

from queueing.web import health, joining_views, previews, views

app_name = "queueing"

urlpatterns = [
    path("", joining_views.home, name="home"),
    path("join/<slug:name>/", joining_views.join, name="join"),
    path("join/<slug:name>/preview/", previews.preview, name="preview"),
    path("entry/<uuid:code>/", views.entry_page, name="entry"),
    path("entry/<uuid:code>/card/", views.card, name="card"),
    path("entry/<uuid:code>/status.json", views.status, name="status"),
    path("entry/<uuid:code>/goodbye/", views.goodbye, name="goodbye"),
    path("entry/<uuid:code>/leave/", views.leave, name="leave"),
    path("entry/<uuid:code>/keep/", views.keep, name="keep"),
    path("entry/<uuid:code>/again/", views.again, name="again"),
    path("entry/<uuid:code>/delete/", views.delete, name="delete"),
    path("entry/<uuid:code>/input/", views.input_file, name="input"),
    path("entry/<uuid:code>/result/", views.result, name="result"),
    path("entry/<uuid:code>/files/<str:name>", views.file, name="file"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("metrics", health.metrics, name="metrics"),
]
