"""Signing in, which only staff do: attempts are counted, passwords are hashed one at a time, and a sign-in ends.

A password's hash costs 0.4 s of a core. So an attempt is counted first, by name and address, and is refused before its
hash when there were too many. Names that exist and names that do not are counted and answered alike.
"""

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext, suppress
from typing import Any

from django.conf import settings
from django.contrib import auth
from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.functional import SimpleLazyObject

from queueing import site_time
from queueing.conf import conf
from queueing.connections import give_connection_back
from queueing.exceptions import SignInRefused, TooManyAttempts
from queueing.line import attempts
from queueing.line.clients import RedisError
from queueing.web import audit
from queueing.web.address import address_of_request, network_key
from queueing.web.sentences import how_long

# Attempts that one address has for all names, and one name from all addresses, as multiples of SIGN_IN_ATTEMPTS.
# The limit of a name does not hold where it has signed in before: strangers must not lock anybody out.
FOR_ADDRESS, FOR_NAME = 4, 10

WAITING = 3  # strangers that wait for their hash in this process; known names wait behind them for a second or so
PATIENCE = 4.0  # seconds that each of them waits
_hashing, _waiting = threading.Lock(), threading.BoundedSemaphore(WAITING)

SIGNED_IN_AT, USED_AT = "signed_in_at", "used_at"  # in the session: seconds since the epoch
NOTED_EVERY = 60  # seconds; a write of the session for each page would cost more than it tells
# Pages that ask by themselves: they do not show that somebody is there.
AUTOMATIC = {
    *(f"queueing:{name}" for name in ("status", "goodbye", "metrics", "readyz", "healthz")),
    *(f"admin:queueing_{name}" for name in ("board", "line_now", "line_past", "workers_now", "entry_now")),
}


class SignInBackend(ModelBackend):
    """Django's check of a name and a password, behind the limits. It lets nobody in whom Django's own would not."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> Any:
        """Raises SignInRefused. Without a request (in a shell) there are no limits."""
        if request is None or username is None or password is None:
            return super().authenticate(request, username=username, password=password, **kwargs)
        attempt = Attempt(username, address_of_request(request))
        attempt.begin()
        with attempt.hash():
            user = super().authenticate(request, username=username, password=password, **kwargs)
        if user is not None:
            attempt.succeed()
        return user


class Attempt:
    """One attempt to sign in. Redis has the counts; while it is away, only the turn of the hashes limits attempts."""

    def __init__(self, name: str, address: str) -> None:
        self.name, self.address = name, address
        network = network_key(address)
        self._pair, self._of_name, self._of_address = (
            salted_hmac("queueing.web.sign_in", key, algorithm="sha256").hexdigest()[:32]
            for key in (f"both {network} {name.casefold()}", f"name {name.casefold()}", f"address {network}")
        )
        self._counted: list[str] = []
        self._is_known = False

    def begin(self) -> None:
        """Count the attempt. Raises TooManyAttempts.

        The address comes first: one that is over its limit writes nothing about names.
        """
        try:
            self._count(self._of_address, conf.SIGN_IN_ATTEMPTS * FOR_ADDRESS)
            self._count(self._pair, conf.SIGN_IN_ATTEMPTS)
            self._is_known = attempts.is_known(self._pair)
            if not self._is_known:
                self._count(self._of_name, conf.SIGN_IN_ATTEMPTS * FOR_NAME)
        except RedisError as error:
            audit.refused(f"A sign-in is not counted ({type(error).__name__})", self.address)

    @contextmanager
    def hash(self) -> Iterator[None]:
        """One password at a time, so that the pages of this process go on. Raises SignInRefused.

        A name that has signed in from this address before does not queue behind a crowd of strangers.
        """
        give_connection_back()  # the session was read on it; those that wait would hold most of the pool
        place = nullcontext(True) if self._is_known else _taken(_waiting)
        with place as has_place, _taken(_hashing, PATIENCE if has_place else 0) as has_turn:
            if not has_turn:
                # A stranger's address pays for its part in the crowd, or the crowd could stay.
                self._take_back(but=() if self._is_known else (self._of_address,))
                self._refuse(SignInRefused())
            yield

    def succeed(self) -> None:
        """The password was right, so the attempt does not count."""
        self._take_back()
        with suppress(RedisError):
            attempts.remember(self._pair)

    def _count(self, digest: str, limit: int) -> None:
        if attempts.count(digest) > limit:
            self._refuse(TooManyAttempts(round(attempts.seconds_left(digest))))
        self._counted.append(digest)

    def _take_back(self, but: Collection[str] = ()) -> None:
        try:
            attempts.take_back([digest for digest in self._counted if digest not in but])
        except RedisError as error:
            audit.refused(f"A sign-in is still counted ({type(error).__name__})", self.address)

    def _refuse(self, refusal: SignInRefused) -> None:
        audit.refused("A sign-in is refused:", self.address, name=self.name)
        raise refusal


@contextmanager
def _taken(lock: "threading.Lock | threading.Semaphore", seconds: float = 0) -> Iterator[bool]:
    """Holds the lock inside. False if it could not be had in time."""
    taken = lock.acquire(timeout=seconds) if seconds else lock.acquire(blocking=False)
    try:
        yield taken
    finally:
        if taken:
            lock.release()


class SignIn(AuthenticationMiddleware):
    """Django's middleware; here a sign-in also ends by its age, and by idleness."""

    def process_request(self, request: HttpRequest) -> None:
        """The user is looked up when somebody asks for it."""
        super().process_request(request)
        request.user = SimpleLazyObject(lambda: _current_user(request))  # type: ignore[assignment]  # as Django does

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        """The page of a refused attempt."""
        if not isinstance(exception, SignInRefused):
            return None
        status = 429 if isinstance(exception, TooManyAttempts) else 503
        context = {"refusal": exception, "wait": how_long(exception.retry_after)}
        answer = render(request, "queueing/errors/sign_in.html", context, status=status)
        answer["Retry-After"] = str(exception.retry_after)
        answer["Cache-Control"] = "no-store"
        return answer


def user_of(session: Any) -> Any:
    """The user who is signed in to this session, or an AnonymousUser. Changes nothing in the session.

    Django's own `get_user` needs a request, and ends a session that does not verify.
    """
    try:
        user_id = auth.get_user_model()._meta.pk.to_python(session[auth.SESSION_KEY])
        path = session[auth.BACKEND_SESSION_KEY]
    except KeyError:
        return AnonymousUser()
    user: Any = auth.load_backend(path).get_user(user_id) if path in settings.AUTHENTICATION_BACKENDS else None
    if user is None or not _verifies(session, user) or (user.is_staff and is_over(session)):
        return AnonymousUser()
    return user


def is_over(session: Any) -> bool:
    """True if this sign-in of staff is too old, or has not been used for too long."""
    now = site_time.timestamp()
    return bool(
        now >= session.get(SIGNED_IN_AT, 0) + conf.SIGN_IN_AGE or now >= session.get(USED_AT, 0) + conf.SIGN_IN_IDLE
    )


def _verifies(session: Any, user: Any) -> bool:
    """False after a change of the password."""
    given = session.get(auth.HASH_SESSION_KEY, "")
    hashes = [user.get_session_auth_hash(), *user.get_session_auth_fallback_hash()]
    return any(constant_time_compare(given, expected) for expected in hashes)


def _current_user(request: HttpRequest) -> Any:
    user, session = auth.get_user(request), request.session
    if not user.is_staff:
        return user
    if is_over(session):
        audit.refused("A sign-in is over:", address_of_request(request), name=user.get_username())
        session.flush()
        return AnonymousUser()
    page = request.resolver_match.view_name if request.resolver_match else None
    if page not in AUTOMATIC and site_time.timestamp() > session[USED_AT] + NOTED_EVERY:
        session[USED_AT] = round(site_time.timestamp())
    return user


@receiver(user_logged_in, dispatch_uid="sign_in")
def _note_sign_in(request: HttpRequest, **_: Any) -> None:
    request.session[SIGNED_IN_AT] = request.session[USED_AT] = round(site_time.timestamp())
