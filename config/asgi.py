"""The ASGI application: Django for HTTP, the queue's consumer for WebSockets."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_asgi_application()  # first: it sets Django up, which the imports below need

from channels.auth import AuthMiddlewareStack  # noqa: E402
from channels.routing import ProtocolTypeRouter  # noqa: E402

from config.origin import refuse_malformed_origins  # noqa: E402
from queueing.asgi import LobbyStarter, SameOrigin  # noqa: E402
from queueing.routing import websockets  # noqa: E402

refuse_malformed_origins()
application = LobbyStarter(
    ProtocolTypeRouter({"http": django_application, "websocket": SameOrigin(AuthMiddlewareStack(websockets))})
)
