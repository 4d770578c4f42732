"""Positions of stores in a query process: announced by workers, and polled in between."""

import asyncio
from collections.abc import Collection

import pytest

from events.consistency_token import ConsistencyToken
from events.log import LogUnavailable, Positions, TopicPartition
from runtime.distributed.consistency.position_sources import PositionSource
from runtime.distributed.consistency.read_positions import ReadPositions
from runtime.lag import BEHIND_S
from stores.dead_letters import Counts
from stores.redis.advances import MOST_OUTDATED, Advance
from stores.sink import StoreUnavailable

TWEETS = TopicPartition("tweets", 0)
GRAPH = TopicPartition("graph", 0)


class Stores:
    """Two groups: `lists` reads tweets and the graph, `counts` reads tweets only."""

    def __init__(self) -> None:
        self.at = {"lists": Positions(), "counts": Positions()}
        self.lost: set[str] = set()
        self.unavailable: set[str] = set()
        self.ends = Positions()
        self.log_unavailable = False
        self.hears = True
        self.now = 100.0
        self.outdated: list[tuple[str, Collection[str] | None]] = []
        self.letters: dict[str, Counts] = {}
        self.letters_unavailable = False
        self.positions = ReadPositions(
            {
                "lists": PositionSource(frozenset({"tweets", "graph"}), lambda: self._ask("lists"), _nothing),
                "counts": PositionSource(frozenset({"tweets"}), lambda: self._ask("counts"), _nothing),
            },
            groups_of=lambda reads: reads,
            locate=self._locate,
            ends=self._ends,
            hears=lambda: self.hears,
            letters=self._letters,
            workers=_no_workers,
            timer=lambda: self.now,
        )
        self.positions.on_outdated = lambda group, ids: self.outdated.append((group, ids))

    async def _ask(self, group: str) -> tuple[Positions, bool]:
        if group in self.unavailable:
            raise StoreUnavailable("unavailable")
        return Positions(self.at[group]), group in self.lost

    async def _ends(self) -> Positions:
        if self.log_unavailable:
            raise LogUnavailable("unavailable")
        return self.ends

    async def _letters(self) -> dict[str, Counts]:
        if self.letters_unavailable:
            raise StoreUnavailable("unavailable")
        return self.letters

    async def _locate(self, token: ConsistencyToken, timeout: float) -> Positions:
        return token.positions


async def _nothing() -> None:
    pass


async def _no_workers() -> dict[str, int]:
    return {}


@pytest.fixture
def stores() -> Stores:
    return Stores()


def told(start: int, end: int, *outdated: str) -> Advance:
    return Advance(Positions({TWEETS: start}), Positions({TWEETS: end}), set(outdated))


async def test_a_read_waits_only_for_its_groups_and_their_topics(stores: Stores) -> None:
    wanted = Positions({TWEETS: 3, TopicPartition("personal", 0): 9})
    reading = asyncio.ensure_future(stores.positions.wait_for(ConsistencyToken(wanted), 5, ("lists",)))
    await asyncio.sleep(0)
    stores.positions.announced("counts", told(0, 3))
    await asyncio.sleep(0)
    assert not reading.done()
    stores.positions.announced("lists", told(0, 3))
    assert await reading is True
    assert await stores.positions.wait_for(ConsistencyToken(wanted), 0, ()) is True
    assert await stores.positions.wait_for(ConsistencyToken(Positions({GRAPH: 1})), 0.001, ("lists",)) is False


async def test_announced_cache_keys_are_invalidated_before_a_read_continues(stores: Stores) -> None:
    seen = []
    reading = asyncio.ensure_future(stores.positions.wait_for(ConsistencyToken(Positions({TWEETS: 1})), 5, ("lists",)))
    reading.add_done_callback(lambda _: seen.append(list(stores.outdated)))
    await asyncio.sleep(0)
    stores.positions.announced("lists", told(0, 1, "an id"))
    await reading
    await asyncio.sleep(0)
    assert seen == [[("lists", {"an id"})]]


async def test_a_gap_between_announcements_invalidates_all_cache_keys_of_the_group(stores: Stores) -> None:
    stores.positions.announced("lists", told(0, 5))
    stores.positions.announced("lists", told(7, 9, "an id"))
    assert stores.outdated == [("lists", set()), ("lists", None)]


async def test_a_position_without_an_announcement_is_taken_at_the_second_poll(stores: Stores) -> None:
    stores.positions.announced("lists", told(0, 5))
    stores.at["lists"] = Positions({TWEETS: 8})
    await stores.positions.poll_stores()
    assert stores.positions.applied("lists") == Positions({TWEETS: 5})
    assert ("lists", None) not in stores.outdated
    await stores.positions.poll_stores()
    assert stores.positions.applied("lists") == Positions({TWEETS: 8})
    assert stores.outdated[-1] == ("lists", None)


async def test_an_announcement_between_two_polls_invalidates_its_own_keys_only(stores: Stores) -> None:
    stores.at["lists"] = Positions({TWEETS: 8})
    await stores.positions.poll_stores()
    stores.positions.announced("lists", told(0, 8, "an id"))
    await stores.positions.poll_stores()
    assert [ids for group, ids in stores.outdated if group == "lists"] == [{"an id"}]


async def test_without_announcements_a_poll_is_enough(stores: Stores) -> None:
    stores.hears = False
    stores.at["lists"] = Positions({TWEETS: 8})
    await stores.positions.poll_stores()
    assert stores.positions.applied("lists") == Positions({TWEETS: 8})
    assert stores.outdated == [("lists", None)]


async def test_an_emptied_store_has_the_positions_that_it_reports(stores: Stores) -> None:
    stores.positions.announced("counts", told(0, 8))
    stores.at["counts"] = Positions({TWEETS: 2})
    await stores.positions.poll_stores()  # what was told before this look may be as old as what was lost
    assert stores.positions.applied("counts") == Positions({TWEETS: 2})


async def test_a_store_that_goes_back_invalidates_all_cache_keys_of_its_group(stores: Stores) -> None:
    stores.at["lists"] = Positions({TWEETS: 8})
    await stores.positions.poll_stores()
    await stores.positions.poll_stores()
    stores.outdated.clear()
    stores.at["lists"] = Positions({TWEETS: 2})
    await stores.positions.poll_stores()
    assert stores.outdated == [("lists", None)]
    await stores.positions.poll_stores()
    assert stores.outdated == [("lists", None)]


async def test_a_store_that_is_unavailable_or_lost_rows_is_behind_until_the_next_good_poll(stores: Stores) -> None:
    await stores.positions.poll_stores()
    assert not stores.positions.behind(("lists",))
    stores.unavailable.add("counts")
    await stores.positions.poll_stores()
    assert stores.positions.unavailable("counts")
    assert stores.positions.behind(("lists", "counts"))
    assert not stores.positions.behind(("lists",))
    stores.unavailable.clear()
    stores.lost.add("counts")
    await stores.positions.poll_stores()
    assert stores.positions.behind(("lists", "counts"))
    assert not stores.positions.unavailable("counts")
    stores.lost.clear()
    await stores.positions.poll_stores()
    assert not stores.positions.behind(("lists", "counts"))


async def test_a_group_that_lacks_old_events_is_behind(stores: Stores) -> None:
    await stores.positions.poll_log()
    stores.ends = Positions({TWEETS: 4})
    await stores.positions.poll_log()
    await stores.positions.poll_stores()
    assert not stores.positions.behind(("lists", "counts"))
    stores.now += BEHIND_S + 1
    stores.log_unavailable = True  # what was noted stays
    await stores.positions.poll_log()
    await stores.positions.poll_stores()
    assert stores.positions.behind(("lists", "counts"))
    stores.hears = False
    stores.at = dict.fromkeys(stores.at, Positions({TWEETS: 4}))
    await stores.positions.poll_stores()
    assert not stores.positions.behind(("lists", "counts"))


async def test_the_number_of_dead_letters_is_kept_while_their_store_is_unavailable(stores: Stores) -> None:
    assert stores.positions.group("lists").letters is None
    stores.letters = {"lists": Counts(1, 2), "counts": Counts(0, 0)}
    await stores.positions.poll_letters()
    stores.letters_unavailable = True
    await stores.positions.poll_letters()
    assert {group: stores.positions.group(group).letters for group in stores.letters} == stores.letters


async def test_the_end_of_the_log_is_read_or_the_error_is_kept(stores: Stores) -> None:
    stores.log_unavailable = True
    await stores.positions.poll_log()
    assert stores.positions.log_detail == "unavailable"
    stores.log_unavailable = False
    await stores.positions.poll_log()
    assert stores.positions.log_detail == ""


def test_announcements_are_encoded_decoded_and_merged() -> None:
    advance = Advance(Positions({TWEETS: 3}), Positions({TWEETS: 9, GRAPH: 1}), {"one", "two"})
    assert Advance.of(advance.message("lists")) == ("lists", advance)
    later = Advance(Positions({TWEETS: 9}), Positions({TWEETS: 12}), {"three"})
    both = advance.followed_by(later)
    assert both == Advance(Positions({TWEETS: 3}), Positions({TWEETS: 12, GRAPH: 1}), {"one", "two", "three"})
    many = Advance(Positions(), Positions({TWEETS: 9}), {str(n) for n in range(MOST_OUTDATED + 1)})
    assert Advance.of(many.message("lists")) == ("lists", Advance(Positions(), Positions({TWEETS: 9}), None))
