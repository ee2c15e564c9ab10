"""The log of deeds: sign-ins, moves by staff, looks at other people's entries, refused requests.

Each line names the actor and the client's address, and neither files nor contents. Texts that come from outside are
written as Python literals, so that none of them can look like a line of its own. What anybody may cause without signing
in is bounded: a flood of it must not fill the disk, nor hide the other lines.
"""

import logging
import threading
import time
import uuid
from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.dispatch import receiver
from django.http import HttpRequest

from queueing import logs
from queueing.web.address import address_of_request, network_key

logger = logging.getLogger("queueing.audit")

PERIOD = 60.0  # seconds


class Brake:
    """Lets a number of lines of each key pass in a PERIOD, and a larger number of all keys together."""

    def __init__(self, each: int, together: int) -> None:
        self.each, self.together = each, together
        self._lock = threading.Lock()
        self._counts: dict[Any, int] = {}
        self._passed = self._left_out = 0
        self._until = 0.0

    def admits(self, key: Any) -> bool:
        """True if one more line of this key may be written. At a new PERIOD, says how many were left out."""
        left_out = 0
        with self._lock:
            if (now := time.monotonic()) >= self._until:
                left_out, self._left_out = self._left_out, 0
                self._counts, self._passed, self._until = {}, 0, now + PERIOD
            admitted = self._passed < self.together and self._counts.get(key, 0) < self.each
            if admitted:
                self._counts[key] = self._counts.get(key, 0) + 1
                self._passed += 1
            else:
                self._left_out += 1
        if left_out and self.each > 1:
            logger.warning("%d lines like the following were left out", left_out)
        return admitted


_strangers = Brake(each=10, together=300)
_looks = Brake(each=1, together=10_000)  # a page that polls is one look


def staff_looks(user: Any, address: str, page: str, code: uuid.UUID | None = None) -> None:
    """A member of staff opens a page of another person's entry, or a list of entries."""
    if _looks.admits((user.pk, page, code)):
        what = f"entry {code}" if code else "the entries"
        fields = _about(user, address, "staff looks", page=page, entry=str(code or ""))
        logger.info("%r looks at %s (%s) from %s", user.get_username(), what, page, address or "unknown", extra=fields)


def staff_moves(user: Any, address: str, page: str, code: uuid.UUID) -> None:
    """A member of staff ends another person's entry, or keeps its place."""
    fields = _about(user, address, "staff moves", page=page, entry=str(code))
    logger.info("%r moves entry %s (%s) from %s", user.get_username(), code, page, address or "unknown", extra=fields)


def staff_steers(user: Any, address: str, what: str, how: str) -> None:
    """A member of staff steers a line or a worker."""
    fields = _about(user, address, "staff steers", what=what, how=how)
    logger.info("%r steers %s: %s, from %s", user.get_username(), what, how, address or "unknown", extra=fields)


def _about(user: Any, address: str, event: str, **more: str) -> dict[str, str]:
    """The fields of a line, for logs that programs read."""
    return {"event": event, "actor": logs.staff(user), "address": address, **more}


def refused(what: str, address: str, **values: Any) -> None:
    """Somebody was refused, and may be refused again a thousand times."""
    if _strangers.admits((what, network_key(address))):
        told = "".join(f" {name}={value!r:.200}" for name, value in values.items())
        logger.warning("%s%s from %s", what, told, address or "unknown")


@receiver(user_logged_in, dispatch_uid="audit")
def _signed_in(request: HttpRequest, user: Any, **_: Any) -> None:
    logger.info("%r signs in from %s", user.get_username(), address_of_request(request) or "unknown")


@receiver(user_logged_out, dispatch_uid="audit")
def _signed_out(request: HttpRequest, user: Any, **_: Any) -> None:
    if user is not None and user.is_authenticated:
        logger.info("%r signs out from %s", user.get_username(), address_of_request(request) or "unknown")


@receiver(user_login_failed, dispatch_uid="audit")
def _sign_in_failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    address = address_of_request(request) if request is not None else ""
    refused("A sign-in failed:", address, name=credentials.get("username"))


class RequestLines(logging.Filter):
    """For the handler of the log: Django's lines on requests that it refuses get an address, and are bounded.

    A line names the pattern of the URL instead of the URL, which may have the name of a file in it.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """False for a line that is left out."""
        request = getattr(record, "request", None)
        is_fault = record.exc_info is not None and getattr(record, "status_code", 500) >= 500
        if not isinstance(request, HttpRequest) or is_fault:
            return True
        address = address_of_request(request)
        if not _strangers.admits((record.name, network_key(address))):
            return False
        what = record.args[0] if isinstance(record.args, tuple) and record.args else record.getMessage()
        match = request.resolver_match
        where = f"/{match.route}" if match else request.path
        record.msg, record.args = "%.200s: %s %.200r from %s", (what, request.method, where, address or "unknown")
        record.exc_info = record.exc_text = None
        return True
