"""The trace of an entry: one id in every log line about it, from the request of the join to the horse that runs it.

A request may bring its trace along (W3C Trace Context, https://www.w3.org/TR/trace-context/, section 3.2). The header
is the visitor's to choose, so it is taken as it stands or not at all.
"""

import re
import uuid

# Version 00: trace id, id of the parent, flags. No id consists of zeros.
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
LONGEST = 55  # characters


def accepted(header: str) -> str:
    """The traceparent of a request's header; "" for none, and for one that is not valid."""
    return header if TRACEPARENT.fullmatch(header) else ""


def of_entry(traceparent: str, code: uuid.UUID) -> str:
    """The traceparent of an entry: that of its join's request, or one that is made of its code.

    A made one is the same each time, and says that the trace is recorded (flags 01).
    """
    return traceparent or f"00-{code.hex}-{code.hex[16:]}-01"


def trace_id(traceparent: str) -> str:
    """The id of the trace: 32 hexadecimal digits."""
    return traceparent.split("-")[1]
