"""All unreadable records are found at once, so that a stopped group can continue behind them."""

from collections.abc import Collection

import pytest

from events.event import BY_CLASS
from events.log import Positions, Record
from runtime.dead_letter_policy import MOST, TooManyDeadLetters
from runtime.discards import Discards
from runtime.unreadable_records import Standing, UnreadableRecords, find_unreadable
from stores.dead_letters import Counts, all_letters
from tests.projections.setting_aside import ADA, BOB, GRAPH, World

UNREADABLE = 3 * MOST


def broken(world: World, number: int = UNREADABLE) -> list[Record]:
    """Return records of a broken producer, each with a key of its own."""
    return [world.log.unreadable(f"key {n}", "UnreadableEvent: no JSON") for n in range(number)]


async def standing(world: World) -> Standing:
    assert world.letters is not None
    return Standing(frozenset({"graph"}), await world.sink.positions(), await all_letters(world.letters))


def discard_in_log(world: World, discards: Discards) -> None:
    """Append discards, as groups read them from the log."""
    for place, offset in discards.of("serving").places():
        world.group.discarded.add(f"{place}@{offset}", "")


async def test_a_group_that_stopped_goes_on_past_all_that_nobody_can_read_once_it_is_given_up() -> None:
    world = World()
    records, good = broken(world), world.log.follow(BOB)
    with pytest.raises(TooManyDeadLetters, match="dead-letters discard --unreadable"):
        await world.project()
    found = await find_unreadable(world.log, {"serving": await standing(world)})
    assert (len(found), found.by_group()) == (UNREADABLE, {"serving": UNREADABLE})
    assert {one.position for one in found.discards()} == {record.position for record in records}
    discards = Discards()
    for one in found.discards():
        discards.take(one)
    world.start()
    discard_in_log(world, discards)
    await world.project()
    assert world.sink.rows == world.ids(good)
    assert await world.letters.counts() == Counts(MOST, MOST)  # no others were added, and these are to be dropped
    await world.group.discard(await world.letters.page(), world.log.at)
    assert await world.pages() == []


async def test_letters_that_are_discarded_and_not_dropped_yet_stop_no_group_that_starts() -> None:
    world = World()
    broken(world, MOST)
    await world.project()
    for letter in await world.letters.page():
        world.group.discarded.add(letter.position, "")
    discarded = world.group.discarded
    world.start()
    world.group.set_aside(world.letters, discarded)
    world.log.unreadable(ADA)
    await world.project()
    assert await world.letters.counts() == Counts(MOST + 1, MOST + 1)


async def test_what_can_be_read_is_never_found_whatever_its_handler_says() -> None:
    world = World()
    bad = world.log.unreadable(BOB)
    world.log.follow(ADA)
    held_back = world.log.follow(BOB)
    world.fail_for(ADA)
    await world.project()
    found = await find_unreadable(world.log, {"serving": await standing(world)})
    assert [one.position for one in found.discards()] == [bad.position]
    world.log.records[0] = held_back  # a newer version of the software can read it
    assert not await find_unreadable(world.log, {"serving": await standing(world)})


async def test_each_group_gives_up_what_it_would_meet_and_no_other() -> None:
    world = World()
    records = broken(world, 4)
    groups = {
        "behind": Standing(frozenset({"graph"}), Positions({GRAPH: 1}), []),
        "ahead": Standing(frozenset({"graph", "tweets"}), Positions({GRAPH: 3}), []),
        "elsewhere": Standing(frozenset({"tweets"}), Positions(), []),
    }
    told = []
    found = await find_unreadable(world.log, groups, lambda read, of: told.append((read, of)))
    assert found.by_group() == {"ahead": 1, "behind": 3}
    assert [(one.position, one.group) for one in found.discards()][-2:] == [
        (records[3].position, "ahead"),
        (records[3].position, "behind"),
    ]
    assert (told[0], told[-1]) == ((0, 3), (3, 3))


async def test_what_is_given_up_already_is_not_found_again(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World()
    broken(world, 2)
    groups = {"serving": Standing(frozenset({"graph"}), Positions(), [])}
    first, second = (await find_unreadable(world.log, groups)).discards()
    event = BY_CLASS[type(first)]
    about = world.log.records[0].about
    record = Record("operations", 0, 0, first.position, event.name, event.version, first, about)

    async def read(after: Positions, limit: int, topics: Collection[str] = ()) -> list[Record]:
        if "operations" in topics:
            return [] if record.place in after else [record]
        return world.log.records[after.get(GRAPH, 0) :][:limit]

    monkeypatch.setattr(world.log, "read", read)
    found = await find_unreadable(world.log, groups)
    assert list(found.discards()) == [second]


async def test_they_are_told_by_topic_and_sort_of_fault_with_the_first_of_each() -> None:
    world = World()
    broken(world, 2)
    world.log.unreadable("", "its checksum differs: the row is damaged")
    found = await find_unreadable(world.log, {"serving": Standing(frozenset({"graph"}), Positions(), [])})
    assert found.kinds() == [
        UnreadableRecords("graph", 2, "graph-0@0", "UnreadableEvent: no JSON"),
        UnreadableRecords("graph", 1, "graph-0@2", "its checksum differs: the row is damaged"),
    ]
