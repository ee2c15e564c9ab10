"""The ASGI application of a site with the queue: ASGI_APPLICATION = "queueing.asgi.application".

It is Django for HTTP, and the queue's consumer for WebSockets.
"""

from django.core.asgi import get_asgi_application

django_application = get_asgi_application()  # must come first: it sets up Django, and the import below needs that

from queueing.web.asgi import with_queue  # noqa: E402

application = with_queue(django_application)
