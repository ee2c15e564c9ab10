"""The ASGI application: Django for HTTP, the queue's consumer for WebSockets."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django_application = get_asgi_application()  # must come first: it sets up Django, and the imports below need that

from channels.routing import ProtocolTypeRouter  # noqa: E402
from channels.sessions import CookieMiddleware  # noqa: E402

from queueing.web.asgi import LobbyStarter, SendAway, collect_less  # noqa: E402
from queueing.web.body_limits import BodyLimits  # noqa: E402
from queueing.web.content_type import FormsOnly  # noqa: E402
from queueing.web.database import use_pool  # noqa: E402
from queueing.web.origin import SameOrigin, refuse_malformed_origins  # noqa: E402
from queueing.web.routing import websockets  # noqa: E402
from queueing.web.turnstile import Turnstile  # noqa: E402
from queueing.web.wire import guard_wires  # noqa: E402

use_pool()
refuse_malformed_origins()
guard_wires()
application = LobbyStarter(
    ProtocolTypeRouter(
        {
            "http": FormsOnly(BodyLimits(django_application)),
            "websocket": SameOrigin(SendAway(CookieMiddleware(Turnstile(websockets)))),
        }
    )
)
collect_less()
