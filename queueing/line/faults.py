"""The latest faults of the web processes, for staff who look for the reference that a visitor has read out.

The traceback is in the log of the process. A fault is forgotten when MOST others have come, or FAULTS_TTL later.
"""

import json
from dataclasses import asdict, dataclass
from typing import cast

from queueing.line.clients import connection
from queueing.line.keys import FAULTS
from queueing.line.tampering import reports, shorten

MOST = 200
FAULTS_TTL = 7 * 24 * 3600  # seconds, after the last fault
LONGEST = 300  # characters of each text


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An answer with the status 500."""

    reference: str
    at: str  # by the clock of its web process, in UTC
    request: str  # method and path
    error: str  # its class


def note(fault: Fault) -> None:
    """Remember the fault. Raises RedisError."""
    content = json.dumps({name: text[:LONGEST] for name, text in asdict(fault).items()})
    with connection().pipeline() as pipe:
        pipe.lpush(FAULTS, content)
        pipe.ltrim(FAULTS, 0, MOST - 1)
        pipe.expire(FAULTS, FAULTS_TTL)
        pipe.execute()


def find(reference: str) -> Fault | None:
    """The fault with this reference; None: it is forgotten, or none of a web process. Raises RedisError."""
    for content in cast("list[bytes]", connection().lrange(FAULTS, 0, MOST - 1)):
        try:
            fault = Fault(**json.loads(content))
        except (ValueError, TypeError):
            reports.add("the fault %s is none", shorten(content))
            continue
        if fault.reference == reference:
            return fault
    return None
