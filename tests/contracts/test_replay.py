"""A replay of either log: what is chosen, each event once, in the order of the log and at the chosen pace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import pytest

from events.ids import Millis
from events.log import EventLog, Positions, Record, TopicPartition
from runtime.replay import Pace, Wanted, replay
from tests.contracts.embedded import START
from tests.contracts.exports import DAY_MS, fill
from tests.contracts.exports import log as log
from tests.contracts.exports import make_log as make_log
from tests.contracts.exports import system as system
from tests.contracts.logged import LogSystem, everything


class Clock:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class Heard:
    """The replayed events, and when each came."""

    def __init__(self, clock: Clock, fails_at: int = -1) -> None:
        self._clock = clock
        self._fails_at = fails_at
        self.records: list[Record] = []
        self.at: list[float] = []

    async def __call__(self, record: Record) -> None:
        if len(self.records) == self._fails_at:
            raise ValueError("not this one")
        self.records.append(record)
        self.at.append(self._clock())

    @property
    def positions(self) -> list[str]:
        return [record.position for record in self.records]


async def replayed(system: LogSystem, wanted: Wanted) -> Heard:
    clock = Clock()
    heard = Heard(clock)
    number = await replay(system.elsewhere(), wanted, heard, Pace(wanted.speed, clock, clock.sleep), Positions())
    assert number == len(heard.records)
    return heard


def positions_of(records: Sequence[Record]) -> list[str]:
    return sorted(record.position for record in records)


async def test_all_events_are_replayed_once_in_the_order_of_the_log(system: LogSystem, log: EventLog) -> None:
    await fill(system)
    heard = await replayed(system, Wanted(Positions(), await log.ends()))
    assert sorted(heard.positions) == positions_of(await everything(log))
    for place in {record.place for record in heard.records}:
        offsets = [record.offset for record in heard.records if record.place == place]
        assert offsets == sorted(offsets)
    assert set(heard.at) == {0.0}


async def test_topics_types_positions_and_times_choose(system: LogSystem, log: EventLog) -> None:
    await fill(system)
    records, ends = await everything(log), await log.ends()
    middle = Millis(START + DAY_MS // 2)
    one = TopicPartition("graph", 0)
    for wanted, chosen in (
        (Wanted(Positions(), ends, topics=("graph",)), [r for r in records if r.topic == "graph"]),
        (Wanted(Positions(), ends, types=("TweetPosted",)), [r for r in records if r.type == "TweetPosted"]),
        (Wanted(Positions({one: 2}), ends), [r for r in records if r.place != one or r.offset >= 2]),
        (Wanted(Positions(), Positions({**ends, one: 1})), [r for r in records if r.place != one or r.offset < 1]),
        (Wanted(Positions(), ends, since=middle), [r for r in records if r.about.time >= middle]),
        (Wanted(Positions(), ends, until=middle), [r for r in records if r.about.time < middle]),
    ):
        assert chosen
        assert sorted((await replayed(system, wanted)).positions) == positions_of(chosen), wanted


async def test_events_come_as_far_apart_as_they_happened_by_the_speed(system: LogSystem, log: EventLog) -> None:
    await fill(system)
    heard = await replayed(system, Wanted(Positions(), await log.ends(), ("tweets",), speed=3600.0))
    times = [record.about.time for record in heard.records]
    latest = [max(times[: n + 1]) for n in range(len(times))]
    assert heard.at == pytest.approx([(time - times[0]) / 1000 / 3600 for time in latest])
    assert heard.at[-1] == pytest.approx((max(times) - times[0]) / 1000 / 3600)
    assert all(before <= after for before, after in pairwise(heard.at))


async def test_a_replay_that_fails_has_reached_the_event_that_failed(system: LogSystem, log: EventLog) -> None:
    await fill(system)
    ends, reached, clock = await log.ends(), Positions(), Clock()
    wanted, first = Wanted(Positions(), ends), Heard(clock, fails_at=10)
    with pytest.raises(ValueError, match="not this one"):
        await replay(system.elsewhere(), wanted, first, Pace(math.inf, clock, clock.sleep), reached)
    rest = await replayed(system, Wanted(reached, ends))
    assert sorted(first.positions + rest.positions) == positions_of(await everything(log))
