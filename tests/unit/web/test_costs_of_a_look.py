"""A look into a file by a checker: what is asked before it, and what it costs its address and its proof of work."""

import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.db import connection

from queueing import registry
from queueing.checking.pool import Checkers
from queueing.line import keys
from queueing.line.places import Line
from queueing.models import Entry
from tests.support import deeds, probe
from tests.support.brake import solve
from tests.support.levers import set_levers
from tests.support.upload_watch import Watch
from tests.support.visitors import FORM, Visitor

pytestmark = pytest.mark.django_db(transaction=True)

ON = {"BRAKE": "on", "BRAKE_BITS": 4}
BAD = "raise"  # a file that the form refuses


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The line "probe" looks into its files; the list has the address of each look."""
    monkeypatch.setitem(registry.all_tasks(), "probe", replace(probe.heavy_task, form=deeds.DeedForm))
    asked = list[str]()
    real: Callable[..., None] = Checkers.check

    def check(self: Checkers, form: type, upload: "UploadedFile[Any]", address: str, *more: Any) -> None:
        asked.append(address)
        real(self, form, upload, address, *more)

    monkeypatch.setattr(Checkers, "check", check)
    return asked


def deed(content: str = "fine") -> SimpleUploadedFile:
    return SimpleUploadedFile("a.csv", content.encode())


@pytest.mark.parametrize(
    ("values", "status"),
    [
        ({"MAX_LINE": 1}, 503),
        ({"ADDRESS_BURST": 1}, 429),
        ({"ADDRESS_UNSEEN": 1}, 429),
        ({"MAX_WAITING_PER_VISITOR": 1}, 429),
        ({"MAX_ENTRIES_PER_VISITOR": 1}, 429),
    ],
)
def test_a_join_that_is_refused_anyway_costs_no_checker(
    looks: list[str], values: dict[str, Any], status: int, settings: Any
) -> None:
    settings.QUEUEING = seldom = {"ADDRESS_RATE": 0.1}  # none is allowed again while a checker starts on a slow machine
    visitor, code = Visitor(), uuid.uuid4()
    first = visitor.join(code=code, file=deed(), looks=False)
    assert len(looks) == 1
    settings.QUEUEING = seldom | values
    assert visitor.send(file=deed()).status_code == status
    assert len(looks) == 1
    assert visitor.join(code=code, file=deed(), looks=False) == first  # the same form again
    assert len(looks) == 1


def test_a_join_in_a_closed_line_costs_no_checker(looks: list[str]) -> None:
    set_levers(state="closed")
    assert Visitor().send(file=deed()).status_code == 503
    assert looks == []


def test_the_address_of_a_visitor_comes_with_the_look(looks: list[str]) -> None:
    visitor = Visitor(REMOTE_ADDR="192.0.2.1")
    visitor.join(file=deed())
    [address] = looks
    assert address == Entry.objects.get().address != ""


def test_files_that_are_refused_cost_the_address_its_joins(looks: list[str], settings: Any, line: Line) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 3, "ADDRESS_RATE": 0.1}  # of a loaded machine
    answers = [Visitor().send(file=deed(BAD)).status_code for _ in range(5)]
    assert answers == [422, 422, 422, 429, 429]
    assert len(looks) == 3
    assert line.client.zcard(line.keys.reserved) == 0


def test_a_form_that_no_checker_saw_costs_nothing(looks: list[str], settings: Any, valkey: redis.Redis) -> None:
    settings.QUEUEING = {"ADDRESS_BURST": 1}
    for _ in range(3):
        assert Visitor().send(file=deed("")).status_code == 422
    assert looks == []
    assert valkey.keys(keys.on_time_key("*")) == []


def test_a_visitor_at_the_limit_who_goes_on_pressing_locks_nobody_out(valkey: redis.Redis, settings: Any) -> None:
    """A school behind one address."""
    settings.QUEUEING = {"ADDRESS_BURST": 5, "MAX_WAITING_PER_VISITOR": 1}
    pupil = Visitor()
    pupil.join()
    for _ in range(10):
        assert pupil.send().status_code == 429
    for _ in range(3):
        Visitor().join()


def test_a_proof_buys_two_looks_at_most_and_none_after_a_refused_file(
    looks: list[str], settings: Any, valkey: redis.Redis
) -> None:
    settings.QUEUEING = ON
    visitor = Visitor()
    proof = solve(visitor.client.get(FORM).content.decode())
    assert visitor.send(**proof, file=deed(BAD)).status_code == 422
    for _ in range(3):
        assert visitor.send(**proof, file=deed(BAD)).status_code == 409
    assert len(looks) == 1
    [key] = valkey.keys(keys.proof_key("*"))
    assert 0 < valkey.ttl(key) <= 900


def test_a_form_that_is_sent_again_leads_to_its_entry_without_a_further_proof(looks: list[str], settings: Any) -> None:
    settings.QUEUEING = ON | {"ADDRESS_BURST": 100}
    visitor = Visitor()
    proof = solve(visitor.client.get(FORM).content.decode())
    places = {visitor.send(**proof, file=deed())["Location"] for _ in range(5)}
    assert len(places) == 1
    assert len(looks) == 2
    assert visitor.send(**proof, file=deed("other")).status_code == 409
    assert len(looks) == 2


def test_no_connection_is_held_while_a_large_form_is_parsed_checked_and_copied(
    looks: list[str], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FILE_UPLOAD_HANDLERS = ["tests.support.upload_watch.Watch", *settings.FILE_UPLOAD_HANDLERS]
    held = Watch.held
    held.clear()
    real = FileSystemStorage._save  # type: ignore[attr-defined]

    def save(storage: FileSystemStorage, name: str, content: Any) -> Any:
        held.append(connection.connection is not None)
        return real(storage, name, content)

    monkeypatch.setattr(FileSystemStorage, "_save", save)
    Visitor().join(file=deed("fine".ljust(3 * 1024**2)), looks=False)
    assert len(held) > 2
    assert not any(held)
