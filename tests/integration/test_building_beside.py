"""The batch runner and its comparison of derived topics, in memory: start and end positions, and equal records."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from events.event import Envelope
from events.ids import EventId, HybridClock, Millis
from events.log import CorruptLog, Positions, Record, TopicPartition
from events.publishing import Outgoing
from events.retries import Backoff
from runtime.distributed.rebuild import batch_runner
from runtime.distributed.rebuild.batch_runner import GroupBuild, build
from runtime.distributed.rebuild.derived_topics import DerivedTopics
from stores.sink import StoreUnavailable
from tests.integration.distributed_models import community
from tests.stores.redis_counting import Log

IDS = HybridClock()


class Noted:
    """A group that notes its records."""

    def __init__(self, name: str, *topics: str, unavailable: int = 0) -> None:
        self.name, self.topics, self.unavailable = name, frozenset(topics), unavailable
        self.given: list[tuple[TopicPartition, int]] = []

    async def positions(self) -> Positions:
        return Positions()

    async def apply(self, records: Sequence[Record], positions: Positions) -> None:
        if self.unavailable:
            self.unavailable -= 1
            raise StoreUnavailable("unavailable")
        self.given += [(r.place, r.offset) for r in records]

    async def close(self) -> None:
        pass


@pytest.fixture
def log() -> Log:
    made = Log(community().records)
    made.open = 1.0
    return made


async def test_each_group_gets_its_topics_up_to_its_positions_once_and_in_order(log: Log) -> None:
    ends = await log.ends()
    until = {"graph": ends, "both": Positions({place: end // 2 for place, end in ends.items()})}
    noted = Noted("graph", "graph"), Noted("both", "tweets", "graph")
    one, both = (GroupBuild(group) for group in noted)
    applied = await build(log, [one, both], until, limit=7)
    for made, group in zip((one, both), noted, strict=True):
        wanted = made.goal(until[made.name])
        expected = [(place, offset) for place, end in wanted.items() for offset in range(end)]
        assert sorted(group.given) == sorted(expected)
        assert all([o for p, o in group.given if p == place] == list(range(end)) for place, end in wanted.items())
        assert made.reached == wanted
    assert applied == sum(len(group.given) for group in noted)


async def test_each_group_continues_from_its_own_positions(log: Log) -> None:
    ends = await log.ends()
    half = Positions({place: end // 2 for place, end in ends.items()})
    first, second = Noted("ahead", "tweets"), Noted("behind", "tweets")
    ahead, behind = GroupBuild(first), GroupBuild(second)
    await build(log, [ahead], {"ahead": half})
    await build(log, [ahead, behind], {"ahead": ends, "behind": ends})
    assert sorted(first.given) == sorted(second.given)
    assert len(first.given) == len(set(first.given)) > 0


async def test_a_log_that_ends_before_the_positions_is_reported(log: Log) -> None:
    with pytest.raises(CorruptLog, match="one should come further"):
        await build(log, [GroupBuild(Noted("one", "tweets"))], {"one": Positions({TopicPartition("tweets", 0): 10**6})})


async def test_a_store_is_retried_for_a_while_when_it_is_unavailable(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_runner, "STORE_UNAVAILABLE", Backoff((0.0, 0.0), repeats=False))
    ends = await log.ends()
    short, long = (
        GroupBuild(Noted("short", "tweets", unavailable=2)),
        GroupBuild(Noted("long", "tweets", unavailable=3)),
    )
    await build(log, [short], {"short": ends})
    assert short.reached == short.goal(ends)
    with pytest.raises(StoreUnavailable):
        await build(log, [long], {"long": ends})


def said(topic: str, key: str, value: bytes, *, type_: str = "Something") -> Outgoing:
    return Outgoing(topic, key, type_, 1, value, Envelope(EventId(IDS.issue()), Millis(0)))


@pytest.fixture
def sides(tmp_path: Path) -> Iterator[tuple[DerivedTopics, DerivedTopics]]:
    made = DerivedTopics(tmp_path / "one.db"), DerivedTopics(tmp_path / "other.db")
    yield made
    for side in made:
        side.close()


def test_copies_make_no_difference_and_other_records_do(sides: tuple[DerivedTopics, DerivedTopics]) -> None:
    one, other = sides
    first, second = said("sentiment", "a", b"1"), said("sentiment", "a", b"2")
    one.add([first, second])
    other.add([second, first, second])
    assert one.digest("sentiment") == other.digest("sentiment")
    other.add([said("sentiment", "a", b"2")])
    assert other.digest("sentiment")[0] == 3


def test_of_a_compacted_topic_the_last_record_of_a_key_counts_and_a_tombstone_is_nothing(
    sides: tuple[DerivedTopics, DerivedTopics],
) -> None:
    one, other = sides
    kept = said("public-tweets", "a", b"2")
    one.add([said("public-tweets", "a", b"1"), kept, said("public-tweets", "b", b"1")])
    one.add([said("public-tweets", "b", b"", type_="TweetRetracted")])
    other.add([kept])
    assert one.digest("public-tweets") == other.digest("public-tweets")
    assert one.digest("public-tweets")[0] == 1


def test_of_trends_the_newest_ranking_of_a_window_counts_however_often_it_was_ranked(
    sides: tuple[DerivedTopics, DerivedTopics],
) -> None:
    one, other = sides
    early, late = said("trends", "1h/x", b'{"items":[1]}'), said("trends", "1h/x", b'{"items":[2]}')
    one.add([early, late])
    other.add([late, early, said("trends", "1h/x", b'{"items":[2]}')])
    assert one.digest("trends") == other.digest("trends")
    one.add([said("trends", "1h/x", b'{"items":[]}')])
    assert one.digest("trends")[0] == 0
