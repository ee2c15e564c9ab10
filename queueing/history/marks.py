"""The marks in the charts of a line: deploys, pauses, closures, and flushes of Redis.

Staff and the keeper note them when they happen. Several keepers may see the same event, so each looks whether it is
noted already.
"""

import hashlib
from collections.abc import Collection
from datetime import datetime, timedelta
from functools import cache
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


def note_present(queue: str, version: str | None, *, suspended: bool) -> bool:
    """The site runs this version, and RQ tells all workers to take nothing, or not: note what is new of it.

    A process gives its version until it is noted, and None from then on. In a rollout there are processes of two
    versions, which would note theirs in turn.

    False: another process has locked the line, so nothing was looked at. A keeper that was stopped in mid-transaction
    must not stop the next one.
    """
    with locked([queue]) as books:
        if queue not in books.memories:
            return False
        deployed, told = _last(queue, VERSIONS), _last(queue, SUSPENSIONS)
        if version is not None and (deployed is None or deployed.detail != version):
            LineEvent.objects.create(queue=queue, kind=Kind.DEPLOYED, detail=version)
        if (told is not None and told.kind == Kind.SUSPENDED) != suspended:
            LineEvent.objects.create(queue=queue, kind=Kind.SUSPENDED if suspended else Kind.UNSUSPENDED)
    return True


def note_flush(queue: str, places: int) -> None:
    """The places of a line came back from the rows, because Redis was emptied or is another server."""
    if not LineEvent.objects.filter(queue=queue, kind=Kind.FLUSHED, at__gt=Now() - SAME_FLUSH).exists():
        detail = f"{places} place{'' if places == 1 else 's'} came back"
        LineEvent.objects.create(queue=queue, kind=Kind.FLUSHED, detail=detail)


def read(queue: str, first: datetime, end: datetime) -> list[LineEvent]:
    """The events of a line from the first moment to the end."""
    return list(LineEvent.objects.filter(queue=queue, at__gte=first, at__lt=end))


def forget(queue: str, oldest: datetime) -> None:
    """Delete events before this moment; but not the last one of its kind, from which the present is known."""
    kept = [event.pk for kinds in (VERSIONS, SUSPENSIONS) if (event := _last(queue, kinds))]
    LineEvent.objects.filter(queue=queue, at__lt=oldest).exclude(pk__in=kept).delete()


def _last(queue: str, kinds: Collection[Kind]) -> LineEvent | None:
    return LineEvent.objects.filter(queue=queue, kind__in=kinds).order_by("-at", "-id").first()


def version() -> str:
    """Eight digits for the site's own code and settings, as this process runs with them."""
    lines = repr((sorted(settings.QUEUEING.items()), settings.QUEUEING_TASKS))
    return hashlib.sha256(f"{_code()} {lines}".encode()).hexdigest()[:8]


@cache
def _code() -> str:
    """A digest of the site's own files. Read once: a process runs the code of its start."""
    digest = hashlib.sha256()
    for folder in ("config", "queueing", "templates"):
        for path in sorted(Path(ROOT, folder).rglob("*")):
            if path.suffix in CODE:
                digest.update(path.read_bytes())
    return digest.hexdigest()
