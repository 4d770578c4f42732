"""A record that cannot be applied does not delay other entities, and none of its effects is lost."""

import pytest

from events.log import Record, TopicPartition
from runtime.dead_letter_policy import MOST, WINDOW, CannotApply, TooManyDeadLetters
from stores.dead_letters import Counts, DeadLetter
from stores.sink import StoreUnavailable
from tests.projections.setting_aside import ADA, BOB, CAROL, GRAPH, Refusing, World

CAUSE = "Refusing: not this one"


async def test_a_handler_that_fails_for_one_account_holds_back_that_account_alone() -> None:
    world = World()
    first = world.log.follow(BOB)
    world.log.follow(ADA)
    world.log.follow(ADA)
    last = world.log.follow(CAROL)
    world.fail_for(ADA)
    await world.project()
    assert world.sink.rows == world.ids(first, last)
    assert world.sink.reached == {GRAPH: 4}
    assert await world.pages() == [(1, CAUSE), (2, "")]
    assert world.sink.ids.keys() == {("graph", BOB), ("graph", CAROL)}


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
async def test_what_comes_later_is_held_back_in_whatever_batches_it_comes(limit: int) -> None:
    world = World()
    before = world.log.follow(ADA)
    failing = world.log.follow(ADA)
    others = [world.log.follow(account) for account in (BOB, ADA, CAROL, ADA)]
    world.projector.fails = lambda event, about: about.id == failing.about.id
    await world.project(limit)
    assert world.sink.rows == world.ids(before, others[0], others[2])
    assert await world.pages() == [(1, CAUSE), (3, ""), (5, "")]


async def test_what_cannot_be_read_is_set_aside_with_its_fault_and_one_without_a_key_holds_nothing_back() -> None:
    world = World()
    world.log.unreadable(ADA)
    world.log.unreadable("", "no key")
    world.log.follow(ADA)
    good = world.log.follow(BOB)
    await world.project()
    assert world.sink.rows == world.ids(good)
    assert await world.pages() == [(0, "UnreadableEvent: no JSON"), (1, "no key"), (2, "")]
    [faulty, _, held] = await world.letters.page()
    assert (faulty.event_id, faulty.attempts, held.event_id) == ("", 1, world.log.records[2].about.id)


@pytest.mark.parametrize("refused", range(7))
async def test_a_record_that_a_store_refuses_is_found_by_halving_the_batch(refused: int) -> None:
    world = World()
    records = [world.log.follow(account) for account in (ADA, BOB, CAROL, ADA, BOB, CAROL, ADA)]
    bad = records[refused]
    world.sink.refuses = lambda rows: Refusing("too long") if bad.about.id in rows else None
    await world.project()
    behind = [r for r in records if r.key == bad.key and r.offset > bad.offset]
    assert await world.pages() == [(bad.offset, "Refusing: too long"), *((r.offset, "") for r in behind)]
    assert world.sink.rows == world.ids(*(r for r in records if r is not bad and r not in behind))
    assert world.sink.reached == {GRAPH: 7}


async def test_a_store_that_is_unavailable_sets_nothing_aside() -> None:
    world = World()
    world.log.follow(ADA)
    world.sink.refuses = lambda rows: StoreUnavailable("unavailable")
    with pytest.raises(StoreUnavailable):
        await world.project()
    assert await world.pages() == []
    world.sink.refuses = lambda rows: None
    assert await world.project() == 1


async def test_a_derived_event_whose_handler_fails_sets_its_source_aside() -> None:
    world = World(streams=True)
    follows = [world.log.follow(account, other) for account, other in ((ADA, BOB), (BOB, CAROL), (CAROL, ADA))]
    world.projector.fails = lambda event, about: getattr(event, "recipient", None) == CAROL
    await world.project()
    assert world.sink.rows == world.ids(follows[0], follows[2])
    assert await world.pages() == [(1, f"Refusing: not for {CAROL}")]


async def test_copies_of_what_is_set_aside_or_was_applied_add_no_letter() -> None:
    world = World()
    applied = world.log.follow(ADA)
    failing = world.log.follow(ADA)
    held = world.log.follow(ADA)
    for record in (failing, applied, held, failing):
        world.log.again(record)
    world.projector.fails = lambda event, about: about.id == failing.about.id
    await world.project(2)
    assert await world.pages() == [(1, CAUSE), (2, "")]
    world.start()
    world.log.again(failing)
    await world.project()
    assert await world.pages() == [(1, CAUSE), (2, "")]


async def test_killed_between_letter_and_position_the_same_records_come_again_and_nothing_changes() -> None:
    world = World()
    before = world.log.follow(ADA)
    failing = world.log.follow(ADA)
    held = world.log.follow(ADA)
    other = world.log.follow(BOB)
    world.projector.fails = lambda event, about: about.id == failing.about.id
    kill = KeyboardInterrupt("kill -9")
    world.sink.refuses = lambda rows: kill if rows == world.ids(before, other) else None
    with pytest.raises(KeyboardInterrupt):
        await world.project()
    assert await world.pages() == [(1, CAUSE), (2, "")]
    assert world.sink.reached == {}
    world.sink.refuses = lambda rows: None
    world.start()
    await world.project()
    assert world.sink.rows == world.ids(before, other)
    assert await world.pages() == [(1, CAUSE), (2, "")]
    retried = await world.group.retry(await world.letters.page(), world.log.at)
    assert (retried.applied, world.sink.rows[-2:]) == (2, world.ids(failing, held))


# Retrying


async def test_what_fails_for_a_while_is_mended_by_a_retry_and_what_was_held_back_follows_in_order() -> None:
    world = World()
    own = [world.log.follow(ADA) for _ in range(5)]
    world.fail_for(ADA)
    await world.project()
    [letter, *_] = await world.letters.page()
    failed = await world.group.retry([letter], world.log.at)
    assert (failed.applied, failed.left) == (0, 5)
    assert [(a.cause, a.attempts) for a in await world.letters.page()] == [(CAUSE, 2), *[("", 0)] * 4]
    world.mend()
    done = await world.group.retry([letter], world.log.at)
    assert (done.applied, done.left) == (5, 0)
    assert world.sink.rows == world.ids(*own)
    assert await world.pages() == []
    after = world.log.follow(ADA)
    await world.project()
    assert world.sink.rows[-1] == after.about.id


async def test_a_retry_stops_at_what_fails_on_and_leaves_the_rest_behind_it() -> None:
    world = World()
    own = [world.log.follow(ADA) for _ in range(5)]
    world.fail_for(ADA)
    await world.project()
    world.projector.fails = lambda event, about: about.id == own[3].about.id
    retried = await world.group.retry(await world.letters.page(), world.log.at)
    assert (retried.applied, retried.left) == (3, 2)
    assert await world.pages() == [(3, CAUSE), (4, "")]
    world.log.follow(ADA)
    await world.project()
    assert world.sink.rows == world.ids(*own[:3])


async def one_given_up() -> tuple[World, Record, Record, DeadLetter]:
    """Return a world with a failing record, one held back behind it, and a discard of the first one in the log."""
    world = World()
    bad, good = world.log.follow(ADA), world.log.follow(ADA)
    world.projector.fails = lambda event, about: about.id == bad.about.id
    await world.project()
    [letter, _] = await world.letters.page()
    world.group.discarded.add(letter.position, letter.event_id)
    return world, bad, good, letter


async def test_a_discarded_record_lets_what_it_held_back_go_and_is_skipped_when_it_comes_again() -> None:
    world, bad, good, letter = await one_given_up()
    dropped = await world.group.discard([letter], world.log.at)
    assert (dropped.applied, dropped.left) == (1, 0)
    assert world.sink.rows == world.ids(good)
    world.log.again(bad)
    await world.project()
    world.sink.reached.clear()
    await world.project()
    assert world.sink.rows == world.ids(good)
    assert await world.pages() == []


async def test_a_discard_that_is_broken_off_can_be_asked_for_again() -> None:
    world, _, good, letter = await one_given_up()

    async def unavailable(place: TopicPartition, offset: int) -> None:
        raise StoreUnavailable("unavailable")

    with pytest.raises(StoreUnavailable):
        await world.group.discard([letter], unavailable)
    assert await world.pages() == [(0, CAUSE), (1, "")]
    await world.group.discard([letter], world.log.at)
    assert world.sink.rows == world.ids(good)
    assert await world.pages() == []


async def test_a_held_back_record_can_be_discarded_and_what_failed_stays() -> None:
    world = World()
    for _ in range(3):
        world.log.follow(ADA)
    world.fail_for(ADA)
    await world.project()
    [_, held, _] = await world.letters.page()
    dropped = await world.group.discard([held], world.log.at)
    assert dropped.applied == 0
    assert await world.pages() == [(0, CAUSE), (2, "")]


async def test_a_good_copy_behind_an_unreadable_one_is_applied_once_that_is_discarded() -> None:
    world = World()
    broken = world.log.unreadable(ADA)
    good = world.log.follow(ADA, id_=broken.about.id)
    await world.project()
    assert await world.pages() == [(0, "UnreadableEvent: no JSON"), (1, "")]
    [letter, _] = await world.letters.page()
    world.group.discarded.add(letter.position, letter.event_id)
    await world.group.discard([letter], world.log.at)
    assert world.sink.rows == world.ids(good)


# Too much


async def test_a_handler_that_fails_for_all_stops_the_group_at_the_eleventh_and_a_restart_sets_no_more_aside() -> None:
    world = World()
    for _ in range(20):
        world.log.follow(ADA)
        world.log.follow(BOB)
    accounts = [world.log.add(None, f"key {n}", fault="damaged") for n in range(20)]
    for _ in range(3):
        with pytest.raises(
            TooManyDeadLetters, match=rf"serving stopped at graph-0@{accounts[MOST].offset} .*: damaged"
        ):
            await world.project()
        assert await world.letters.counts() == Counts(MOST, MOST)
        world.start()


async def test_few_failures_in_many_records_go_on_and_on() -> None:
    world = World()
    for n in range(3):
        for m in range(MOST):
            world.log.unreadable(f"{n} {m}")
        for _ in range(WINDOW + 1000):  # a failure is as new as the batch it came in
            world.log.follow(BOB)
    await world.project()
    assert await world.letters.counts() == Counts(3 * MOST, 3 * MOST)


async def test_failures_that_were_mended_count_no_more() -> None:
    world = World()
    keys = [f"key {n}" for n in range(MOST)]
    for key in keys:
        world.log.unreadable(key)
    await world.project()
    await world.group.discard(await world.letters.page(), world.log.at)
    for key in keys:
        world.log.unreadable(key)
    await world.project()
    assert await world.letters.counts() == Counts(MOST, MOST)


# Where nothing may be set aside


async def test_a_rebuild_stops_at_what_it_cannot_read_or_apply_and_says_where_and_what_to_do() -> None:
    world = World(letters=False)
    world.log.follow(BOB)
    bad = world.log.unreadable(ADA)
    with pytest.raises(CannotApply, match=r"graph-0@1 .*no JSON.*dead-letters discard graph-0@1 --group serving"):
        await world.project()
    world.group.discarded.add(bad.position, "")
    failing = world.log.follow(CAROL)
    world.fail_for(CAROL)
    with pytest.raises(CannotApply, match="graph-0@2 AccountFollowed cannot be applied: Refusing: not this one"):
        await world.project()
    world.group.discarded.add(failing.position, failing.about.id)
    await world.project()
    assert len(world.sink.rows) == 1


async def test_a_rebuild_names_the_record_that_a_store_refuses() -> None:
    world = World(letters=False)
    records = [world.log.follow(account) for account in (ADA, BOB, CAROL, ADA, BOB)]
    world.sink.refuses = lambda rows: Refusing("too long") if records[3].about.id in rows else None
    with pytest.raises(CannotApply, match="graph-0@3"):
        await world.project()
