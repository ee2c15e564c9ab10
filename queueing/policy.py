"""The policy of a site: who owns an entry, who may join a line, who goes first, and how much one owner may have.

POLICY names a class. This one is the default: each browser owns what it has joined, everybody may join, and all are
equal. A site's own class overrides what differs; docs/adopting.md has an example. `user` is the user who is signed in,
or None. The methods are asked several times for a page, so what they read should be cached.
"""

import uuid
from functools import cache
from typing import Any, NamedTuple

from django.utils.functional import Promise
from django.utils.module_loading import import_string

from queueing.conf import conf
from queueing.registry import HeavyTask

FIRST, LAST = 100, -100  # the priorities of django.tasks


class Quota(NamedTuple):
    """How much one owner may have, over all lines. 0 of bytes or entries: without a limit."""

    places: int  # waiting or running
    bytes: int  # of inputs and results that are stored
    entries: int  # from the join until RESULT_TTL after the end


class Policy:
    """The policy where the site has none of its own."""

    def owner(self, user: Any) -> uuid.UUID | None:
        """The name under which this user's entries are kept and counted, in every browser; None: the browser's own.

        Users with the same name own each other's entries, as those of one account may wish. An entry that the browser
        joined before the user signed in stays the browser's.
        """
        return None

    def refusal(self, user: Any, heavy_task: HeavyTask) -> str:
        """The sentence for somebody who may not join this line; empty: may join."""
        return ""

    def priority(self, user: Any, heavy_task: HeavyTask) -> int:
        """The priority of a new entry, -100 to 100; higher goes first. The place in it is in the order of joining."""
        return heavy_task.task.priority

    def quota(self, user: Any) -> Quota:
        """How much this owner may have."""
        return Quota(conf.MAX_WAITING_PER_VISITOR, conf.MAX_BYTES_PER_VISITOR, conf.MAX_ENTRIES_PER_VISITOR)


def has_accounts() -> bool:
    """True if the policy says under which names the entries of users are kept."""
    return type(current()).owner is not Policy.owner


def account_of(user: Any) -> uuid.UUID | None:
    """The name of this user's account, if there is one. Raises ValueError for a value that would equal no row's."""
    account: Any = current().owner(user)
    if account is not None and not isinstance(account, uuid.UUID):
        raise ValueError(f"{conf.POLICY}.owner: {account!r} is neither a uuid.UUID nor None")
    return account


def priority_of(user: Any, heavy_task: HeavyTask) -> int:
    """The priority of this user's new entry. Raises ValueError for one that no entry can have."""
    priority: Any = current().priority(user, heavy_task)
    if not isinstance(priority, int) or not FIRST >= priority >= LAST:
        raise ValueError(f"{conf.POLICY}.priority: {priority!r} is no whole number from {LAST} to {FIRST}")
    return priority


def refusal_of(user: Any, heavy_task: HeavyTask) -> str:
    """The sentence for this user; empty: may join. Raises ValueError for what no visitor could read."""
    sentence: Any = current().refusal(user, heavy_task)
    if sentence and not isinstance(sentence, str | Promise):
        raise ValueError(f"{conf.POLICY}.refusal: {sentence!r} is no sentence; empty means that the user may join")
    return sentence or ""


def quota_of(user: Any) -> Quota:
    """The quota of this user. Raises ValueError for what is none."""
    quota: Any = current().quota(user)
    if not isinstance(quota, Quota) or not all(isinstance(number, int) and number >= 0 for number in quota):
        raise ValueError(
            f"{conf.POLICY}.quota: {quota!r} is no Quota of whole numbers. "
            "Write: return super().quota(user)._replace(places=5)"
        )
    return quota


def current() -> Policy:
    """The policy that the settings name. Raises ImportError."""
    return _made(conf.POLICY)


@cache
def _made(path: str) -> Policy:
    made: Policy = import_string(path)()
    return made
