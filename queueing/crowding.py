"""The places of one address in a line: how many it may have, and when they are behind those of the others.

A new cookie costs nothing, an address does. An address may be a whole school, so nothing is refused that one needs:

1. Joins at once and in a minute, and places whose page nobody looked at, are counted in Redis with the reservation.
2. In a line with more than ADDRESS_IN_ORDER entries, the waiting rows of the address are counted. Beyond that number,
   its new places have the lowest priority; beyond ADDRESS_SHARE of MAX_LINE it gets none. Shorter lines cost no query:
   no address can have as many places there.

The priority is in the row, so such a place is restored like any other, and nobody's place moves later.
"""

import logging
import uuid
from collections.abc import Sequence

from queueing import policy
from queueing.conf import conf
from queueing.exceptions import (
    JoinRefused,
    LineClosed,
    LineFull,
    RedisAway,
    TooManyFromNetwork,
    TooManyJoins,
    TooManyUnseen,
)
from queueing.line.clients import RedisError
from queueing.line.places import get_line
from queueing.line.reserving import Reservation
from queueing.models import Entry, EntryQuerySet
from queueing.policy import LAST

logger = logging.getLogger("queueing")

REFUSALS: dict[str, type[JoinRefused]] = {"full": LineFull, "joins": TooManyJoins, "unseen": TooManyUnseen}


def reserve(queue: str, job_id: str, address: str) -> Reservation:
    """Set a place aside; with job id "" only look.

    Raises LineClosed, LineFull, TooManyJoins or TooManyUnseen: then nothing is reserved. Raises RedisAway: then a
    reservation may stay for its time.
    """
    try:
        reservation = get_line(queue).reserve(job_id, address)
    except RedisError as error:
        raise RedisAway from error
    if reservation.refusal == "closed":
        raise LineClosed(reservation.levers.sentence, opens_at=reservation.levers.opens_at)
    if reservation.refusal:
        # An unseen place is over at its deadline, and gone with the keeper's next round.
        seconds = reservation.seconds + conf.KEEPER_INTERVAL if reservation.refusal == "unseen" else reservation.seconds
        raise REFUSALS[reservation.refusal](seconds=seconds or None)
    if conf.BRAKE == "auto" and reservation.joins == conf.BRAKE_JOINS:
        logger.warning("%s: %d joins in a minute; its form asks for a check for a while", queue, reservation.joins)
    return reservation


def find_rank(entry: Entry, reservation: Reservation) -> None:
    """Put a new entry behind the others if its address has many places in a crowded line, and nowhere else.

    A place that was taken over from another entry stays what it is. Raises TooManyFromNetwork.
    """
    if entry.place is None:
        entry.behind = is_behind(entry.queue, entry.address, reservation)
        entry.priority = LAST if entry.behind else policy.priority_of(entry.user, entry.heavy_task)


def is_behind(queue: str, address: str, reservation: Reservation) -> bool:
    """True if a new place of this address is behind those of the others. Raises TooManyFromNetwork.

    Each join counts those of its address that were reserved before it: the rows, and the joins that are being stored.
    So of joins at the same moment no more than ADDRESS_IN_ORDER are in order.
    """
    max_line = conf.MAX_LINE if reservation.levers.max_line is None else reservation.levers.max_line
    most = max(1, round(max_line * conf.ADDRESS_SHARE))
    if not address or reservation.entries <= min(conf.ADDRESS_IN_ORDER, most):
        return False
    limit = most if reservation.entries > most else conf.ADDRESS_IN_ORDER
    under_way = [uuid.UUID(job_id) for job_id in reservation.under_way]
    places = places_of(queue, address, under_way)[:limit].count() + len(under_way)
    if places >= most:
        raise TooManyFromNetwork
    return places >= conf.ADDRESS_IN_ORDER


def places_of(queue: str, address: str, under_way: Sequence[uuid.UUID]) -> EntryQuerySet:
    """The rows of this address that wait in the line, without the joins that are being stored."""
    return Entry.objects.waiting().filter(queue=queue, address=address).exclude(code__in=under_way)
