"""Fan-out of what was set aside: it is retried after the positions have passed it, and notes nothing of them."""

from __future__ import annotations

from events.log import Positions, Record, positions_after

from .places import InMemory
from .world import PLACES


async def applied(place: InMemory, records: list[Record], reached: Positions) -> None:
    """Apply a batch as a group does."""
    worker = place.fan_out()
    await worker.resume(PLACES)
    worker.begin()
    for record in records:
        assert record.event is not None
        worker.applying(record)
        worker.handle(record.event, record.about)
    await worker.commit(reached)


def test_a_tweet_that_is_retried_is_pushed_though_its_position_has_passed_and_no_position_moves() -> None:
    place = InMemory(4)
    place.follow(1, 0)
    place.follow(2, 0)
    place.commit()
    first, second = place.post(0), place.post(0, 1)
    other = place.post(3)
    records = place.records()
    place.applied = positions_after(records, place.applied)
    aside = [record for record in records if record.key == place.accounts[0]]
    place.run(applied(place, [record for record in records if record not in aside], place.applied))
    assert place.rows(1) == []
    assert place.rows(3) == [other]
    before = place.run(place.home.progress(PLACES))
    for _ in range(2):
        place.run(applied(place, aside, Positions()))
    assert place.rows(0) == place.rows(1) == place.rows(2) == [second, first]
    assert place.run(place.home.progress(PLACES)) == before


def test_a_follow_that_is_retried_brings_what_was_posted_before() -> None:
    place = InMemory(4)
    tweet = place.post(0)
    place.commit()
    place.follow(1, 0)
    aside = place.records()
    place.applied = positions_after(aside, place.applied)
    place.run(applied(place, [], place.applied))
    later = place.post(0, 1)
    place.commit()
    assert place.rows(1) == []
    place.run(applied(place, aside, Positions()))
    assert place.rows(1) == [later, tweet]


def test_a_batch_below_the_stored_positions_moves_none_back() -> None:
    place = InMemory(2)
    place.post(0)
    place.commit()
    before = place.run(place.home.progress(PLACES))
    place.run(applied(place, [], Positions(dict.fromkeys(PLACES, 0))))
    assert place.run(place.home.progress(PLACES)) == before
