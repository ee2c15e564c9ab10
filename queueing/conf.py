"""The queue's settings: one typed object, `conf`. Heavy tasks declare theirs in the same way.

A value comes from `settings.QUEUEING` (a dict; `config/settings.py` fills it from QUEUEING_<NAME> in the
environment). Unknown names and values of the wrong type raise; relations between two settings are in `checks/`.
"""

from dataclasses import dataclass, fields
from difflib import get_close_matches
from math import isfinite
from typing import Any, cast

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed
from django.utils.functional import Promise


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    # Presence
    HEARTBEAT_INTERVAL: float = 5  # seconds between two beats of a web process
    PRESENCE_TTL: float = 15  # seconds a presence key lives without a beat; at least three beats
    POLL_TTL: float = 25  # seconds a page view or a poll counts as presence
    CLOSE_GRACE: float = 10  # seconds a place is kept after a goodbye, or before the first look; a reload takes 1-3 s
    LOST_GRACE: float = 120  # seconds a place is kept after the connection was lost
    KEEP_GRACE: float = 1800  # seconds a place is kept for a visitor who asked for it, where the task allows it
    MIN_PRESENCE: float = 30  # seconds a page is open before its visitor may ask for that; a single look lasts POLL_TTL

    # The line
    KEEPER_INTERVAL: float = 1  # seconds between two rounds of the keeper
    MAX_LINE: int = 10_000  # entries that may wait in one line
    HELD_WEIGHT: float = 0.25  # of a held entry among them
    MAX_WAITING_PER_VISITOR: int = 2  # places one visitor may hold at the same time, those being worked on included
    MAX_PAGES_PER_ENTRY: int = 50  # pages of one entry that a web process keeps open
    MAX_PAGES_PER_VISITOR: int = 60  # sockets of one browser that a web process keeps, those that are connecting too
    MAX_PAGES_PER_ADDRESS: int = 200  # the same for one client address (IPv6: one network of 64 bits)
    CLOSED_LINES: str = ""  # new lines that take nobody in until staff open them, separated by commas

    # One address, which may be a school or a whole provider
    ADDRESS_BURST: int = 60  # joins at once, over all lines
    ADDRESS_RATE: float = 20  # joins a minute after that
    ADDRESS_UNSEEN: int = 40  # places in one line whose page was not looked at yet
    ADDRESS_IN_ORDER: int = 30  # places in one line in the order of joining; further ones are behind the others
    ADDRESS_SHARE: float = 0.5  # of MAX_LINE

    # The brake of the form
    BRAKE: str = "off"  # on, off, or auto: on by itself while a line is flooded
    BRAKE_JOINS: int = 120  # joins of one line in a minute that put it on
    BRAKE_BITS: int = 20  # zero bits of a proof of work; each more doubles the work
    BRAKE_CHECK: str = "queueing.web.brake.ProofOfWork"  # the class of the check; another one may ask a captcha
    POLICY: str = "queueing.policy.Policy"  # the class that says who owns, who may join, who goes first, and how much

    # Running
    LEASE: float = 30  # seconds without a sign of life after which a running entry counts as orphaned
    MAX_ATTEMPTS: int = 2  # starts of one entry; a worker that dies in the last one means failure
    REDIS_PATIENCE: float = 60  # seconds a worker waits for an answer on presence before it runs the task anyway
    DEAF_GRACE: float = 30  # seconds a task may ignore that its visitor has left before it is killed

    # The limits of one run, unless the task says otherwise
    TASK_MEMORY_BYTES: int = 1536 * 1024**2  # bytes of memory, beside what a horse inherits from its worker
    TASK_CPU_SECONDS: int = 1800  # seconds of computing, of all threads together
    TASK_DISK_BYTES: int = 2 * 1024**3  # bytes of the temporary folder, and of the saved files
    TASK_PROCESSES: int = 16  # processes that a task has running at one time, beside its own

    # Keeping
    RESULT_TTL: float = 3600  # seconds a result and its files are kept
    INPUT_TTL: float = 600  # seconds an input is kept after the end, for "Join again"; RESULT_TTL, if that is shorter
    HISTORY_TTL: float = 2_592_000  # seconds that the numbers of a line's past are kept: minutes, after 7 days hours
    # Budgets of inputs and results' files, and of rows until they are deleted; 0: no limit
    MAX_BYTES_PER_VISITOR: int = 1024**3  # bytes that one visitor may have stored
    MAX_BYTES_PER_ADDRESS: int = 4 * 1024**3  # bytes that one network may have stored
    MAX_BYTES_PER_LINE: int = 20 * 1024**3  # bytes that one line may have stored
    MAX_BYTES: int = 40 * 1024**3  # bytes that all lines may have stored
    MAX_ENTRIES_PER_VISITOR: int = 200  # entries of one visitor, from the join until RESULT_TTL after the end
    MAX_ENTRIES_PER_ADDRESS: int = 2_000  # entries of one network
    MAX_ENTRIES_PER_LINE: int = 200_000  # entries of one line
    MAX_ENTRIES: int = 400_000  # entries of all lines
    MIN_FREE_DISK: int = 1024**3  # bytes that must stay free on the disk of MEDIA_ROOT; below, nobody joins
    MIN_FREE_INODES: int = 10_000  # files that the disk of MEDIA_ROOT must have room for; below, nobody joins

    # Connections and bodies, in each web process
    HEADER_SECONDS: float = 15  # seconds until the headers of a request have arrived
    KEEP_ALIVE_SECONDS: float = 60  # seconds a connection stays open between two requests
    STALL_SECONDS: float = 30  # seconds in which a body or an answer must move by MIN_RATE
    MIN_RATE: int = 8 * 1024  # bytes a second that a body or an answer moves at least
    TRANSFER_SECONDS: float = 7200  # seconds a body or an answer takes at most; 500 MiB at 1 Mbit/s take 4200
    SHUTDOWN_NOTICE: float = 0  # seconds that /healthz says 503 before a web process that ends closes its port
    SHUTDOWN_SECONDS: float = 10  # seconds that requests under way have from then on
    UPLOADS_BYTES: int = 4 * 1024**3  # bytes that all uploads over 2 MiB may hold in the temporary folder
    MAX_CONNECTIONS_PER_ADDRESS: int = 500  # connections of one address that is no proxy; sockets aside

    # Signing in, for staff
    SIGN_IN_AGE: float = 28_800  # seconds after which staff have to sign in again
    SIGN_IN_IDLE: float = 3_600  # seconds without a page opened by hand after which staff have to sign in again
    SIGN_IN_ATTEMPTS: int = 5  # for one name from one address in SIGN_IN_PAUSE; 4 times as many for one address
    SIGN_IN_PAUSE: float = 900  # seconds in which attempts to sign in are counted
    RIGHTS_INTERVAL: float = 30  # seconds between two looks at whether the visitors of open pages may still see them

    # Input
    MAX_UPLOAD_BYTES: int = 50 * 1024**2  # bytes of one uploaded file, unless the task says otherwise
    CHECKERS: int = 2  # child processes of a web process that look into uploads at the same time
    CHECK_SECONDS: float = 10  # seconds of a look into one file, and of the wait for a free checker
    CHECK_MEMORY: int = 256 * 1024**2  # bytes that a look into one file may take

    def is_closed(self, queue: str) -> bool:
        """True if this line takes nobody in when it is new."""
        return queue in self.CLOSED_LINES.replace(",", " ").split()


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Settings of the site around the queue."""

    REDIS_URL: str = "redis://127.0.0.1:6379/0"
    REDIS_TIMEOUT: float = 2.0  # seconds until a call to a hanging Redis fails
    REDIS_ALLOWANCE: float = 1.0  # seconds that one web request may wait for Redis, in all of its commands together
    DATABASE_POOL: int = 10  # connections to PostgreSQL of one web process
    PORT: int = 8000
    LOG_FORMAT: str = "text"  # or json
    METRICS_TOKEN: str = ""
    TRUSTED_PROXIES: list[str] | tuple[str, ...] = ()
    CLIENT_ADDRESS_HEADER: str = "X-Real-IP"
    SOCKET_PREFIX: str = "ws/"  # of the address of the sockets
    BRAND: str = "Client queue"  # the name in the header and in titles
    FOOTER: str = "Your place is yours while your page is open. Nobody waits behind somebody who left."
    STYLESHEET: str = ""  # a static file with colours of the site, after the queue's own
    MANAGE: str = "python manage.py"  # how an operator calls a command: hints name it


# Names that a site may well use for things of its own: only the dict QUEUEING sets these.
ONLY_OURS = {"SOCKET_PREFIX", "BRAND", "FOOTER", "STYLESHEET", "MANAGE"}
# Keys of QUEUEING that are read as a site is loaded, by `defaults.py`.
AT_LOADING = {"LINES"}


class LazySite:
    """Reads a field of `Site` from `settings.QUEUEING`, else from the settings, at each access."""

    def __getattr__(self, name: str) -> Any:
        if name in settings.QUEUEING:
            return _value_for_site(name)
        default = _DEFAULTS_OF_SITE[name]
        return default if name in ONLY_OURS else _listed(name, getattr(settings, name, default))


def _value_for_site(name: str) -> Any:
    value, kind = settings.QUEUEING[name], type(_DEFAULTS_OF_SITE[name])
    if kind is tuple:
        return _listed(name, value)
    try:
        return _as(kind, value)
    except (TypeError, ValueError):
        raise ImproperlyConfigured(f"QUEUEING_{name} must be of type {kind.__name__}, not {value!r}.") from None


def _listed(name: str, value: Any) -> Any:
    """The value; a text where a list belongs is taken for its words, not for its letters."""
    is_text = isinstance(_DEFAULTS_OF_SITE[name], tuple) and isinstance(value, str)
    return value.replace(",", " ").split() if is_text else value


_DEFAULTS_OF_SITE: dict[str, Any] = {field.name: field.default for field in fields(Site)}
site = cast("Site", LazySite())


class LazyConf:
    """Has the fields of a declaration. Reads `settings.QUEUEING` at the first access, and after a change in a test."""

    def __init__(self, declaration: type, prefix: str) -> None:
        self._declaration, self._prefix = declaration, prefix
        self._values: Any = None
        setting_changed.connect(self._forget)

    def _forget(self, *, setting: str, **_: object) -> None:
        if setting == "QUEUEING":
            self._values = None

    def __getattr__(self, name: str) -> Any:
        if self._values is None:
            self._values = parse(self._declaration, settings.QUEUEING, self._prefix)
        return getattr(self._values, name)


# The dataclasses whose fields are settings, by the prefix of their names.
DECLARED: dict[str, type] = {}


def declare[T](declaration: type[T], *, prefix: str = "") -> T:
    """The settings of this dataclass: its field NAME is the setting <prefix>NAME. A heavy task declares its own."""
    DECLARED[prefix] = declaration
    return cast("T", LazyConf(declaration, prefix))


def parse[T](declaration: type[T], values: dict[str, Any], prefix: str = "") -> T:
    """Build one dataclass of settings. Strings, as they come from the environment, become the field's type.

    Raises ImproperlyConfigured, with the name of the setting.
    """
    parsed: dict[str, Any] = {}
    for field in fields(cast("Any", declaration)):
        if (name := prefix + field.name) not in values:
            continue
        kind = field.type
        assert isinstance(kind, type)
        try:
            parsed[field.name] = _as(kind, values[name])
        except (TypeError, ValueError):
            raise ImproperlyConfigured(
                f"QUEUEING_{name} must be of type {kind.__name__}, not {values[name]!r}."
            ) from None
    return declaration(**parsed)


def check_all(values: dict[str, Any]) -> None:
    """Raises ImproperlyConfigured for a setting that nobody declares, or of the wrong type."""
    known = {prefix + field.name for prefix, kind in DECLARED.items() for field in fields(kind)}
    known |= _DEFAULTS_OF_SITE.keys() | AT_LOADING
    if unknown := sorted(values.keys() - known):
        alike = [name for wrong in unknown for name in get_close_matches(wrong.upper(), known, 1)]
        meant = f" Did you mean {', '.join(alike)}?" if alike else ""
        raise ImproperlyConfigured(f"Unknown QUEUEING settings: {', '.join(unknown)}.{meant}")
    for prefix, declaration in DECLARED.items():
        parse(declaration, values, prefix)
    for name in _DEFAULTS_OF_SITE.keys() & values.keys():
        _value_for_site(name)


def _as(kind: type, value: Any) -> Any:
    """The value as that type. Raises ValueError where digits would be lost, and for infinity and NaN.

    Raises TypeError for what Python would turn into a text or a number, and nobody meant so: None, a list, True.
    """
    if (kind is str and not isinstance(value, str | Promise)) or (isinstance(value, bool) and kind is not bool):
        raise TypeError(value)
    result = kind(value)
    if isinstance(result, float) and not isfinite(result):
        raise ValueError(value)
    if isinstance(value, float) and result != value:
        raise ValueError(value)
    return result


conf = declare(Conf)
