"""The tags by which a page of one's own shows the places of its visitor."""

import pytest
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ImproperlyConfigured
from django.template import engines
from django.test import RequestFactory

from tests.support.visitors import Visitor

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "{% load queue_look %}{% queue_places as places %}{% for entry in places %}{% queue_card entry %}{% endfor %}"


def shown(source: str, visitor: Visitor, **values: object) -> str:
    request = RequestFactory().get("/shop/")
    request.session, request.user = visitor.client.session, AnonymousUser()
    return engines["django"].from_string(source).render(values, request)


def test_a_page_of_the_site_has_a_card_for_each_place_of_its_visitor() -> None:
    anna, bob = Visitor(), Visitor()
    entries = [anna.join(), anna.join()]
    page = shown(PAGE, anna)
    assert page.count("<iframe") == 2
    assert all(f"/entry/{entry.code}/card/" in page for entry in entries)
    assert shown(PAGE, bob) == ""


def test_a_card_takes_an_entry_its_code_or_nothing() -> None:
    anna = Visitor()
    entry, source = anna.join(), "{% load queue_look %}{% queue_card it %}"
    assert len({shown(source, anna, it=it) for it in (entry, entry.code, str(entry.code))}) == 1
    assert str(entry.code) in shown(source, anna, it=entry)
    assert [shown(source, anna, it=nothing).strip() for nothing in (None, "")] == ["", ""]
    for wrong in ([entry], [], "a word", entry.pk):
        with pytest.raises(ImproperlyConfigured, match=r"queue_card %} takes one entry or its code.*{% for entry in"):
            shown(source, anna, it=wrong)


@pytest.mark.parametrize("tag", ["{% load queue_look %}{% queue_places %}", "{% load queue_board %}{% queue_board %}"])
def test_a_tag_that_needs_the_request_says_so(tag: str) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"%} needs the request\. Write render\(request, …\), and have"):
        engines["django"].from_string(tag).render({})
