"""The ASGI application of a site with the queue: ASGI_APPLICATION = "queueing.asgi.application".

It is Django for HTTP, and the queue's consumer for WebSockets. A server that imports it ends with one sentence if
something is missing or does not fit.
"""

import sys

from django.core.asgi import get_asgi_application
from django.core.exceptions import ImproperlyConfigured

from queueing import installed

try:
    # Must come first: it sets up Django, and the imports below need that.
    django_application = get_asgi_application()
    installed.require()
except (ImproperlyConfigured, OSError) as error:  # the second one: files that this user may not read
    sys.exit(str(error))

from queueing.checks.start import end_a_server_that_does_not_fit
from queueing.web.asgi import with_queue

application = with_queue(django_application)
end_a_server_that_does_not_fit()
