"""Checks of the site's policy: its class can be made, and its methods are the ones that the queue calls."""

from typing import Any

from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from queueing import policy
from queueing.checks import methods
from queueing.conf import conf

METHODS = [name for name in vars(policy.Policy) if not name.startswith("_")]


@register("queueing")
def check_policy(**_: Any) -> list[CheckMessage]:
    """A policy that cannot be made, or is none, would be found at the first join only."""
    hint = 'Name a subclass of queueing.policy.Policy: QUEUEING = {"POLICY": "shop.queue.ShopPolicy"}.'
    try:
        made = policy.current()
    except ImproperlyConfigured:
        return []  # of another setting: `check_relations` says which
    except (ImportError, TypeError) as error:
        return [Error(f"POLICY: {error}", hint=hint, id="queueing.E117")]
    if not isinstance(made, policy.Policy):
        return [Error(f"POLICY: {conf.POLICY} is no queueing.policy.Policy.", hint=hint, id="queueing.E117")]
    told = type(made), policy.Policy, METHODS, conf.POLICY
    return [*methods.misfits(*told), *methods.misspelt(*told)]
