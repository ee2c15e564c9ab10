"""Entries in every state, made from data: rows, files and keys as the processes would have left them."""

import io
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends.db import SessionStore
from django.core.files.base import ContentFile
from django.utils import timezone
from playwright.sync_api import BrowserContext, CDPSession, Page

from queueing import events
from queueing.conf import conf
from queueing.line import clients, presence
from queueing.line.places import get_line
from queueing.models import Entry, EntryFile
from queueing.registry import get_task
from queueing.states import Absence, Status
from queueing.tasks.documents.sample.make_scan import DECISIONS, LEFT, OPENING, RIGHT, TREASURER
from queueing.tasks.documents.source import open_document
from queueing.tasks.tables.page import page as tables_page
from queueing.tasks.tables.profile import profile
from queueing.web.visitor import SESSION_KEY
from queueing.work.worker import PresenceWorker
from tests.support.paths import SCAN, TABLE
from tests.support.standing import stand

TEXTS = ("\n\n".join((OPENING, TREASURER, "\n".join(DECISIONS))), "\n\n".join((LEFT, RIGHT)))
LONG = 110  # seconds that somebody without a browser counts as present; a longer presence is disbelieved


class Stage:
    """A visitor's browser, known to the site without having been there, and the visitor's entries."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.visitor = uuid.uuid4()
        self.session = SessionStore()
        self.session[SESSION_KEY] = self.visitor.hex
        self.session.create()
        key = self.session.session_key
        assert key
        context.add_cookies([{"name": settings.SESSION_COOKIE_NAME, "value": key, "url": url}])

    def entry(self, queue: str = "documents", visitor: uuid.UUID | None = None, **values: Any) -> Entry:
        """A place in the line, with nobody there yet."""
        entry = Entry(
            queue=queue,
            task_path=get_task(queue).task.module_path,
            visitor=visitor or self.visitor,
            input_name=_sample_name(queue),
            **values,
        )
        entry.input.save("input", ContentFile(b"a,b\n1,2\n"), save=False)
        entry.seen_at = timezone.now()
        entry.save()
        stand(get_line(queue), entry.job_id, entry.score, presence=conf.PRESENCE_TTL)
        return entry

    def others(self, count: int, queue: str = "documents", *, held: bool = False) -> list[Entry]:
        """Other people in the line, there or held."""
        people = [self.entry(queue, visitor=uuid.uuid4()) for _ in range(count)]
        for entry in people:
            presence.beat(queue, [entry.job_id], LONG)
            if held:
                presence.close(queue, entry.job_id, Absence.LOST)
        return people

    def workers(self, count: int, queue: str = "documents") -> None:
        """Workers that said they are there."""
        for number in range(count):
            PresenceWorker([queue], name=f"desk-{number}", connection=clients.connection()).register_birth()

    def past(self, *seconds: float, queue: str = "documents") -> None:
        """Finished runs of these lengths, which the expected wait is made of."""
        for length in seconds:
            end = timezone.now()
            Entry.objects.create(
                queue=queue,
                task_path=get_task(queue).task.module_path,
                status=Status.SUCCEEDED,
                attempt=1,
                last_attempted_at=end - timedelta(seconds=length),
                finished_at=end,
            )

    def running(self, queue: str = "documents", **values: Any) -> Entry:
        entry = self.entry(queue, **values)
        start(entry)
        return entry

    def read(self) -> Entry:
        """A scan whose text is known, beside its real pictures; with a page that could not be read."""
        entry = self.running()
        files, pages = [], []
        with SCAN.open("rb") as file, open_document(file) as document:
            for index, text in enumerate(TEXTS):
                picture = document.picture(index)
                picture.thumbnail((1200, 1200))
                name = f"page-{index + 1}.jpg"
                with io.BytesIO() as buffer:
                    picture.save(buffer, "JPEG", quality=60)
                    files.append(_file(entry, name, "image/jpeg", buffer.getvalue()))
                size = {"picture": name, "width": picture.width, "height": picture.height}
                pages.append({"number": index + 1, "text": text, "confidence": 0.985, "readable": True} | size)
        pages.append({"number": 3, "text": "", "confidence": None, "readable": False, "note": "This page is damaged."})
        files.append(_file(entry, "text.txt", "text/plain; charset=utf-8", "\n\f".join(TEXTS).encode()))
        files.append(_file(entry, "searchable.pdf", "application/pdf", SCAN.read_bytes()))
        result = {"pages": pages, "confidence": 0.985, "text_file": "text.txt", "pdf_file": "searchable.pdf"}
        assert entry.succeed(result, files)
        return entry

    def profiled(self) -> Entry:
        entry = self.running("tables")
        found = profile(TABLE, progress=lambda *_: None)
        assert entry.succeed(tables_page(found), [_file(entry, "profile.json", "application/json", b"{}")])
        return entry


# What a worker does to an entry; its pages are told.


def start(entry: Entry) -> None:
    assert entry.start("w")
    get_line(entry.queue).remove(entry.job_id)
    events.publish(entry.code)


def report(entry: Entry, progress: float, message: str) -> None:
    assert entry.report(progress, message)
    events.publish(entry.code)


def succeed(entry: Entry) -> None:
    """With a result for either template."""
    result: dict[str, Any] = {"pages": [], "confidence": None, "text_file": "text.txt", "pdf_file": "searchable.pdf"}
    assert entry.succeed(result)
    events.publish(entry.code)


def throttle(page: Page, upload: int) -> CDPSession:
    """So many bytes a second go out, until the session is detached."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    speed = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": upload}
    session.send("Network.emulateNetworkConditions", speed)
    return session


def _sample_name(queue: str) -> str:
    sample = get_task(queue).sample
    return sample.name if sample else ""


def _file(entry: Entry, name: str, content_type: str, content: bytes) -> EntryFile:
    file = EntryFile(entry=entry, attempt=entry.attempt, name=name, content_type=content_type, size=len(content))
    file.file.save(name, ContentFile(content), save=False)
    return file
