"""The socket's URL. Every other one is refused."""

from channels.routing import URLRouter
from django.urls import path, re_path

from queueing.consumers import EntryConsumer, Refuse

websockets = URLRouter([path("ws/entry/<uuid:code>/", EntryConsumer.as_asgi()), re_path("", Refuse.as_asgi())])
