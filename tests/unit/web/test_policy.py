"""A site's own policy: who owns an entry, who may join, who goes first, and how much one owner may have."""

import re
import threading
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AnonymousUser, Group, User
from django.contrib.sessions.models import Session
from django.db import connection

from queueing import rejoining, site_time
from queueing.checks import policies as checks
from queueing.facts import Facts
from queueing.keeper import survey
from queueing.models import Entry
from queueing.policy import Quota
from queueing.registry import HeavyTask, get_task
from queueing.web import rights, snapshot
from queueing.web.reception import frame_of
from queueing.web.rights import Right
from queueing.web.visitor import SESSION_KEY
from queueing.web.visitor import Visitor as OfRequest
from tests.support.paths import ROOT
from tests.support.policies import ShopPolicy
from tests.support.probe import probe
from tests.support.visitors import Visitor, upload, url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

SHOP = {"POLICY": "tests.support.policies.ShopPolicy"}


@pytest.fixture(autouse=True)
def shop(settings: Any) -> None:
    settings.QUEUEING = SHOP


def customer(address: str) -> Visitor:
    """A browser in which somebody of a company is signed in."""
    visitor = Visitor()
    visitor.client.force_login(User.objects.create_user(address, email=address))
    return visitor


def right_of(visitor: Visitor, entry: Entry) -> Right:
    session = visitor.client.session
    return Right.of(OfRequest(session, User.objects.get(pk=session["_auth_user_id"])), entry)


def test_an_entry_belongs_to_the_account_in_every_browser_and_to_no_other() -> None:
    anna, bert, other = customer("anna@small.example"), customer("bert@small.example"), customer("eve@other.example")
    entry = anna.join()
    assert bert.client.get(url(entry)).status_code == 200
    assert str(entry.code) in bert.client.get("/").content.decode()
    assert other.client.get(url(entry)).status_code == 404
    assert Visitor().client.get(url(entry)).status_code == 404
    bert.client.post(url(entry, "leave/"))
    entry.refresh_from_db()
    assert not entry.is_live


def test_the_right_of_an_account_ends_with_the_sign_in() -> None:
    anna, bert = customer("anna@small.example"), customer("bert@small.example")
    entry = anna.join()
    right = right_of(bert, entry)
    assert not right.is_of_browser
    assert not rights.is_over(right, entry)
    bert.client.logout()
    assert rights.is_over(right, entry)
    assert bert.client.get(url(entry)).status_code == 404


def test_a_join_of_an_account_renews_the_session_and_leaves_no_name_in_it() -> None:
    anna = customer("anna@small.example")
    soon = site_time.now() + timedelta(minutes=5)
    Session.objects.update(expire_date=soon)
    anna.join()
    assert Session.objects.get().expire_date > soon + timedelta(days=1)
    assert SESSION_KEY not in anna.client.session


def test_a_form_sent_again_by_who_has_left_the_account_leaves_no_name_of_it_in_the_session() -> None:
    """The entry is still the user's own; those of the others are not."""
    anna = customer("anna@small.example")
    [code] = re.findall(r'name="code" value="([^"]+)"', anna.client.get("/join/probe/").content.decode())
    entry, colleagues = anna.join(code=code), customer("bert@small.example").join()
    User.objects.filter(username="anna@small.example").update(email="")
    assert anna.send(code=code)["Location"] == url(entry)
    assert anna.client.session.get(SESSION_KEY) not in {str(entry.visitor), None}
    assert anna.client.get(url(entry)).status_code == 200
    assert anna.client.get(url(colleagues)).status_code == 404


def test_who_has_left_the_account_and_joins_again_gets_a_name_of_his_own() -> None:
    anna = customer("anna@small.example")
    entry = anna.join()
    entry.cancel()
    User.objects.update(email="")
    anna.client.post(url(entry, "again/"))
    successor = Entry.objects.latest("pk")
    assert successor.pk != entry.pk
    assert str(successor.visitor) == anna.client.session[SESSION_KEY] != str(entry.visitor)


def test_what_the_browser_joined_before_the_sign_in_stays_its_own(settings: Any) -> None:
    settings.QUEUEING = {}
    visitor = Visitor()
    entry = visitor.join()
    settings.QUEUEING = SHOP
    visitor.client.force_login(User.objects.create_user("anna", email="anna@small.example"))
    assert visitor.client.get(url(entry)).status_code == 200


def test_places_are_counted_for_the_account() -> None:
    anna, bert = customer("anna@small.example"), customer("bert@small.example")
    anna.join()
    bert.join()
    answer = anna.send()
    assert (answer.status_code, Entry.objects.count()) == (429, 2)
    assert "disabled" in bert.client.get("/join/probe/").content.decode()


def test_users_of_an_account_who_join_at_the_same_moment_share_its_places() -> None:
    colleagues = [customer(f"user-{number}@small.example") for number in range(5)]
    statuses = []

    def join(visitor: Visitor) -> None:
        try:
            statuses.append(visitor.send().status_code)
        finally:
            connection.close()

    threads = [threading.Thread(target=join, args=(visitor,)) for visitor in colleagues]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (sorted(statuses), Entry.objects.count()) == ([303, 303, 429, 429, 429], 2)


def test_a_paying_account_may_have_more_and_goes_first(settings: Any) -> None:
    settings.QUEUEING = SHOP | {"MAX_BYTES_PER_VISITOR": 5}
    small, paying = customer("anna@small.example"), customer("bill@paying.example")
    assert small.send(file=upload(b"too,much\n")).status_code == 413
    usual = small.join(file=upload(b"1\n2\n"))
    first = [paying.join(file=upload(b"too,much\n")) for _ in range(4)]
    assert paying.send(file=upload(b"too,much\n")).status_code == 429
    assert list(Entry.objects.in_order()) == [*first, usual]


def test_the_form_and_the_first_page_tell_the_wait_of_this_visitors_priority() -> None:
    """The same that the entry's own page tells after the join."""
    usual, paying = customer("anna@small.example"), customer("bill@paying.example")
    for number in range(3):
        customer(f"{number}@{number}.example").join()
    survey.write("probe", Facts(workers=1, busy=1, waits=((0, 120.0, 170.0), (3, 600.0, 710.0)), first_priority=10))
    said = {usual: "about 10 to 12 minutes, or longer: some who join later go first.", paying: "about 2 to 3 minutes."}
    for visitor, words in said.items():
        for page in ("/", "/join/probe/"):
            assert f"Expected wait: {words}" in visitor.client.get(page).content.decode()
        entry = visitor.join()
        assert visitor.poll(entry)["wait"] == f"Expected wait: {words}"
        visitor.leave(entry)


def test_a_stranger_who_may_not_join_is_asked_no_priority(settings: Any) -> None:
    settings.QUEUEING = {"POLICY": "tests.unit.web.test_policy.NeedsUser"}
    assert Visitor().client.get("/").status_code == 200


def test_who_may_not_join_reads_why_and_stores_nothing() -> None:
    stranger = Visitor()
    form = stranger.client.get("/join/probe/").content.decode()
    assert "is for customers. Please sign in." in form
    assert "disabled" in form
    assert "Look again" not in form
    answer = stranger.send()
    assert (answer.status_code, answer.headers.get("Retry-After")) == (403, None)
    assert "Not open to you" in answer.content.decode()
    assert "is for customers. Please sign in." in answer.content.decode()
    assert not Entry.objects.exists()


def test_who_may_not_join_is_told_before_a_large_form_is_parsed(settings: Any) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 10
    visitor = Visitor(enforce_csrf_checks=True)  # the token is in the form, so without a parse nobody misses it
    answer = visitor.send(file=upload(b"1,2\n" * 100))
    assert answer.status_code == 403
    assert "is for customers. Please sign in." in answer.content.decode()


def test_who_may_not_join_gets_no_preview() -> None:
    answer = Visitor().client.post("/join/tables/preview/", {"file": upload()})
    assert answer.status_code == 403


def test_nobody_joins_again_who_may_not_join(settings: Any) -> None:
    settings.QUEUEING = {}
    visitor = Visitor()
    entry = visitor.join()
    visitor.client.post(url(entry, "leave/"))
    settings.QUEUEING = SHOP
    assert visitor.client.post(url(entry, "again/")).status_code == 403


SENTENCE = "is for customers. Please sign in."


def ways_to_join(page: str) -> list[str]:
    """The ways to a new place that this page shows."""
    found = re.findall(r'<form id="again"[^>]*>|<a [^>]*href="/join/[^>]*>|<button[^>]* name="change"[^>]*>', page)
    return [way for way in found if " hidden" not in way]


def of_tables(visitor: Visitor) -> Entry:
    entry = visitor.join_with_sample("tables")
    entry.start("w")
    entry.succeed({"rows": "1 row", "columns": "1 column", "read": "Read as UTF-8, comma.", "doubts": []})
    return entry


def left(visitor: Visitor) -> Entry:
    entry = visitor.join()
    visitor.leave(entry)
    entry.refresh_from_db()
    return entry


@pytest.mark.parametrize("make", [of_tables, left])
def test_the_page_of_an_end_shows_the_policys_sentence_instead_of_ways_that_lead_to_it(
    make: Callable[[Visitor], Entry], settings: Any
) -> None:
    settings.QUEUEING = {}
    visitor = Visitor()
    entry = make(visitor)
    before = visitor.open(entry)
    assert (len(ways_to_join(before)), SENTENCE in before) == (2, False)
    settings.QUEUEING = SHOP
    page, now = visitor.open(entry), visitor.poll(entry)
    assert (ways_to_join(page), page.count(f"{SENTENCE}</p>")) == ([], 1)
    assert (now["again_seconds"], SENTENCE in now["advice"]) == (None, True)
    of_request = OfRequest(visitor.client.session, AnonymousUser())
    frame = frame_of(entry, snapshot.read(entry), of_request, is_owner=True, told_status="waiting")
    assert (frame["again_seconds"], SENTENCE in frame["advice"], SENTENCE in frame["html"]) == (None, True, True)
    assert ways_to_join(frame["html"]) == []


def test_a_policy_that_raises_keeps_no_page_from_its_owner(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> str:
        raise LookupError("nobody knows")

    anna = customer("anna@small.example")
    entry = left(anna)
    monkeypatch.setattr(ShopPolicy, "refusal", fails)
    assert "You left the line" in anna.open(entry)


@pytest.mark.parametrize("kept_in_memory", [2_621_440, 10])
def test_a_form_that_is_sent_twice_has_its_entry_though_the_policy_takes_one_only(
    kept_in_memory: int, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As of a visitor who may join once a day. A large form is looked at before it is parsed."""
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = kept_in_memory
    anna, code = customer("anna@small.example"), uuid.uuid4()
    monkeypatch.setattr(ShopPolicy, "refusal", lambda *_: "You had yours." if Entry.objects.exists() else "")
    first, second = anna.send(code=code), anna.send(code=code)
    assert (first.status_code, second.status_code) == (303, 303)
    assert first["Location"] == second["Location"]
    refused = anna.send(code=uuid.uuid4())
    assert refused.status_code == 403
    assert first["Location"] in refused.content.decode()  # the way to the place that there is
    assert "leave one of them" not in refused.content.decode()
    assert first["Location"] in anna.client.get("/join/probe/").content.decode()


class NeedsUser(ShopPolicy):
    """Strangers may not join, so nothing else is known of them."""

    def priority(self, user: User | None, heavy_task: HeavyTask) -> int:
        assert user is not None
        return 10

    def quota(self, user: User | None) -> Quota:
        assert user is not None
        return super().quota(user)


def test_an_entry_of_a_user_who_is_gone_is_joined_again_by_another_of_the_account(settings: Any) -> None:
    anna, bert = customer("anna@small.example"), customer("bert@small.example")
    entry = anna.join()
    anna.leave(entry)
    User.objects.get(username="anna@small.example").delete()
    settings.QUEUEING = {"POLICY": "tests.unit.web.test_policy.NeedsUser"}
    assert bert.again(entry).priority == 10


def test_a_retry_by_staff_has_the_priority_of_its_owner_and_that_of_code_the_tasks(settings: Any) -> None:
    entry, of_code = customer("bill@paying.example").join(), Entry.objects.get(code=probe.enqueue().id)
    for ended in (entry, of_code):
        ended.cancel()
    settings.QUEUEING = {"POLICY": "tests.unit.web.test_policy.NeedsUser"}
    assert rejoining.retry(entry).priority == 10
    assert rejoining.retry(of_code).priority == probe.priority


@pytest.mark.parametrize("priority", [1_000, -101, 1.5, None])
def test_a_priority_that_no_entry_can_have_is_an_error_of_the_policy(
    priority: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    anna = customer("anna@small.example")
    monkeypatch.setattr(ShopPolicy, "priority", lambda *_: priority)
    with pytest.raises(ValueError, match=rf"ShopPolicy\.priority: {priority} is no whole number from -100 to 100"):
        anna.send()
    assert not Entry.objects.exists()


@pytest.mark.parametrize("account", ["b9c8a1a4-2f7d-4a53-9c55-6f1f9a0d3e21", 5, ""])
def test_an_account_that_is_no_uuid_is_an_error_of_the_policy(account: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The database would take some of them, and no row would equal it."""
    anna = customer("anna@small.example")
    monkeypatch.setattr(ShopPolicy, "owner", lambda *_: account)
    with pytest.raises(ValueError, match=r"ShopPolicy\.owner: .* is neither a uuid\.UUID nor None"):
        anna.send()
    assert not Entry.objects.exists()


@pytest.mark.parametrize("quota", [{"places": 3}, 3, (3, 0, 0), None, Quota(-1, 0, 0), Quota(1.5, 0, 0)])  # type: ignore[arg-type]
def test_a_quota_that_is_none_is_an_error_of_the_policy(quota: object, monkeypatch: pytest.MonkeyPatch) -> None:
    anna = customer("anna@small.example")
    monkeypatch.setattr(ShopPolicy, "quota", lambda *_: quota)
    with pytest.raises(ValueError, match=r"ShopPolicy\.quota: .* is no Quota of whole numbers\. Write: return super"):
        anna.send()
    assert not Entry.objects.exists()


def test_a_refusal_that_is_no_sentence_is_an_error_of_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    anna = customer("anna@small.example")
    monkeypatch.setattr(ShopPolicy, "refusal", lambda *_: True)
    with pytest.raises(ValueError, match=r"ShopPolicy\.refusal: True is no sentence; empty means"):
        anna.send()
    monkeypatch.setattr(ShopPolicy, "refusal", lambda *_: None)
    assert anna.join().is_live


def test_a_policy_that_raises_ends_the_right_to_one_page_and_keeps_that_of_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    anna, bert, other = customer("anna@small.example"), customer("bert@small.example"), customer("eve@other.example")
    entry, foreign = anna.join(), other.join()
    pages = [(right_of(bert, entry), entry), (right_of(other, foreign), foreign), (right_of(anna, entry), entry)]
    other.client.logout()

    def fails(_: ShopPolicy, user: User) -> None:
        raise LookupError(f"{user} has no company")

    monkeypatch.setattr(ShopPolicy, "owner", fails)
    assert rights.find_over(pages) == [0, 1]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("nowhere.Policy", "No module named 'nowhere'"),
        ("tests.support.policies.Missing", "does not define"),
        ("tests.support.policies.Unmade", "missing 1 required positional argument"),
        ("tests.support.captcha.Captcha", "is no queueing.policy.Policy"),
    ],
)
def test_a_policy_that_is_none_is_found_at_the_start(settings: Any, path: str, said: str) -> None:
    settings.QUEUEING = {"POLICY": path}
    [error] = checks.check_policy()
    assert error.id == "queueing.E117"
    assert said in error.msg


def test_a_method_that_the_queue_cannot_call_is_found_at_the_start(settings: Any) -> None:
    settings.QUEUEING = {"POLICY": "tests.support.policies.Slips"}
    told = {message.hint: message.msg for message in checks.check_policy() if message.id == "queueing.E125"}
    assert told == {
        "Write: def refusal(self, user, heavy_task)": "tests.support.policies.Slips.refusal cannot be called as the "
        "queue does: too many positional arguments.",
        "Write: def quota(self, user)": "tests.support.policies.Slips.quota cannot be called as the queue does: "
        "it is an `async def`.",
    }


def test_a_misspelt_method_is_told_the_one_that_was_meant(settings: Any) -> None:
    settings.QUEUEING = {"POLICY": "tests.support.policies.Slips"}
    [warning] = [message for message in checks.check_policy() if message.id == "queueing.W117"]
    assert warning.msg == "The queue never asks tests.support.policies.Slips.prority."
    assert warning.hint
    assert warning.hint.startswith("Did you mean priority?")


@pytest.mark.parametrize("name", ["Roomy", "ShopPolicy", "OneResult"])
def test_a_policy_that_the_queue_can_ask_has_no_finding(name: str, settings: Any) -> None:
    settings.QUEUEING = {"POLICY": f"tests.support.policies.{name}"}
    assert checks.check_policy() == []


def test_the_documented_policy_does_what_its_words_say() -> None:
    text = (ROOT / "docs" / "adopting.md").read_text()
    [block] = re.findall(r"^```\w+\n(# shop/queue\.py\n.*?)^```", text, re.MULTILINE | re.DOTALL)
    names: dict[str, Any] = {}
    exec(block, names)  # noqa: S102  # our own document
    policy, task = names["ShopPolicy"](), get_task("probe")
    anna, bert, other = (User.objects.create_user(name) for name in ("anna", "bert", "other"))
    for user in (anna, bert):
        user.groups.add(Group.objects.get_or_create(name="company 7")[0])
    bert.groups.add(Group.objects.create(name="paying"))
    assert policy.owner(anna) == policy.owner(bert) != policy.owner(other) is None
    assert (policy.refusal(anna, task), "is for customers." in policy.refusal(None, task)) == ("", True)
    assert [policy.priority(user, task) for user in (None, anna, bert)] == [task.task.priority] * 2 + [10]
    assert [policy.quota(user).places for user in (None, anna)] == [1, 5]
