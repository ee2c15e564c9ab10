"""Limits of one visitor and one address on the site's lines, as its pages say them."""

import re
import time
from typing import Any

import pytest
import redis

from queueing.line import keys, presence
from queueing.line.places import Line
from queueing.models import Entry
from tests.support.visitors import FORM, Visitor, staff, url

pytestmark = pytest.mark.django_db(transaction=True)

ATTACKER, SCHOOL, HOME = "198.51.100.1", "203.0.113.1", "192.0.2.1"


def stay(valkey: redis.Redis, entry: Entry, seconds: float) -> None:
    """Let the page of this entry have been open for that long."""
    since = round(1000 * (time.time() - seconds))
    valkey.set(keys.presence_key(entry.job_id), since, px=20_000)


# One address


def sent(visitor: Visitor) -> Any:
    """The answer to the form, sent again after a 503: Redis may give no answer for a second on a loaded machine."""
    while (answer := visitor.send()).status_code == 503:
        time.sleep(0.1)
    return answer


@pytest.mark.postgres
def test_a_flood_of_joins_without_cookies_is_bounded_and_others_are_served(line: Line) -> None:
    """As shipped: 300 joins from one address, each with a new session, each followed by the wish to keep the place."""
    answers = []
    for _ in range(300):
        visitor = Visitor(REMOTE_ADDR=ATTACKER)
        answers.append(sent(visitor))
        if answers[-1].status_code == 303:
            assert visitor.client.post(f"{answers[-1]['Location']}keep/").status_code == 409
    taken = [answer for answer in answers if answer.status_code == 303]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert (len(taken), len(refused)) == (40, 260)
    assert all(1 <= int(answer["Retry-After"]) <= 60 for answer in refused)
    assert "from your network" in refused[0].content.decode()
    assert not Entry.objects.exclude(keep_seconds=None).exists()
    honest = Visitor(REMOTE_ADDR=HOME).join()
    assert line.claim("w1").job_id == honest.job_id


def test_a_flood_that_opens_its_pages_is_bounded_too(settings: Any) -> None:
    """As shipped, but for the joins that the minutes of a slow machine would add."""
    settings.QUEUEING = {"ADDRESS_RATE": 0.01}
    answers = []
    for _ in range(100):
        visitor = Visitor(REMOTE_ADDR=ATTACKER)
        answers.append(visitor.send())
        if answers[-1].status_code == 303:
            visitor.client.get(answers[-1]["Location"])
    assert [answer.status_code for answer in answers] == [303] * 60 + [429] * 40
    assert "Many have joined from your network" in answers[-1].content.decode()
    assert Visitor(REMOTE_ADDR=HOME).send().status_code == 303


def test_a_school_behind_one_address_joins(line: Line) -> None:
    """As shipped: thirty pupils, each with a page."""
    for _ in range(30):
        Visitor(REMOTE_ADDR=SCHOOL).join()
    assert len(line.ids()) == 30


def test_joining_again_and_the_sample_count_as_joins(settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 2, "ADDRESS_RATE": 0.01}
    visitor = Visitor(REMOTE_ADDR=ATTACKER)
    entry = visitor.join()
    visitor.client.post(url(entry, "leave/"))
    assert visitor.client.post(url(entry, "again/")).status_code == 303
    for answer in (visitor.client.post(FORM, {"sample": "1"}), visitor.send()):
        assert (answer.status_code, int(answer["Retry-After"]) > 1000) == (429, True)
    visitor.client.post(url(Entry.objects.live().get(), "leave/"))
    assert visitor.client.post(url(entry, "again/")).status_code == 429
    assert Entry.objects.count() == 2


def test_the_form_says_beforehand_that_the_address_is_at_its_limit(settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 1, "ADDRESS_RATE": 0.01}
    Visitor(REMOTE_ADDR=SCHOOL).join()
    form = Visitor(REMOTE_ADDR=SCHOOL).client.get(FORM).content.decode()
    assert "Many have joined from your network just now." in form
    assert "from your network" not in Visitor(REMOTE_ADDR=HOME).client.get(FORM).content.decode()


def test_the_form_says_beforehand_that_a_new_place_would_be_behind(settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_IN_ORDER": 2}
    for _ in range(3):
        Visitor(REMOTE_ADDR=SCHOOL).join()
    said = "a new one comes after those of other networks"
    assert said in Visitor(REMOTE_ADDR=SCHOOL).client.get(FORM).content.decode()
    assert said not in Visitor(REMOTE_ADDR=HOME).client.get(FORM).content.decode()


def test_the_same_form_sent_twice_leads_to_its_entry_at_the_limit(settings: Any) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 1, "ADDRESS_RATE": 0.01}
    visitor, code = Visitor(REMOTE_ADDR=SCHOOL), "8b1d3d2e-8f3c-4f0c-9d0e-2f0d6a3b7c11"
    places = {visitor.send(code=code)["Location"] for _ in range(2)}
    assert len(places) == 1


# Keeping a place


def test_a_place_is_kept_only_after_some_presence(valkey: redis.Redis) -> None:
    visitor = Visitor()
    entry = visitor.join()
    answer = visitor.client.post(url(entry, "keep/"))
    assert answer.status_code == 409
    assert "once this page has been open for 30 seconds" in answer.content.decode()
    assert 'id="entry"' in answer.content.decode()  # with its script: the visitor stays present
    stay(valkey, entry, 20)
    visitor.client.get(url(entry, "status.json"))
    assert visitor.client.post(url(entry, "keep/")).status_code == 409
    stay(valkey, entry, 31)
    visitor.client.get(url(entry, "status.json"))
    assert visitor.client.post(url(entry, "keep/")).status_code == 303
    entry.refresh_from_db()
    assert entry.keep_seconds == 1800


def test_a_wish_to_keep_the_place_is_a_look(valkey: redis.Redis) -> None:
    """The row did not hear of the first look: the place would be restored as an unseen one that staff made."""
    visitor = Visitor()
    entry = visitor.join()
    stay(valkey, entry, 31)
    visitor.client.get(url(entry, "status.json"))
    Entry.objects.filter(pk=entry.pk).update(seen_at=None)
    assert visitor.client.post(url(entry, "keep/")).status_code == 303
    entry.refresh_from_db()
    assert not entry.is_unseen


def test_a_gap_begins_the_presence_anew(valkey: redis.Redis) -> None:
    visitor = Visitor()
    entry = visitor.join()
    stay(valkey, entry, 3600)
    valkey.delete(keys.presence_key(entry.job_id))
    assert visitor.client.post(url(entry, "keep/")).status_code == 409
    visitor.client.get(url(entry))
    assert presence.present_for(entry.queue, entry.job_id) < 30
    assert visitor.client.post(url(entry, "keep/")).status_code == 409


def test_a_single_look_is_never_enough(settings: Any) -> None:
    """As shipped: a look counts as presence for less than a place takes to be kept."""
    from queueing.conf import conf

    assert conf.MIN_PRESENCE > conf.POLL_TTL


def test_the_button_comes_with_the_presence(valkey: redis.Redis) -> None:
    visitor = Visitor()
    entry = visitor.join()
    page = visitor.client.get(url(entry)).content.decode()
    assert 20 < float(page.split('data-after="')[1].split('"')[0]) <= 30
    assert re.search(r'data-after="[0-9.]+" hidden', page)
    stay(valkey, entry, 20)
    page = visitor.client.get(url(entry)).content.decode()
    assert 0 < float(page.split('data-after="')[1].split('"')[0]) <= 11
    stay(valkey, entry, 31)
    page = visitor.client.get(url(entry)).content.decode()
    assert "Keep my place for 30 minutes" in page
    assert "data-after" not in page


def test_staff_keep_the_place_of_somebody_who_is_not_there() -> None:
    entry = Visitor().join()
    assert staff("view", "change").client.post(url(entry, "keep/")).status_code == 303
    entry.refresh_from_db()
    assert entry.keep_seconds == 1800
