"""The socket's URL. Every other address is refused."""

from channels.routing import URLRouter
from django.urls import path, re_path

from queueing.conf import site
from queueing.web.consumers import EntryConsumer, Refuse

websockets = URLRouter(
    [path(f"{site.SOCKET_PREFIX}entry/<uuid:code>/", EntryConsumer.as_asgi()), re_path("", Refuse.as_asgi())]
)
