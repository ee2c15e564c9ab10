"""`manage.py first_admin`, which `make admin` calls. Without a terminal, as here, nothing is asked."""

import re
from typing import Any

import pytest
from django.contrib.auth import authenticate
from django.contrib.auth.models import User

from tests.support.commands import run_command

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_first_superuser_is_made_once_and_the_address_is_told() -> None:
    made, address = run_command("first_admin").splitlines()
    match = re.fullmatch(r"Made the superuser admin with the password (\S{20,})", made)
    assert match
    user = User.objects.get()
    assert (user.is_superuser, user.is_staff, user.check_password(match[1])) == (True, True, True)
    assert address == "The admin is at http://127.0.0.1:8000/admin/"
    assert run_command("first_admin").splitlines() == ["There is a superuser already: admin.", address]


def test_name_and_password_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_USERNAME", "anna")
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", "correct horse battery staple")
    assert run_command("first_admin").splitlines()[0] == "Made the superuser anna"
    assert authenticate(username="anna", password="correct horse battery staple") == User.objects.get()


def test_the_address_is_that_of_the_site(settings: Any) -> None:
    settings.CSRF_TRUSTED_ORIGINS = ["https://queue.example"]
    assert run_command("first_admin").splitlines()[1] == "The admin is at https://queue.example/admin/"
