""" "Delete now", and the time for which "Join again" works, as a browser without JavaScript meets them."""

import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db.models.functions import Now

from queueing import ending
from queueing.models import Entry, EntryEvent, EntryFile
from queueing.states import Reason, Status
from tests.support.visitors import Visitor, finished, staff, upload, url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

SECRET = "s3cret"


def failed(visitor: Visitor) -> Entry:
    """An entry whose every field tells something of the visitor's."""
    entry = visitor.join(label=SECRET, file=upload(SECRET.encode(), f"{SECRET}.csv"))
    assert entry.start("w")
    EntryEvent.objects.create(entry=entry, kind=EntryEvent.Kind.PROGRESS, detail=f"25 % {SECRET}")
    assert entry.fail(Reason.ERROR, SECRET, error_class=SECRET, traceback=SECRET)
    return entry


def everything_about(entry: Entry) -> str:
    """The row with its files and its timeline, as text."""
    rows = [*Entry.objects.filter(pk=entry.pk).values(), *entry.files.values(), *entry.events.values()]
    return json.dumps(rows, default=str)


def folder_of(entry: Entry) -> Path:
    return Path(default_storage.path(f"entries/{entry.code}"))


def delete(visitor: Visitor, entry: Entry) -> int:
    return visitor.client.post(url(entry, "delete/")).status_code


def page(visitor: Visitor, entry: Entry) -> str:
    return visitor.client.get(url(entry)).content.decode()


def state(visitor: Visitor, entry: Entry) -> dict[str, Any]:
    answer: dict[str, Any] = visitor.client.get(url(entry, "status.json")).json()
    return answer


def test_a_failed_entry_that_is_deleted_leaves_a_bare_row() -> None:
    visitor = Visitor()
    entry = failed(visitor)
    assert SECRET in everything_about(entry)
    assert delete(visitor, entry) == 303
    assert SECRET not in everything_about(entry)
    assert not folder_of(entry).exists()
    row = Entry.objects.get()
    assert (row.status, row.reason, row.queue, row.attempt) == (Status.FAILED, Reason.ERROR, "probe", 1)
    assert None not in (row.started_at, row.finished_at, row.run_time, row.erased_at)
    assert (row.input_size, row.files_size) == (0, 0)


def test_a_result_that_is_deleted_is_gone_with_its_files() -> None:
    visitor = Visitor()
    entry = finished(visitor)
    assert visitor.client.get(url(entry, "files/answer.txt")).getvalue() == b"42"
    assert "Delete now" in page(visitor, entry)
    first = delete(visitor, entry)
    erased_at = Entry.objects.get().erased_at
    assert (first, delete(visitor, entry)) == (303, 303)
    assert Entry.objects.get().erased_at == erased_at
    for name in ("files/answer.txt", "result/"):
        assert visitor.client.get(url(entry, name)).status_code == 404
    html = page(visitor, entry)
    assert "Deleted" in html
    assert "Delete now" not in html
    now = state(visitor, entry)
    assert (now["status"], now["deleted"], now["result_url"]) == ("succeeded", True, None)
    assert (now["headline"], now["again_seconds"]) == ("Deleted", None)
    assert url(entry) not in visitor.client.get("/").content.decode()
    assert visitor.client.post(url(entry, "again/")).status_code == 410
    assert not EntryFile.objects.exists()


def test_the_confirmation_is_on_the_page_without_a_script() -> None:
    visitor = Visitor()
    html = page(visitor, failed(visitor))
    _, _, details = html.partition("<details")
    details, _, _ = details.partition("</details>")
    assert details.index("Delete now") < details.index("for good") < details.index("Yes, delete it")
    assert "/delete/" in details
    assert "csrfmiddlewaretoken" in details


def test_the_confirmation_names_what_is_there() -> None:
    visitor = Visitor()
    words = "This deletes the result, its files and the file’s name, for good.", "what is left of the input"  # noqa: RUF001
    for entry, shown in ((finished(visitor), 0), (failed(visitor), 1)):
        html = page(visitor, entry)
        hidden = [" hidden>" in html[html.rindex("<p", 0, html.index(each)) : html.index(each)] for each in words]
        assert hidden == [bool(shown), not shown]
    note = "“Join again” will not work then."
    assert "<p data-again>" + note in page(visitor, left(visitor))
    assert "<p data-again hidden>" + note in page(visitor, finished(visitor))


def test_what_is_live_cannot_be_deleted() -> None:
    visitor = Visitor()
    waiting, running = visitor.join(), visitor.join()
    assert running.start("w")
    for entry in (waiting, running):
        assert delete(visitor, entry) == 303
    assert set(Entry.objects.values_list("status", "erased_at")) == {("waiting", None), ("running", None)}
    assert {entry.input.size > 0 for entry in Entry.objects.all()} == {True}


def test_the_owner_and_staff_with_the_permission_delete_and_nobody_else() -> None:
    visitor = Visitor()
    entry = finished(visitor)
    for other in (Visitor(), staff("view"), staff(), staff("view", is_staff=False)):
        assert delete(other, entry) == 404
        assert Entry.objects.get().erased_at is None
    assert visitor.client.get(url(entry, "delete/")).status_code == 405
    assert delete(staff("view", "change"), entry) == 303
    assert Entry.objects.get().erased_at is not None


def test_a_deletion_takes_this_entry_alone() -> None:
    """The entry that joined again with the same input keeps it, with its result."""
    visitor = Visitor()
    first = failed(visitor)
    again = visitor.client.post(url(first, "again/"))
    second = Entry.objects.get(code=again["Location"].split("/")[2])
    visitor.client.get(again["Location"])
    assert delete(visitor, first) == 303
    second.refresh_from_db()
    with second.input.open() as kept:
        assert kept.read() == SECRET.encode()
    assert (second.input_name, second.kwargs) == (f"{SECRET}.csv", {"label": SECRET})
    assert second.input_size == len(SECRET)
    second.cancel()
    assert delete(visitor, second) == 303
    assert not folder_of(first).exists()


def test_a_task_that_still_runs_keeps_no_file_of_a_deleted_entry() -> None:
    """The visitor stops it and deletes; the horse saves a file, and is killed before it can take it back."""
    visitor = Visitor()
    entry = visitor.join()
    assert entry.start("w")
    ending.leave(Entry.objects.get())
    assert delete(visitor, entry) == 303
    file = EntryFile(entry=entry, attempt=1, name="late.txt", content_type="text/plain", size=4)
    file.file.save("late.txt", ContentFile(b"late"), save=False)
    assert not entry.succeed({"late": True}, [file])
    assert not EntryFile.objects.exists()
    assert "late" not in everything_about(entry)


def test_files_that_cannot_be_deleted_leave_an_entry_that_can_be_deleted_again(tmp_path: Path) -> None:
    visitor = Visitor()
    entry = finished(visitor)
    link = folder_of(entry) / "1" / "link"
    link.symlink_to(tmp_path)  # the storage takes it for a folder, and the system refuses to delete it as one
    with pytest.raises(OSError):  # noqa: PT011  # whatever the system says
        ending.erase(Entry.objects.get())
    assert Entry.objects.get().erased_at is None
    assert "Delete now" in page(visitor, entry)
    link.unlink()
    assert delete(visitor, entry) == 303
    assert not folder_of(entry).exists()
    assert Entry.objects.get().erased_at is not None


def test_the_admin_shows_that_the_content_is_deleted() -> None:
    visitor, admin = Visitor(), staff("view")
    entry = failed(visitor)
    delete(visitor, entry)
    html = admin.client.get(f"/admin/queueing/entry/{entry.pk}/change/").content.decode()
    assert SECRET not in html
    assert "Deleted" in html
    assert admin.client.get("/admin/queueing/entry/").status_code == 200


# The end of "Join again"


def left(visitor: Visitor) -> Entry:
    entry = visitor.join()
    visitor.client.post(url(entry, "leave/"))
    return entry


def test_the_page_says_for_how_long_joining_again_works() -> None:
    visitor = Visitor()
    entry = left(visitor)
    assert 540 < state(visitor, entry)["again_seconds"] <= 600
    html = page(visitor, entry)
    assert "You can join again with the same file for 10 minutes; your new place" in html
    Entry.objects.update(input_until=Now() + timedelta(seconds=30))
    assert re.search("same file for (2[0-9]|30) seconds; your", page(visitor, entry))
    Entry.objects.update(input_until=Now() - timedelta(seconds=1))
    assert state(visitor, entry)["again_seconds"] is None
    html = page(visitor, entry)
    assert "Your input is deleted by now" in html
    assert "You can join again" not in html
    assert "data-again hidden" in html


@pytest.mark.parametrize("reason", [Reason.UNUSABLE, Reason.CRASHED])
def test_an_input_that_would_fail_again_is_not_offered(reason: Reason) -> None:
    visitor = Visitor()
    entry = visitor.join()
    assert entry.start("w")
    assert entry.fail(reason, "No.")
    assert state(visitor, entry)["again_seconds"] is None
    assert "data-again hidden" in page(visitor, entry)
