"""The queue's settings: one typed object, `conf`.

A value comes from `settings.QUEUEING` (a dict; `config/settings.py` fills it from QUEUEING_<NAME> in the
environment). Unknown names and values of the wrong kind raise; what must hold between two of them is in `checks.py`.
"""

from dataclasses import dataclass, fields
from math import isfinite
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed


@dataclass(frozen=True, slots=True, kw_only=True)
class Conf:
    # Presence
    HEARTBEAT_INTERVAL: float = 5  # seconds between two beats of a web process
    PRESENCE_TTL: float = 15  # seconds a presence key lives without a beat; at least three beats
    POLL_TTL: float = 25  # seconds a page view or a poll counts as presence
    CLOSE_GRACE: float = 10  # seconds a place is kept after the page was closed; a reload is back in 1-3 s
    LOST_GRACE: float = 120  # seconds a place is kept after the connection was lost
    KEEP_GRACE: float = 1800  # seconds a place is kept for a visitor who asked for it, where the task allows it

    # The line
    KEEPER_INTERVAL: float = 1  # seconds between two rounds of the keeper
    MAX_LINE: int = 10_000  # entries that may wait in one line
    MAX_WAITING_PER_VISITOR: int = 2  # places one visitor may hold at the same time
    MAX_PAGES_PER_ENTRY: int = 50  # pages of one entry that a web process keeps open
    CLOSED_LINES: str = ""  # lines that take nobody in, separated by commas; who waits is still served

    # Running
    LEASE: float = 30  # seconds without a sign of life after which a running entry counts as orphaned
    MAX_ATTEMPTS: int = 2  # starts of one entry, after which a dead worker means failure
    REDIS_PATIENCE: float = 60  # seconds a worker waits for an answer on presence before it runs the task anyway
    DEAF_GRACE: float = 30  # seconds a task may ignore that its visitor has left before it is killed

    # Keeping
    RESULT_TTL: float = 3600  # seconds a result and its files are kept

    # Input
    MAX_UPLOAD_BYTES: int = 50 * 1024**2  # bytes of one uploaded file, unless the task says otherwise
    DOCUMENT_MAX_PAGES: int = 30  # pages of one PDF or TIFF
    DOCUMENT_MAX_PIXELS: int = 50_000_000  # pixels of one image or page picture
    TABLE_MAX_UPLOAD_BYTES: int = 500 * 1024**2  # bytes of one CSV file
    TABLE_MAX_LINE_BYTES: int = 1024**2  # bytes of one line of a CSV file
    TABLE_MAX_COLUMNS: int = 1_000  # columns of one CSV file


class LazyConf:
    """Reads `settings.QUEUEING` at the first look, and again when a test changes it."""

    def __init__(self) -> None:
        self._conf: Conf | None = None
        setting_changed.connect(self._forget)

    def _forget(self, *, setting: str, **_: object) -> None:
        if setting == "QUEUEING":
            self._conf = None

    def __getattr__(self, name: str) -> Any:
        if self._conf is None:
            self._conf = parse(settings.QUEUEING)
        return getattr(self._conf, name)


def parse(values: dict[str, Any]) -> Conf:
    """Build the settings; strings (from the environment) become the field's type."""
    types = {field.name: field.type for field in fields(Conf)}
    if unknown := values.keys() - types.keys():
        raise ImproperlyConfigured(f"Unknown QUEUEING settings: {', '.join(sorted(unknown))}.")
    parsed: dict[str, Any] = {}
    for name, value in values.items():
        kind = types[name]
        assert isinstance(kind, type)
        try:
            parsed[name] = _as(kind, value)
        except (TypeError, ValueError):
            raise ImproperlyConfigured(f"QUEUEING_{name} must be of type {kind.__name__}, not {value!r}.") from None
    return Conf(**parsed)


def _as(kind: type, value: Any) -> Any:
    """The value as that type. Raises ValueError where something would be lost, and for what is no number."""
    result = kind(value)
    if isinstance(result, float) and not isfinite(result):
        raise ValueError(value)
    if isinstance(value, float) and result != value:
        raise ValueError(value)
    return result


conf: Conf = LazyConf()  # type: ignore[assignment]  # the proxy has the fields of what it stands for
