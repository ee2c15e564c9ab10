"""The marks in the charts of a line: deploys, pauses, closures, and flushes of Redis.

Staff and the keeper note them when they happen. Several keepers may see the same event: each looks under a lock
whether it is noted already.
"""

import hashlib
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db.models.functions import Now

from queueing.history.books import locked
from queueing.models import LineEvent
from queueing.states import LineState

Kind = LineEvent.Kind
ROOT = Path(__file__).resolve().parents[2]  # of this project, or of the installed packages
CODE = (".py", ".lua", ".html", ".js", ".css")  # files of the site's own code
SAME_FLUSH = timedelta(seconds=10)  # in which a second keeper has restored the places, too
VERSIONS, SUSPENSIONS = (Kind.DEPLOYED,), (Kind.SUSPENDED, Kind.UNSUSPENDED)
PAUSED = {LineState.PAUSED, LineState.STOPPED}
CLOSED = {LineState.CLOSED, LineState.STOPPED}


def note_state(queue: str, before: str, after: str, who: str) -> None:
    """The state of a line was changed by this user."""
    kinds = []
    if (before in CLOSED) != (after in CLOSED):
        kinds.append(Kind.CLOSED if after in CLOSED else Kind.OPENED)
    if (before in PAUSED) != (after in PAUSED):
        kinds.append(Kind.PAUSED if after in PAUSED else Kind.RESUMED)
    for kind in kinds:
        LineEvent.objects.create(queue=queue, kind=kind, detail=f"by {who}"[:200])


def note_version(queues: Iterable[str], version: str) -> int:
    """The site runs this version of its code and settings; returns in how many lines that is new."""
    return sum(
        _note_if(queue, Kind.DEPLOYED, version, lambda last: last is None or last.detail != version, VERSIONS)
        for queue in queues
    )


def note_suspension(queues: Iterable[str], *, suspended: bool) -> int:
    """RQ's word to all workers: whether they take nothing now; returns in how many lines that is new."""

    def is_new(last: LineEvent | None) -> bool:
        return (last is not None and last.kind == Kind.SUSPENDED) != suspended

    kind = Kind.SUSPENDED if suspended else Kind.UNSUSPENDED
    return sum(_note_if(queue, kind, "", is_new, SUSPENSIONS) for queue in queues)


def note_flush(queue: str, places: int) -> bool:
    """The places of a line came back from the rows, because Redis was emptied or is another server."""
    with locked([queue], wait=True):
        if LineEvent.objects.filter(queue=queue, kind=Kind.FLUSHED, at__gt=Now() - SAME_FLUSH).exists():
            return False
        detail = f"{places} place{'' if places == 1 else 's'} came back"
        LineEvent.objects.create(queue=queue, kind=Kind.FLUSHED, detail=detail)
    return True


def read(queue: str, first: datetime, end: datetime) -> list[LineEvent]:
    """The events of a line from the first moment to the end."""
    return list(LineEvent.objects.filter(queue=queue, at__gte=first, at__lt=end))


def forget(queue: str, oldest: datetime) -> None:
    """Delete events before this moment; but not the last one of its kind, from which the present is known."""
    kept = [event.pk for kinds in (VERSIONS, SUSPENSIONS) if (event := _last(queue, kinds))]
    LineEvent.objects.filter(queue=queue, at__lt=oldest).exclude(pk__in=kept).delete()


def _note_if(
    queue: str, kind: Kind, detail: str, is_new: Callable[[LineEvent | None], bool], among: Collection[Kind]
) -> bool:
    """Note the event, if the last one of these kinds does not say the same."""
    with locked([queue], wait=True):
        if is_new(_last(queue, among)):
            LineEvent.objects.create(queue=queue, kind=kind, detail=detail)
            return True
    return False


def _last(queue: str, kinds: Collection[Kind]) -> LineEvent | None:
    return LineEvent.objects.filter(queue=queue, kind__in=kinds).order_by("-at", "-id").first()


def version() -> str:
    """Eight digits for the site's own code and settings as they are on the disk."""
    digest = hashlib.sha256(repr((sorted(settings.QUEUEING.items()), settings.QUEUEING_TASKS)).encode())
    for folder in ("config", "queueing", "templates"):
        for path in sorted(Path(ROOT, folder).rglob("*")):
            if path.suffix in CODE:
                digest.update(path.read_bytes())
    return digest.hexdigest()[:8]
