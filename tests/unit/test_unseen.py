"""An entry whose page nobody has looked at is in no line, and no work is done for it."""

import uuid
from collections.abc import Callable
from typing import Any

import pytest
import redis

from queueing import ending, joining, rejoining
from queueing.conf import conf
from queueing.keeper.round import Keeper
from queueing.line.places import Line
from queueing.models import Entry
from queueing.states import Reason, Status
from queueing.testing.presence import watch_since
from tests.support import probe
from tests.support.epochs import end_pause
from tests.support.visitors import Visitor, url

pytestmark = pytest.mark.postgres

Join = Callable[..., Entry]


@pytest.fixture
def keeper(db: None, valkey: redis.Redis) -> Keeper:
    return Keeper()


def deadline_passes(line: Line, entry: Entry) -> None:
    line.client.zadd(line.keys.due, {entry.job_id: 1})


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("page", ["", "status.json"])
def test_the_first_look_by_the_owner_puts_the_entry_into_its_place(line: Line, page: str) -> None:
    first, second = Visitor(), Visitor()
    early, late = first.join(looks=False), second.join(looks=False)
    assert (line.ids(), line.held_ids(), line.claim("w")) == ([], [], (None, 0))
    assert second.client.get(url(late, page)).status_code == 200
    assert first.client.get(url(early, page)).status_code == 200
    assert line.ids() == [early.job_id, late.job_id]  # in the order of joining, not of looking
    assert line.claim("w") == (early.job_id, 0)


@pytest.mark.django_db(transaction=True)
def test_a_look_by_somebody_else_is_none(line: Line, admin_user: Any) -> None:
    entry = Visitor().join(looks=False)
    staff = Visitor()
    staff.client.force_login(admin_user)
    assert staff.client.get(url(entry)).status_code == 200
    assert Visitor().client.get(url(entry)).status_code == 404
    assert line.ids() == []
    assert Entry.objects.get().seen_at is None


@pytest.mark.django_db(transaction=True)
def test_nobody_reads_of_those_who_never_came(line: Line) -> None:
    """Bare POSTs are no ghosts in the numbers of others; only the limit of the line counts them."""
    for _ in range(5):
        Visitor().join(looks=False)
    visitor = Visitor()
    entry = visitor.join()
    state = visitor.client.get(url(entry, "status.json")).json()
    assert (state["position"], state["ahead"], state["held_ahead"]) == (1, 0, 0)
    page = Visitor().client.get("/").content.decode()
    assert "1 in line" in page
    assert "may return" not in page
    assert line.length() == 6


def test_an_entry_that_nobody_looked_at_is_over_after_close_grace(keeper: Keeper, join: Join, line: Line) -> None:
    before, _ = line.client.time()
    entry = join(looked=False)
    due = line.client.zscore(line.keys.due, entry.job_id)
    after, _ = line.client.time()
    assert due is not None
    assert before <= due / 1000 - conf.CLOSE_GRACE < after + 1
    deadline_passes(line, entry)
    assert keeper.round()["dropped"] == 0  # nobody drops while no web process watches: the visitor could not look
    watch_since(1000)
    assert keeper.round()["dropped"] == 1
    entry.refresh_from_db()
    assert (entry.status, entry.reason, entry.attempt) == (Status.ABANDONED, Reason.UNSEEN, 0)
    assert line.count_entries() == 0


def test_a_look_in_the_last_moment_counts(keeper: Keeper, join: Join, line: Line) -> None:
    entry = join(looked=False)
    deadline_passes(line, entry)
    watch_since(1000)
    joining.look(entry, 60)
    assert keeper.round()["dropped"] == 0
    assert line.ids() == [entry.job_id]


def test_a_flush_does_not_put_the_unseen_into_the_line(
    keeper: Keeper, join: Join, line: Line, valkey: redis.Redis
) -> None:
    unseen, seen = join(looked=False), join()
    valkey.flushall()
    keeper.round()
    end_pause(keeper)
    assert keeper.round()["restored"] == 2
    assert line.ids() + line.held_ids() == [seen.job_id]
    joining.look(unseen, 60)
    assert line.claim("w") == (unseen.job_id, 0)


@pytest.mark.parametrize("seconds", [500, 0, -3, 0.0001, float("nan")])
def test_a_look_of_no_time_or_of_too_long_a_time_is_a_sentence(join: Join, line: Line, seconds: float) -> None:
    entry = join(looked=False)
    with pytest.raises(ValueError, match="A look lasts more than 0 s and at most 120 s, not"):
        joining.look(entry, seconds)
    assert Entry.objects.get(pk=entry.pk).seen_at is None


def test_a_look_while_redis_is_away_is_in_the_row(join: Join, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = join(looked=False)
    monkeypatch.setattr("queueing.line.presence.connection", lambda _queue: redis.Redis(port=1))
    with pytest.raises(redis.ConnectionError):
        joining.look(entry, 60)
    assert Entry.objects.get().seen_at is not None


@pytest.mark.django_db(transaction=True)
def test_joining_again_needs_a_look_too(join: Join, line: Line) -> None:
    entry = join()
    ending.leave(entry)
    again = rejoining.join_again(entry, joining.Owner(uuid.uuid4()))
    assert line.ids() == []
    joining.look(again, 60)
    assert line.ids() == [again.job_id]


def test_code_needs_nobody_unless_it_says_so(db: None, line: Line, django_capture_on_commit_callbacks: Any) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        plain = probe.probe.enqueue()
        attended = probe.probe.using(backend="attended").enqueue()
    assert line.ids() == [plain.id.replace("-", "")]
    entry = Entry.objects.get(code=attended.id)
    joining.look(entry, 60)
    assert line.ids() == [plain.id.replace("-", ""), entry.job_id]


def test_a_look_that_only_the_row_knows_of_is_a_look(keeper: Keeper, join: Join, line: Line) -> None:
    """Redis refused the beat of the first look: the entry is not dropped as one that nobody has looked at."""
    entry = join(looked=False)
    assert entry.see()
    deadline_passes(line, entry)
    watch_since(1000)
    assert keeper.round()["dropped"] == 0
    for _ in range(2):
        keeper.reconciler.compare(line)
    assert [*line.ids(), *line.held_ids()] == [entry.job_id]


# The place after a death of ours


def lost_by_us(entry: Entry) -> None:
    assert entry.start("w1")
    assert entry.fail_orphan("The machine stopped.", "")


@pytest.mark.django_db(transaction=True)
def test_an_entry_that_our_machines_lost_gives_its_place_to_the_next_one(join: Join, line: Line) -> None:
    lost, other = join("lost"), join("other")
    line.claim("w1")
    lost_by_us(lost)
    ending.finish(lost)
    again = rejoining.join_again(lost, joining.Owner(uuid.uuid4()))
    joining.look(again, 60)
    assert line.ids() == [again.job_id, other.job_id]
    lost.refresh_from_db()
    assert (lost.status, lost.followed_by) == (Status.FAILED, again)


def test_the_old_place_is_given_once(join: Join, line: Line) -> None:
    lost, other = join("lost"), join("other")
    lost_by_us(lost)
    again = rejoining.join_again(lost, joining.Owner(uuid.uuid4()))
    ending.leave(again)
    third = rejoining.join_again(Entry.objects.get(pk=lost.pk), joining.Owner(uuid.uuid4()))
    lost_by_us(again_lost := _fresh(third))
    fourth = rejoining.join_again(again_lost, joining.Owner(uuid.uuid4()))
    assert (third.place, fourth.place) == (None, third.pk)
    lost_by_us(last := _fresh(fourth))
    assert rejoining.join_again(last, joining.Owner(uuid.uuid4())).place is None
    assert other.pk < third.pk


def _fresh(entry: Entry) -> Entry:
    return Entry.objects.get(pk=entry.pk)


@pytest.mark.parametrize("end", ["leave", "fail", "crash"])
def test_other_ends_give_no_place_back(join: Join, end: str) -> None:
    entry = join()
    if end == "leave":
        ending.leave(entry)
    else:
        entry.start("w")
        entry.fail(Reason.ERROR if end == "fail" else Reason.CRASHED)
    assert rejoining.join_again(entry, joining.Owner(uuid.uuid4())).place is None


def test_a_restored_successor_has_the_old_place(keeper: Keeper, join: Join, line: Line, valkey: redis.Redis) -> None:
    lost, other = join("lost"), join("other")
    lost_by_us(lost)
    again = rejoining.join_again(lost, joining.Owner(uuid.uuid4()))
    joining.look(again, 60)
    valkey.flushall()
    keeper.round()
    end_pause(keeper)
    keeper.round()
    places = [*line.ids(), *line.held_ids()]
    assert places == [again.job_id, other.job_id]


@pytest.mark.django_db(transaction=True)
def test_the_page_says_that_the_place_is_kept() -> None:
    visitor = Visitor()
    entry = visitor.join()
    lost_by_us(entry)
    page = visitor.client.get(url(entry)).content.decode()
    assert "are back in your place" in page
    answer = visitor.client.post(url(entry, "again/"))
    new = Entry.objects.exclude(pk=entry.pk).get()
    assert answer["Location"] == url(new)
    assert new.place == entry.pk
    assert "are back in your place" not in visitor.client.get(url(entry)).content.decode()
