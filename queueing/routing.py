"""The socket's URL."""

from channels.routing import URLRouter
from django.urls import path

from queueing.consumers import EntryConsumer

websockets = URLRouter([path("ws/entry/<uuid:code>/", EntryConsumer.as_asgi())])
