"""The policy of a shop: companies, of which some pay."""

import uuid

from django.contrib.auth.models import User

from queueing.models import Entry
from queueing.policy import Policy, Quota
from queueing.registry import HeavyTask

NAMES = uuid.UUID("5f0c6fd8-9a55-4d6e-b5f6-6ab3b4f3a001")


class ShopPolicy(Policy):
    """The e-mail's domain is the company. Strangers may not join; paying.example goes first, and may have more."""

    def owner(self, user: User | None) -> uuid.UUID | None:
        company = company_of(user)
        return uuid.uuid5(NAMES, company) if company else None

    def refusal(self, user: User | None, heavy_task: HeavyTask) -> str:
        return "" if user else f"{heavy_task.title} is for customers. Please sign in."

    def priority(self, user: User | None, heavy_task: HeavyTask) -> int:
        return 10 if company_of(user) == "paying.example" else super().priority(user, heavy_task)

    def quota(self, user: User | None) -> Quota:
        usual = super().quota(user)
        return usual._replace(places=4, bytes=0) if company_of(user) == "paying.example" else usual


class OneResult(Policy):
    """A policy that gives nobody a second result."""

    def refusal(self, user: User | None, heavy_task: HeavyTask) -> str:
        return "You have had your result." if Entry.objects.filter(queue=heavy_task.name, status="succeeded") else ""


class Unmade(Policy):
    """Cannot be made without an argument."""

    def __init__(self, name: str) -> None:
        self.name = name


def company_of(user: User | None) -> str:
    return user.email.partition("@")[2] if user else ""


class Slips(Policy):
    """Its author wrote from memory."""

    def refusal(self, user: User | None) -> str:  # type: ignore[override]
        return "" if user else "Please sign in."

    async def quota(self, user: User | None) -> Quota:  # type: ignore[override]
        return super().quota(user)

    def prority(self, user: User | None, heavy_task: HeavyTask) -> int:
        return 10


class Roomy(Policy):
    """Other names, more parameters and a helper are no slips."""

    def refusal(self, member: User | None, line: HeavyTask, language: str = "en") -> str:
        return self.sentence(language)

    def quota(self, *args: User | None) -> Quota:
        return self.quotas[0]

    quotas = (Quota(1, 0, 0),)

    def sentence(self, language: str) -> str:
        return "" if language else "No."
