"""The rival of our web process: a socket that is accepted and held, without Django, session and layer."""

from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings

settings.configure()
application = AsyncWebsocketConsumer.as_asgi()
