"""Pages and forms, as a browser without JavaScript meets them."""

import math
import re
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
import redis
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.db import connection
from django.utils import timezone
from rq import suspension

from queueing.conf import conf
from queueing.facts import Facts
from queueing.keeper import survey
from queueing.keeper.survey import Surveyor
from queueing.line import clients, keys, presence
from queueing.line.places import Line, get_line
from queueing.models import Entry, EntryEvent
from queueing.models import Line as RowOfLine
from queueing.states import Absence, Reason, Status
from tests.support.connections import forget_connections
from tests.support.epochs import set_epoch
from tests.support.files import stored_files
from tests.support.levers import set_levers
from tests.support.servers import free_port
from tests.support.visitors import FORM, Visitor, finished, presence_of, staff, upload, url

pytestmark = pytest.mark.django_db(transaction=True)

CONTRACT = {
    "status",
    "position",
    "ahead",
    "held_ahead",
    "keep_seconds",
    "eta_seconds",
    "progress",
    "message",
    "result_url",
}
SENTENCES = {"headline", "detail", "advice", "wait", "title", "reason", "line", "notice", "next_try"}
OF_AN_END = {"again_seconds", "deleted", "next_url"}


@pytest.fixture
def redis_away(valkey: redis.Redis, settings: Any) -> Iterator[None]:
    """Nothing answers where Redis should be."""
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    forget_connections()
    yield
    forget_connections()


def finish(entry: Entry) -> Entry:
    """As a worker does it."""
    assert entry.start("w")
    assert entry.succeed({"label": "ä"})
    return entry


def state(visitor: Visitor, entry: Entry, query: str = "") -> dict[str, Any]:
    answer: dict[str, Any] = visitor.client.get(url(entry, f"status.json{query}")).json()
    return answer


# Joining


def test_sending_the_form_makes_an_entry_and_leads_to_its_page(line: Line) -> None:
    visitor = Visitor()
    answer = visitor.send(label="mine")
    entry = Entry.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, url(entry))
    assert (entry.visitor, entry.kwargs, entry.code.version) == (visitor.name, {"label": "mine"}, 4)
    assert (line.ids(), line.length(), entry.seen_at) == ([], 1, None)
    page = visitor.client.get(answer["Location"])
    assert page.status_code == 200
    assert line.ids() == [entry.job_id]
    entry.refresh_from_db()
    assert entry.seen_at is not None
    assert "You are next" in page.content.decode()
    assert "no-store" in page["Cache-Control"]


def test_the_list_shows_each_line_with_its_length() -> None:
    Visitor().join()
    page = Visitor().client.get("/").content.decode()
    assert "Probe" in page
    assert "1 in line" in page
    assert page.count("Nobody in line") == 2


def test_an_unknown_task_is_not_found() -> None:
    for answer in (Visitor().client.get("/join/nothing/"), Visitor().client.post("/join/nothing/")):
        assert answer.status_code == 404


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"file": ""}, "This field is required."),
        ({"file": upload(b"")}, "The submitted file is empty."),
        ({"file": upload(b"x" * 1001)}, "This file is too large; the limit is 1000 bytes."),
        ({"seconds": "many"}, "Enter a number."),
    ],
)
def test_a_form_that_cannot_be_used_says_why_and_stores_nothing(
    values: dict[str, Any], sentence: str, valkey: redis.Redis, settings: Any
) -> None:
    settings.QUEUEING = {"MAX_UPLOAD_BYTES": 1000}
    files, known = stored_files(), set(valkey.keys())
    answer = Visitor().send(**values)
    assert answer.status_code == 422
    assert sentence in answer.content.decode().replace("\xa0", " ")
    assert not Entry.objects.exists()
    assert stored_files() == files
    assert set(valkey.keys()) - known <= {keys.WRITABLE.encode(), keys.STORED.encode()}


def test_the_sample_needs_no_file() -> None:
    for name in django_settings.QUEUEING_TASKS:
        visitor = Visitor()
        answer = visitor.client.post(f"/join/{name}/", {"sample": "1"})
        assert answer.status_code == 303, answer.content.decode()
        assert visitor.client.get(answer["Location"]).status_code == 200
        entry = Entry.objects.get(queue=name)
        assert entry.input.size > 0
        assert entry.input_type in {"application/pdf", "text/csv"}


def test_one_visitor_holds_so_many_places_and_no_more(line: Line) -> None:
    visitor = Visitor()
    visitor.join()
    visitor.join()
    files = stored_files()
    answer = visitor.send()
    assert (answer.status_code, answer["Retry-After"]) == (429, "30")
    assert "as many places" in answer.content.decode()
    assert "It is worth trying again" not in answer.content.decode()  # nobody knows when one of them is done
    form = visitor.client.get(FORM).content.decode()  # tells it before the file travels
    assert "as many places" in form
    assert form.count("disabled") == 2
    assert (Entry.objects.count(), line.count_entries(), stored_files()) == (2, 2, files)
    Visitor().join()


@pytest.mark.parametrize(
    ("values", "sentence"),
    [({"max_line": 1}, "The line is full."), ({"state": "closed"}, "closed for the moment")],
)
def test_a_line_that_takes_nobody_says_when_to_come_back(values: dict[str, Any], sentence: str) -> None:
    Visitor().join()
    assert "disabled" not in Visitor().client.get(FORM).content.decode()
    set_levers(**values)
    files = stored_files()
    answer = Visitor().send()
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert sentence in answer.content.decode()
    form = Visitor().client.get(FORM)
    assert form.status_code == 200
    assert sentence in form.content.decode()
    assert form.content.decode().count("disabled") == 2
    assert Entry.objects.count() == 1
    assert stored_files() == files


@pytest.mark.usefixtures("redis_away")
def test_without_redis_nobody_joins_and_the_form_is_still_shown() -> None:
    files = stored_files()
    answer = Visitor().send()
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    assert not Entry.objects.exists()
    assert stored_files() == files
    assert Visitor().client.get("/").status_code == 200
    assert Visitor().client.get(FORM).status_code == 200


def test_without_redis_an_entry_is_still_shown_and_can_be_left(request: pytest.FixtureRequest) -> None:
    visitor = Visitor()
    entry = visitor.join()
    request.getfixturevalue("redis_away")
    page = visitor.client.get(url(entry))
    assert page.status_code == 200
    assert "The line cannot be seen right now; your place is kept." in page.content.decode()
    now = state(visitor, entry)
    assert (now["status"], now["position"], now["eta_seconds"]) == ("waiting", None, None)
    assert visitor.client.post(url(entry, "leave/")).status_code == 303
    assert state(visitor, entry)["status"] == "cancelled"


def test_a_code_that_is_none_is_replaced() -> None:
    assert Visitor().join(code="nonsense").code.version == 4


def test_a_form_sent_twice_is_one_entry(line: Line) -> None:
    visitor, code = Visitor(), uuid.uuid4()
    assert visitor.join(code=code).pk == visitor.join(code=code).pk
    assert Entry.objects.count() == line.count_entries() == 1


@pytest.mark.parametrize("size", [200_000, 5 * 1024**2])
def test_a_form_sent_again_with_a_large_file_is_one_entry_or_a_new_wish(size: int) -> None:
    """One is in memory, and in one piece. The other is on the disk, and the storage moves it."""
    visitor, code = Visitor(), uuid.uuid4()
    content, other = b"x" * size, b"x" * (size - 1) + b"y"
    first = visitor.join(code=code, file=upload(content))
    assert visitor.join(code=code, file=upload(content)).pk == first.pk
    second = visitor.join(code=code, file=upload(other))
    assert second.pk != first.pk
    with second.input.open() as stored:
        assert stored.read() == other
    assert Entry.objects.count() == 2


def test_a_form_sent_twice_at_the_same_moment_is_one_entry(line: Line) -> None:
    visitor, code = Visitor(), uuid.uuid4()
    visitor.client.post(url(visitor.join(), "leave/"))  # the browser has its session
    together = Barrier(2)

    def send() -> int:
        try:
            together.wait(10)
            return visitor.send(code=code).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        answers = [future.result(30) for future in [pool.submit(send), pool.submit(send)]]
    assert answers == [303, 303]
    assert Entry.objects.live().count() == line.count_entries() == 1


def form_code(visitor: Visitor | None = None) -> str:
    """The code in a form of the site."""
    page = (visitor or Visitor()).client.get(FORM).content.decode()
    [code] = re.findall(r'name="code" value="([^"]+)"', page)
    return str(code)


@pytest.mark.postgres
def test_a_form_sent_twice_at_the_same_moment_by_a_new_browser_is_one_entry(line: Line) -> None:
    """Neither request has a cookie yet. The browser keeps that of either answer."""
    code, together = form_code(), Barrier(2)

    def send(browser: Visitor) -> str:
        try:
            together.wait(10)
            return browser.send(code=code)["Location"]
        finally:
            connection.close()

    requests = [Visitor(), Visitor()]
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(send, requests, timeout=30)
    assert first == second
    entry = Entry.objects.get()
    assert line.count_entries() == 1
    for browser in requests:
        assert browser.client.get(url(entry)).status_code == 200
    assert requests[0].name == requests[1].name == entry.visitor


def one_browser(user: User) -> tuple[str, list[Visitor]]:
    """The code in its form, and two requests of this user's browser with the same cookie."""
    browser, again = Visitor(), Visitor()
    browser.client.force_login(user)
    code = form_code(browser)
    again.client.cookies["sessionid"] = browser.client.cookies["sessionid"].value
    return code, [browser, again]


@pytest.mark.postgres
def test_a_form_sent_twice_at_the_same_moment_by_a_new_browser_of_a_user_is_one_entry(line: Line) -> None:
    """After the user has signed out it is still that of the browser, whose cookie is that of either answer."""
    (code, requests), together = one_browser(User.objects.create_user("anna", is_staff=True)), Barrier(2)

    def send(browser: Visitor) -> Any:
        try:
            together.wait(10)
            return browser.send(code=code)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(send, requests, timeout=30))
    assert answers[0]["Location"] == answers[1]["Location"]
    entry = Entry.objects.get()
    assert line.count_entries() == 1
    with_session = [browser for browser, answer in zip(requests, answers, strict=True) if "sessionid" in answer.cookies]
    assert with_session
    for browser in with_session:
        browser.client.post("/admin/logout/")
        assert browser.client.get(url(entry)).status_code == 200


@pytest.mark.postgres
def test_a_second_press_with_the_cookie_of_before_the_first_is_the_same_entry(line: Line) -> None:
    """The first answer gave the session of a user a new key. The second one must not take it away again."""
    code, (browser, again) = one_browser(User.objects.create_user("anna"))
    first, second = browser.send(code=code), again.send(code=code)
    assert first["Location"] == second["Location"]
    entry = Entry.objects.get()
    assert line.count_entries() == 1
    assert "sessionid" not in second.cookies
    assert browser.client.get(url(entry)).status_code == 200
    assert again.client.get(url(entry)).status_code == 404  # a cookie of nobody


@pytest.mark.postgres
def test_an_entry_is_never_that_of_a_new_browser_by_less_than_its_form() -> None:
    """Neither by its address, nor by another file, nor for somebody who has joined before, nor when it is over."""
    code, owner = form_code(), Visitor()
    entry = owner.join(code=code)
    known = Visitor()
    known.join()
    signed_in = Visitor()
    signed_in.client.force_login(User.objects.create_user("anna"))
    sent = [
        Visitor().send(code=entry.code),
        Visitor().send(code=f"{entry.code}:{'A' * 43}"),
        Visitor().send(code=f"{uuid.uuid4()}:{code.partition(':')[2]}"),
        Visitor().send(code=code, file=upload(b"other\n")),
        known.send(code=code),
        signed_in.send(code=code),
    ]
    Entry.objects.filter(pk=entry.pk).update(joined_at=timezone.now() - timedelta(minutes=2))
    sent.append(Visitor().send(code=code))  # the form was left in a browser that another person uses now
    entry.cancel()
    sent.append(Visitor().send(code=code))
    assert url(entry) not in [answer["Location"] for answer in sent]
    assert list(Entry.objects.filter(visitor=owner.name)) == [entry]


def test_the_first_page_says_in_words_how_far_the_visitors_entries_are(settings: Any) -> None:
    settings.QUEUEING = {"MAX_WAITING_PER_VISITOR": 4}
    visitor = Visitor()
    done, running = finished(visitor), visitor.join()
    visitor.join()
    second = visitor.join()
    second.keep(600)
    running.start("w")
    for entry in (done, running):
        get_line("probe").remove(entry.job_id)
    page = visitor.client.get("/").content.decode()
    for words in ("ready, kept for 60 minutes, joined", "is being worked on, joined", "you are next, joined"):
        assert words in page
    assert "2nd in line, kept for 10 minutes, joined" in page


def test_a_line_that_is_closed_for_nobody_knows_how_long_says_so() -> None:
    set_levers("probe", state="closed")
    page = Visitor().client.get(FORM).content.decode()
    assert "When it opens is not known yet. Look again later." in page
    assert "It is worth trying again" not in page


def test_the_first_page_says_how_long_a_place_is_kept() -> None:
    visitor = Visitor()
    sentence = "A place is kept for 10 seconds after its last page was closed, unless it says longer."
    assert sentence not in visitor.client.get("/").content.decode()
    visitor.join()
    assert sentence in visitor.client.get("/").content.decode()
    assert "kept for 30 minutes" not in visitor.client.get("/").content.decode()
    Entry.objects.update(keep_seconds=1800)
    assert "kept for 30 minutes, joined" in visitor.client.get("/").content.decode()


def test_results_are_found_again_by_those_they_were_made_for() -> None:
    visitor = Visitor()
    entry = finish(visitor.join())
    assert url(entry) in visitor.client.get("/").content.decode()
    assert url(entry) not in Visitor().client.get("/").content.decode()


def test_a_line_without_workers_says_so_before_anybody_joins() -> None:
    Surveyor(budget=math.inf).publish()
    for path in ("/", FORM):
        assert "No worker is there at the moment; places are kept." in Visitor().client.get(path).content.decode()


def test_a_line_whose_workers_are_paused_says_so_before_anybody_joins() -> None:
    survey.write("probe", Facts(workers=1))
    suspension.suspend(clients.connection())
    for path in ("/", FORM):
        page = Visitor().client.get(path).content.decode()
        assert "This line is paused at the moment; places are kept." in page
    suspension.resume(clients.connection())
    clients.connection().delete(keys.facts_key("probe"))  # the keeper is away: nobody knows
    assert "No worker" not in Visitor().client.get(FORM).content.decode()


def test_a_closed_line_says_what_staff_say_and_when_it_opens() -> None:
    opens_at = datetime(2100, 1, 31, 9, tzinfo=UTC)
    set_levers(state="closed", sentence="We are <moving>.", opens_at=opens_at)
    for path in ("/", FORM):
        page = Visitor().client.get(path).content.decode()
        assert "We are &lt;moving&gt;." in page
        assert "It opens on 31 January, 09:00 UTC." in page
    refused = Visitor().send()
    assert (refused.status_code, int(refused["Retry-After"]) > 3600) == (503, True)
    assert "We are &lt;moving&gt;." in refused.content.decode()
    assert "It is worth trying again" not in refused.content.decode()


@pytest.mark.usefixtures("redis_away")
def test_without_redis_the_first_page_knows_what_staff_say() -> None:
    RowOfLine.objects.filter(queue="probe").update(state="closed", sentence="Until Monday.")
    page = Visitor().client.get("/").content.decode()
    assert "Closed for the moment." in page
    assert "Until Monday." in page


def test_a_visitor_of_a_paused_line_joins_and_reads_why_nothing_moves() -> None:
    set_levers(state="paused", sentence="We mend the machine.")
    visitor = Visitor()
    entry = visitor.join()
    now = state(visitor, entry)
    assert (now["line"], now["notice"], now["position"], now["eta_seconds"]) == (
        *("paused", "We mend the machine.", 1, None),
    )
    assert now["wait"].startswith("This line is paused at the moment.")
    assert "We mend the machine." in visitor.client.get(url(entry)).content.decode()
    clients.connection().delete(keys.line_keys("probe").levers)  # nobody knows, until the keeper has read the row
    assert state(visitor, entry)["line"] == ""
    set_levers(state="open", sentence="")
    now = state(visitor, entry)
    assert (now["line"], now["notice"]) == ("open", "")


# The entry


@pytest.mark.parametrize("verb", ["goodbye", "leave", "keep", "again"])
def test_what_changes_something_is_a_post(verb: str) -> None:
    visitor = Visitor()
    entry = visitor.join()
    answer = visitor.client.get(url(entry, f"{verb}/"))
    assert (answer.status_code, answer["Allow"]) == (405, "POST")


def test_a_goodbye_holds_the_place_and_the_next_look_is_back_in_it(line: Line) -> None:
    visitor = Visitor()
    entry, behind = visitor.join(), Visitor().join()
    order = line.ids()
    for _ in range(2):
        assert visitor.client.post(url(entry, "goodbye/")).status_code == 204
        assert line.held_ids() == [entry.job_id]
        assert line.client.hget(line.keys.absence, entry.job_id) == b"closed"
        assert presence_of(entry) == 0
    assert line.ids() == [behind.job_id]
    assert visitor.client.get(url(entry, "status.json")).json()["position"] == 1
    assert line.ids() == order
    assert line.held_ids() == []


def test_a_goodbye_to_what_has_ended_leaves_nothing_behind(line: Line) -> None:
    visitor = Visitor()
    entry = finish(visitor.join())
    assert visitor.client.post(url(entry, "goodbye/")).status_code == 204
    assert not line.client.exists(keys.GONE.format(job_id=entry.job_id))


@pytest.mark.parametrize(("permissions", "shown"), [(["view"], 0), (["view", "change"], 4)])
def test_staff_see_the_buttons_that_they_may_press(permissions: list[str], shown: int) -> None:
    entry = Visitor().join()
    page = staff(*permissions).client.get(url(entry)).content.decode()
    assert page.count('<form method="post" action="/entry/') == shown
    assert "/again/" not in page


OF_THE_OWNER = ("Keep this page open", "Leave the line", "Tell me when", "Start with another file", "Keep my place")


def test_the_page_of_a_visitor_says_to_staff_that_it_is_one() -> None:
    visitor, looker = Visitor(), staff("view", "change")
    entry = visitor.join()
    page = looker.client.get(url(entry)).content.decode()
    assert "You are looking as staff" in page
    assert f'href="/admin/queueing/entry/{entry.pk}/change/"' in page
    assert "Keep this place for 30 minutes" in page
    assert not [words for words in OF_THE_OWNER if words in page]
    own = visitor.client.get(url(entry)).content.decode()
    assert "staff" not in own
    assert [words for words in OF_THE_OWNER if words in own] == list(OF_THE_OWNER)


def test_staff_are_asked_before_they_end_the_place_of_a_visitor() -> None:
    entry, looker = Visitor().join(), staff("view", "change")
    page = looker.client.get(url(entry)).content.decode()
    for question, answer in (("End this place…", "Yes, end it"), ("Stop this work…", "Yes, stop it")):
        details = page[
            page.rindex("<details", 0, page.index(question)) : page.index("</details>", page.index(question))
        ]
        assert details.index(question) < details.index("/leave/") < details.index(answer)
    assert page.count("/leave/") == page.count('<details data-for="waiting') + page.count('<details data-for="running')


@pytest.mark.parametrize("status", ["waiting", "running", "succeeded"])
def test_the_partial_for_staff_has_nothing_for_the_owner(status: str) -> None:
    visitor, looker = Visitor(), staff("view", "change")
    entry = visitor.join()
    if status != "waiting":
        entry.start("w")
    if status == "succeeded":
        entry.succeed({})
    for who, shown in ((visitor, status != "succeeded"), (looker, False)):
        partial = state(who, entry, "?have=other")["html"]
        assert ("Keep this page open" in partial) is shown


def test_leaving_twice_is_leaving_once(line: Line) -> None:
    visitor = Visitor()
    entry = visitor.join()
    for _ in range(2):
        answer = visitor.client.post(url(entry, "leave/"))
        assert (answer.status_code, answer["Location"]) == (303, url(entry))
    entry.refresh_from_db()
    assert (entry.status, entry.reason) == (Status.CANCELLED, Reason.LEFT)
    assert line.count_entries() == 0
    assert presence_of(entry) == 0
    assert "You left the line" in visitor.client.get(url(entry)).content.decode()


def test_leaving_what_has_ended_changes_nothing() -> None:
    visitor = Visitor()
    entry = finish(visitor.join())
    assert visitor.client.post(url(entry, "leave/")).status_code == 303
    assert state(visitor, entry)["status"] == "succeeded"


def test_keeping_a_place_can_be_said_twice(line: Line, settings: Any) -> None:
    settings.QUEUEING = {"MIN_PRESENCE": 0}
    visitor = Visitor()
    entry = visitor.join()
    for _ in range(2):
        assert visitor.client.post(url(entry, "keep/")).status_code == 303
    assert state(visitor, entry)["keep_seconds"] == 1800
    assert line.client.hget(line.keys.grace, entry.job_id) == b"1800000"
    assert set(entry.events.values_list("kind", flat=True)) == {EntryEvent.Kind.KEPT}
    assert "30 minutes" in visitor.client.get(url(entry)).content.decode()


def test_again_is_a_new_place_with_the_same_input_and_the_same_one_when_pressed_twice() -> None:
    visitor = Visitor()
    first = visitor.join(label="mine", file=upload(b"content"))
    visitor.client.post(url(first, "leave/"))
    places = {visitor.client.post(url(first, "again/"))["Location"] for _ in range(2)}
    second = Entry.objects.live().get()
    assert places == {url(second)}
    assert second.kwargs == {"label": "mine"}
    assert second.code.version == 4
    with second.input.open() as kept:
        assert kept.read() == b"content"
    # When that one is over too, either page leads to a third.
    visitor.client.post(url(second, "leave/"))
    visitor.client.post(url(first, "again/"))
    assert Entry.objects.live().get().pk not in {first.pk, second.pk}


def test_again_on_a_living_entry_leads_to_it() -> None:
    visitor = Visitor()
    entry = visitor.join()
    assert visitor.client.post(url(entry, "again/"))["Location"] == url(entry)
    assert Entry.objects.count() == 1


def test_again_may_be_refused() -> None:
    visitor = Visitor()
    entry = visitor.join()
    visitor.client.post(url(entry, "leave/"))
    set_levers(state="closed")
    answer = visitor.client.post(url(entry, "again/"))
    assert answer.status_code == 503
    assert int(answer["Retry-After"]) > 0
    set_levers(state="open")
    entry.input.delete(save=False)
    answer = visitor.client.post(url(entry, "again/"))
    assert answer.status_code == 410
    assert "hand it in again" in answer.content.decode()


def test_a_join_in_another_hour_renews_the_session() -> None:
    visitor = Visitor()
    visitor.join()
    name, row = visitor.name, Session.objects.filter(pk=visitor.client.session.session_key)
    kept = row.get().session_data
    visitor.join()
    assert row.get().session_data == kept  # in the same hour it is not written again
    session = visitor.client.session
    session["renewed"] -= 1
    session.save()
    row.update(expire_date=timezone.now() + timedelta(minutes=1))
    Entry.objects.update(status=Status.CANCELLED, slot=None)
    visitor.join()
    assert row.get().expire_date > timezone.now() + timedelta(days=2)
    assert visitor.name == name


# The state as JSON


def test_the_state_is_the_contract_and_ready_made_sentences() -> None:
    Visitor().join()
    visitor = Visitor()
    now = state(visitor, visitor.join())
    assert set(now) == CONTRACT | SENTENCES | OF_AN_END
    assert {name: now[name] for name in CONTRACT} == {
        "status": "waiting",
        "position": 2,
        "ahead": 1,
        "held_ahead": 0,
        "keep_seconds": 120,
        "eta_seconds": None,
        "progress": None,
        "message": "",
        "result_url": None,
    }


def test_held_entries_are_told_apart_from_those_ahead() -> None:
    away, visitor = Visitor().join(), Visitor()
    entry = visitor.join()
    presence.close("probe", away.job_id, Absence.LOST)
    now = state(visitor, entry)
    assert (now["position"], now["ahead"], now["held_ahead"]) == (1, 0, 1)
    assert "1 who is away may return" in now["detail"]


def test_a_running_entry_tells_its_progress() -> None:
    visitor = Visitor()
    entry = visitor.join()
    entry.start("w")
    entry.report(0.25, "Page 1 of 4")
    now = state(visitor, entry)
    assert (now["status"], now["progress"], now["message"]) == ("running", 0.25, "Page 1 of 4")
    assert (now["position"], now["eta_seconds"], now["keep_seconds"]) == (None, None, 120)


def test_an_ended_entry_has_a_result_and_no_clock() -> None:
    visitor = Visitor()
    entry = finish(visitor.join())
    now = state(visitor, entry)
    assert (now["status"], now["result_url"], now["keep_seconds"]) == ("succeeded", url(entry, "result/"), None)


def test_the_partial_comes_only_when_the_status_is_another_one() -> None:
    visitor = Visitor()
    entry = visitor.join()
    assert "html" not in state(visitor, entry)
    assert "html" not in state(visitor, entry, "?have=waiting")
    partial = state(visitor, entry, "?have=running")["html"]
    assert "You are next" in partial
    assert "<html" not in partial
    assert "<form" not in partial


@pytest.mark.parametrize("page", ["", "status.json"])
def test_a_look_by_the_owner_is_a_beat(page: str, line: Line) -> None:
    visitor = Visitor()
    entry = visitor.join()
    presence.close("probe", entry.job_id, Absence.CLOSED)
    assert line.held_ids() == [entry.job_id]
    visitor.client.get(url(entry, page))
    assert conf.PRESENCE_TTL < presence_of(entry) <= conf.POLL_TTL
    assert line.ids() == [entry.job_id]


@pytest.mark.parametrize("page", ["", "status.json"])
def test_a_look_by_somebody_else_is_none(page: str) -> None:
    entry = Visitor().join()
    presence.close("probe", entry.job_id, Absence.CLOSED)
    assert staff("view").client.get(url(entry, page)).status_code == 200
    assert Visitor().client.get(url(entry, page)).status_code == 404
    assert presence_of(entry) == 0


def test_a_visitor_who_signs_in_elsewhere_still_owns_the_entry() -> None:
    visitor = staff(is_staff=False)
    entry = visitor.join()
    visitor.client.session.delete()
    elsewhere = Visitor()
    assert entry.user
    elsewhere.client.force_login(entry.user)
    clients.connection().flushall()
    assert state(elsewhere, entry)["status"] == "waiting"
    assert presence_of(entry) > 0


def test_an_ended_entry_gets_no_presence() -> None:
    visitor = Visitor()
    entry = visitor.join()
    visitor.client.post(url(entry, "leave/"))
    visitor.client.get(url(entry))
    assert presence_of(entry) == 0


# The result


def test_the_result_is_a_file() -> None:
    visitor = Visitor()
    entry = finish(visitor.join())
    answer = visitor.client.get(url(entry, "result/"))
    assert answer.json() == {"label": "ä"}
    assert "ä" in answer.content.decode()
    assert answer["Content-Disposition"] == f'attachment; filename="probe-{entry.code}.json"'
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "private" in answer["Cache-Control"]


def test_there_is_no_result_before_the_end() -> None:
    visitor = Visitor()
    entry = visitor.join()
    assert visitor.client.get(url(entry, "result/")).status_code == 404
    entry.start("w")
    entry.fail(Reason.ERROR, traceback="secret detail")
    assert visitor.client.get(url(entry, "result/")).status_code == 404
    answers = [visitor.client.get(url(entry)), visitor.client.get(url(entry, "status.json"))]
    assert not any("secret detail" in answer.content.decode() for answer in answers)


# After a flush


def test_no_numbers_are_told_before_the_places_are_back(valkey: redis.Redis, line: Line) -> None:
    """Somebody who joins after a flush is alone in Redis, and yet not first."""
    visitor = Visitor()
    visitor.join()
    valkey.delete(line.keys.epoch)
    newcomer = Visitor()
    entry = newcomer.join()
    assert "The line cannot be seen right now." in newcomer.client.get("/").content.decode()
    now = state(newcomer, entry)
    assert (now["position"], now["ahead"], now["eta_seconds"]) == (None, None, None)
    assert now["detail"] == "Your place is stored; its number will follow."
    set_epoch(valkey, "probe", "server")
    assert state(newcomer, entry)["ahead"] == 1
