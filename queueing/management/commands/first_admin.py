"""manage.py first_admin: makes the first superuser, and prints the address of the admin."""

import logging
import os
import secrets
import sys
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.urls import reverse

from queueing.conf import site
from queueing.management.plain import PlainCommand


class Command(PlainCommand):
    help = "Makes the first superuser, if there is none, and prints the address of the admin."

    def handle(self, *args: Any, **options: Any) -> None:
        logger = logging.getLogger("queueing")
        before = logger.level
        logger.setLevel(logging.ERROR)  # no Redis is needed for this
        try:
            self._make_or_name()
        finally:
            logger.setLevel(before)
        origin = next(iter(settings.CSRF_TRUSTED_ORIGINS), f"http://127.0.0.1:{site.PORT}")
        self.stdout.write(f"The admin is at {origin}{reverse('admin:index')}")

    def _make_or_name(self) -> None:
        """Make a superuser, or name the one that is there."""
        users = get_user_model().objects.filter(is_superuser=True, is_active=True)
        if (user := users.first()) is not None:
            self.stdout.write(f"There is a superuser already: {user.get_username()}.")
        elif sys.stdin.isatty():
            call_command("createsuperuser", stdout=self.stdout)
        else:
            self._make()

    def _make(self) -> None:
        """Without a terminal: by the variables that `createsuperuser` reads; a password that is missing is random."""
        name = os.environ.get("DJANGO_SUPERUSER_USERNAME", "admin")
        password = os.environ.get("DJANGO_SUPERUSER_PASSWORD") or secrets.token_urlsafe(16)
        email = os.environ.get("DJANGO_SUPERUSER_EMAIL", "")
        get_user_model().objects.create_superuser(name, email, password)
        told = "" if "DJANGO_SUPERUSER_PASSWORD" in os.environ else f" with the password {password}"
        self.stdout.write(f"Made the superuser {name}{told}")
