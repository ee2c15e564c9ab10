"""The permissions of staff and the shipped groups."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission, User
from django.contrib.contenttypes.models import ContentType

from queueing.models import Entry
from queueing.roles import GROUPS, make_groups
from queueing.web.visitor import may_see_lines, may_steer
from tests.support.visitors import Visitor, finished, staff, url

pytestmark = pytest.mark.django_db(transaction=True)


def names(group: str) -> set[str]:
    return set(Group.objects.get(name=group).permissions.values_list("codename", flat=True))


def test_two_groups_are_shipped_and_one_of_them_sees_no_content() -> None:
    assert set(Group.objects.values_list("name", flat=True)) == set(GROUPS)
    assert {"view_entry", "change_entry"} <= names("Queue help desk")
    assert names("Queue operators") - names("Queue help desk") >= {"view_entry_content"}


def test_a_group_that_staff_have_changed_stays_as_it_is() -> None:
    Group.objects.get(name="Queue operators").permissions.clear()
    Group.objects.filter(name="Queue help desk").delete()
    for _ in range(2):
        make_groups(apps.get_app_config("queueing"))
    assert names("Queue operators") == set()
    assert "view_entry" in names("Queue help desk")
    assert Group.objects.count() == len(GROUPS)


def test_who_may_look_at_entries_sees_that_there_is_a_result_and_not_what_it_is() -> None:
    entry = finished(Visitor())
    page = staff("view").client.get(url(entry)).content.decode()
    assert "The result is ready for the visitor. You may not see what is in it." in page
    assert "answer.txt" not in page
    assert "You may not see" not in staff("view", "content").client.get(url(entry)).content.decode()


@pytest.mark.parametrize("page", ["input/", "result/", "files/answer.txt"])
def test_contents_need_a_permission_of_their_own(page: str) -> None:
    entry = finished(Visitor())
    for looker, status in ((staff("view", "change"), 404), (staff("content"), 404), (staff("view", "content"), 200)):
        answer = looker.client.get(url(entry, page))
        assert answer.status_code == status
        answer.close()


def test_an_input_is_an_attachment_of_no_known_type() -> None:
    entry = Visitor().join()
    answer = staff("view", "content").client.get(url(entry, "input/"))
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Content-Disposition"] == 'attachment; filename="a.csv"'
    assert b"".join(answer) == b"a,b\n1,2\n"
    entry.input.storage.delete(str(entry.input.name))
    assert staff("view", "content").client.get(url(entry, "input/")).status_code == 404


def test_lines_are_seen_and_steered_by_permissions_of_their_own() -> None:
    kind = ContentType.objects.get_for_model(Entry)
    user = User.objects.create_user("anna", is_staff=True)
    assert not may_see_lines(user)
    for codename in ("view_line", "change_line"):
        permission = Permission.objects.filter(codename=codename).first() or Permission.objects.create(
            codename=codename, content_type=kind, name=codename
        )
        user.user_permissions.add(permission)
        user = User.objects.get()
        assert may_see_lines(user)
    assert may_steer(user)
    User.objects.update(is_staff=False)
    assert not may_steer(User.objects.get())
