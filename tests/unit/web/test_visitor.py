"""Permissions: they count for active staff, and to change is to look, too."""

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test.utils import CaptureQueriesContext

from queueing.models import Entry
from queueing.web import rights
from queueing.web.rights import Right
from queueing.web.visitor import Visitor as OfRequest
from tests.support.visitors import Visitor, staff, url

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.postgres]

LIST = "/admin/queueing/entry/"


def answers(visitor: Visitor, entry: Entry) -> list[int]:
    paths = [
        url(entry),
        url(entry, "status.json"),
        "/metrics",
        LIST,
        f"{LIST}{entry.pk}/change/",
        "/admin/queueing/line/",
    ]
    posts = [visitor.client.post(url(entry, "keep/")).status_code]
    return [visitor.client.get(path).status_code for path in paths] + posts


def test_a_permission_counts_for_staff_only() -> None:
    entry = Visitor().join()
    assert answers(staff("view", "change", is_staff=False), entry) == [404, 404, 404, 302, 302, 302, 404]
    assert answers(staff("view", "change"), entry) == [200, 200, 200, 200, 200, 200, 303]


def test_a_superuser_who_is_no_staff_sees_nothing() -> None:
    entry = Visitor().join()
    visitor = staff(is_staff=False)
    User.objects.update(is_superuser=True)
    assert answers(visitor, entry)[:3] == [404, 404, 404]


def test_the_permission_to_change_alone_opens_nothing_anywhere() -> None:
    """The admin and the entry's page say the same."""
    entry = Visitor().join()
    assert answers(staff("change"), entry) == [404, 404, 404, 403, 403, 403, 404]
    entry.refresh_from_db()
    assert entry.is_live
    assert entry.keep_seconds is None


def test_many_rights_cost_few_queries() -> None:
    """Thousands of pages ask for their right each half minute."""
    visitors = [Visitor() for _ in range(12)]
    pages = []
    for visitor in visitors:
        entry = visitor.join()
        key = visitor.client.cookies["sessionid"].value
        pages += [(Right(key, is_of_browser=True, user_id=None), entry)] * 100
    with CaptureQueriesContext(connection) as queries:
        assert rights.find_over(pages) == []
    assert len(queries) == 1
    visitors[3].client.session.delete()
    assert rights.find_over(pages) == list(range(300, 400))


def test_rights_of_users_cost_some_queries_for_each_session() -> None:
    looker = staff("view")
    entries = [Visitor().join() for _ in range(5)]
    session = looker.client.session
    right = Right.of(OfRequest(session, User.objects.get()), entries[0])
    assert not right.is_of_browser
    with CaptureQueriesContext(connection) as queries:
        assert rights.find_over([(right, entry) for entry in entries]) == []
    assert len(queries) <= 4
    Permission.objects.get(codename="view_entry").user_set.clear()
    assert rights.find_over([(right, entry) for entry in entries]) == list(range(5))


def test_the_end_of_many_rows_does_not_read_each_of_them(settings: Any) -> None:
    """A listener to the deletes of every model would make the purge read what it deletes."""
    from django.db.models.signals import post_delete

    assert not post_delete.has_listeners(Entry)
