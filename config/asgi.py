"""The ASGI application of this site."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

from queueing.asgi import application

__all__ = ["application"]
