"""The brake of the form: a check that each join has to pass while it is on, by a setting or because a line is flooded.

The check that comes with it is a proof of work: the browser looks for a number whose SHA-256 begins with zero bits. It
costs a visitor a second or two, and somebody who joins ten thousand times some hours. Nothing of it leaves the site.
BRAKE_CHECK names another class, for a captcha.
"""

import hashlib
import re
import uuid
from contextlib import suppress
from typing import Protocol, cast

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.module_loading import import_string
from django.utils.safestring import SafeString

from queueing import site_time
from queueing.conf import conf
from queueing.exceptions import CheckFailed, FormUsed, RedisAway
from queueing.line import reserving
from queueing.line.clients import RedisError, connection
from queueing.web.address import address_of_request, network_key

# Seconds from the form to the join; at most RESULT_TTL, because a code is used up only while its row is kept.
LIFE = 900.0
PROOF = re.compile(r"[0-9a-f]{8}")

ASKED = "This line asks each browser for a short calculation first. Please join again."
MISSING = (
    "Joining needs JavaScript at the moment. Allow it for this site and choose your file again, or come back later."
)
EXPIRED = "This form was open for too long, or the network has changed. Please join again."


class Check(Protocol):
    """The check that a form asks for while the brake is on. BRAKE_CHECK names such a class, made without arguments."""

    def markup(self, request: HttpRequest, queue: str) -> SafeString:
        """The part of the form, with its own fields."""
        ...

    def verify(self, request: HttpRequest, queue: str) -> uuid.UUID | None:
        """The code of the entry that this check is good for, once; None if the check is used up in another way.

        Raises CheckFailed with a sentence for the visitor.
        """
        ...


def markup(request: HttpRequest, queue: str) -> SafeString:
    """The check's part of the form; empty while the brake is off."""
    return _check().markup(request, queue) if is_on(queue) else SafeString("")


def verify(request: HttpRequest, queue: str) -> uuid.UUID | None:
    """As `Check.verify`; None while the brake is off."""
    return _check().verify(request, queue) if is_on(queue) else None


def pay(code: uuid.UUID) -> None:
    """A checker is about to look into the file for which this proof was given. Raises FormUsed or RedisAway.

    A form that is sent twice at the same moment is looked into twice; without a count, one proof would buy any number.
    """
    try:
        may_check = reserving.may_check(connection(), code.hex, LIFE)
    except RedisError as error:
        raise RedisAway from error
    if not may_check:
        raise FormUsed


def use_up(code: uuid.UUID) -> None:
    """The file was refused: the page has a new challenge, and the old proof buys no further look."""
    with suppress(RedisError):
        reserving.use_up(connection(), code.hex)


def is_on(queue: str) -> bool:
    """True if a join of this line has to pass the check now."""
    if conf.BRAKE != "auto":
        return conf.BRAKE == "on"
    try:
        return reserving.is_brake_on(connection(queue), queue)
    except RedisError:
        return False  # nobody can join


def _check() -> Check:
    return cast("Check", import_string(conf.BRAKE_CHECK)())


class ProofOfWork:
    """A number for which the SHA-256 of a signed challenge begins with BRAKE_BITS zero bits, as in Hashcash.

    The challenge is `<code>:<expiry>:<bits>:<seed>`. The seed signs the rest, the line and the network: a challenge is
    good for this line, from this network, for LIFE seconds. The code becomes that of the entry, so a challenge yields
    one entry, and sending the form twice yields the same one.
    """

    def markup(self, request: HttpRequest, queue: str) -> SafeString:
        code, life = uuid.uuid4().hex, min(LIFE, conf.RESULT_TTL)
        expiry, bits = str(round(site_time.timestamp() + life)), str(conf.BRAKE_BITS)
        seed = self._seed(request, queue, code, expiry, bits)
        context = {"challenge": f"{code}:{expiry}:{bits}:{seed}", "seed": seed, "bits": bits, "life": round(life)}
        context["missing"] = MISSING
        return render_to_string("queueing/brake.html", context)

    def verify(self, request: HttpRequest, queue: str) -> uuid.UUID | None:
        challenge, proof = request.POST.get("challenge", ""), request.POST.get("proof", "")
        if not challenge:  # the form is older than the brake
            raise CheckFailed(ASKED)
        if challenge.count(":") != 3 or not PROOF.fullmatch(proof):
            raise CheckFailed(MISSING)
        code, expiry, bits, seed = challenge.split(":")
        if not constant_time_compare(seed, self._seed(request, queue, code, expiry, bits)):
            raise CheckFailed(EXPIRED)
        if int(expiry) < site_time.timestamp():
            raise CheckFailed(EXPIRED)
        if not is_proof(seed, proof, int(bits)):
            raise CheckFailed(MISSING)
        return uuid.UUID(code)

    @staticmethod
    def _seed(request: HttpRequest, queue: str, code: str, expiry: str, bits: str) -> str:
        network = network_key(address_of_request(request))
        text = ":".join((queue, network, code, expiry, bits))
        return salted_hmac("queueing.web.brake", text, algorithm="sha256").hexdigest()[:32]


def is_proof(seed: str, proof: str, bits: int) -> bool:
    """True if the hash of seed and proof begins with so many zero bits. `join/work.js` looks for such a proof."""
    digest = hashlib.sha256(f"{seed}{proof}".encode()).digest()
    return int.from_bytes(digest) >> (256 - bits) == 0
