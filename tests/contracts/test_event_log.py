"""The contract of the EventLog port, for every adapter."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from events.engagement import TweetLiked
from events.first_copies import first_copies
from events.graph import AccountFollowed
from events.ids import AccountId, Millis, id_at
from events.log import (
    EventLog,
    LogUnavailable,
    New,
    Positions,
    Record,
    TopicPartition,
    by_partition,
    lag,
    positions_after,
)
from events.sealing import KeyUnknown, SealBroken
from events.topics import LOGGED
from events.validity import InvalidEvent
from tests.contracts.embedded import Embedded
from tests.contracts.kafka_system import KafkaSystem
from tests.contracts.logged import (
    ACCOUNTS,
    TWEET,
    LogSystem,
    everything,
    followed,
    ids_of,
    new,
    posted,
    registered,
)
from tests.records import event_of

SOON = 10
"""Seconds within which a waiting reader has to wake, far more than needed."""


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.engines)])
async def make(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Callable[..., LogSystem]]:
    """Open logs of either profile, and close them after the test."""
    opened: list[LogSystem] = []

    def made(**options: Any) -> LogSystem:
        if request.param == "kafka":
            opened.append(KafkaSystem(tmp_path / "data", servers=request.getfixturevalue("kafka"), **options))
        else:
            opened.append(Embedded(tmp_path / "data", **options))
        return opened[-1]

    yield made
    for one in opened:
        one.disk.release()
        await one.close()


@pytest.fixture(params=[1, 4], ids=["1 partition", "4 partitions"])
def system(make: Callable[..., LogSystem], request: pytest.FixtureRequest) -> LogSystem:
    return make(partitions=request.param)


@pytest.fixture
def log(system: LogSystem) -> EventLog:
    return system.log


async def test_an_empty_log_has_no_records_and_ends_at_offset_zero(log: EventLog) -> None:
    assert await log.read({}, 10) == []
    assert await log.ends() == {}


@pytest.mark.parametrize("bad", ["-0000000-0000-8714-b7c3-0242ac120002", "xyz", ""])
async def test_an_event_that_no_reader_could_apply_is_not_appended(system: LogSystem, log: EventLog, bad: str) -> None:
    follow = followed(system).event
    flawed = [followed(system, followee=AccountId(bad)), followed(system, follower=AccountId(bad))]
    flawed += [new(system, follow, time=Millis(-1)), new(system, follow, id=bad)]
    for one in flawed:
        with pytest.raises(InvalidEvent):
            await log.append([followed(system), one])
    assert await everything(log) == []


async def test_an_appended_event_is_read_with_its_envelope_and_position(system: LogSystem, log: EventLog) -> None:
    about = {
        "time": Millis(1_424_300_000_123), "correlation": "request ü", "causation": "cause", "actor": ACCOUNTS[1],
        "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "source_positions": "tweets-0:7",
    }  # fmt: skip
    follow = AccountFollowed(follower=ACCOUNTS[0], followee=ACCOUNTS[1])
    appended = new(system, follow, **about)
    await log.append([appended])
    [record] = await everything(log)
    assert record.event == follow
    assert record.about == appended.about
    assert (record.topic, record.key, record.type, record.version) == ("graph", ACCOUNTS[0], "AccountFollowed", 1)
    assert record.offset == 0


async def test_sealed_fields_are_opened_for_a_reader_with_the_key(system: LogSystem, log: EventLog) -> None:
    tweet = posted(system)
    await log.append([registered(system), tweet])
    for reader in (log, system.elsewhere()):
        assert [r.event for r in await everything(reader) if r.topic == "tweets"] == [tweet.event]


async def test_every_entity_keeps_its_order_and_stays_in_one_partition(system: LogSystem, log: EventLog) -> None:
    chance = random.Random(3)
    appended = [followed(system, chance.choice(ACCOUNTS)) for _ in range(200)]
    for start in range(0, 200, 10):
        await log.append(appended[start : start + 10])
    records = await everything(log)
    for account in ACCOUNTS:
        own = [record for record in records if record.key == account]
        assert ids_of(own) == [new.about.id for new in appended if event_of(new, AccountFollowed).follower == account]
        assert len({record.place for record in own}) == 1


async def test_a_partition_has_no_gaps_and_append_returns_its_end(system: LogSystem, log: EventLog) -> None:
    for _ in range(5):
        positions = await log.append([followed(system, account) for account in ACCOUNTS])
    assert positions == await log.ends()
    for place, records in by_partition(await everything(log)).items():
        assert [record.offset for record in records] == list(range(positions[place]))


async def test_append_returns_positions_of_the_written_partitions_only(system: LogSystem, log: EventLog) -> None:
    await log.append([registered(system)])
    positions = await log.append([followed(system)])
    assert [place.topic for place in positions] == ["graph"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
async def test_reading_in_batches_of_any_size_returns_every_record_once(
    system: LogSystem, log: EventLog, limit: int
) -> None:
    chance = random.Random(limit)
    makers: list[Callable[[LogSystem, AccountId], New]] = [
        followed, posted, lambda s, a: new(s, TweetLiked(tweet=TWEET, author=a, actor=a)),
    ]  # fmt: skip
    await log.append([registered(system, account) for account in ACCOUNTS])
    appended = [chance.choice(makers)(system, chance.choice(ACCOUNTS)) for _ in range(100)]
    for item in appended:
        await log.append([item])
    records = await everything(log, limit)
    assert len({(record.place, record.offset) for record in records}) == len(records) == 108
    for place, own in by_partition(records).items():
        assert [record.offset for record in own] == list(range(len(own))), place


async def test_reading_continues_from_any_position(system: LogSystem, log: EventLog) -> None:
    await log.append([followed(system, account) for account in ACCOUNTS * 3])
    records = await everything(log)
    for taken in (1, 5, 23):
        positions = positions_after(records[:taken])
        rest = await everything(log, after=positions)
        assert {(r.place, r.offset) for r in rest} == {(r.place, r.offset) for r in records[taken:]}
        assert lag(await log.ends(), positions) == len(rest)


async def test_only_the_topics_asked_for_are_read(system: LogSystem, log: EventLog) -> None:
    await log.append([registered(system), followed(system), posted(system)])
    assert [record.topic for record in await everything(log, topics=["tweets"])] == ["tweets"]
    assert {record.topic for record in await everything(log, topics=["tweets", "graph"])} == {"tweets", "graph"}
    assert await everything(log, topics=["usage"]) == []
    assert await everything(log, topics=[]) == []


async def test_every_logged_topic_has_its_partitions(system: LogSystem, log: EventLog) -> None:
    for topic in LOGGED:
        assert await log.read({TopicPartition(topic, 0): 0}, 1) == []


async def test_an_append_that_fails_appends_nothing(system: LogSystem, log: EventLog) -> None:
    await log.append([followed(system)])
    before = await log.ends()
    with pytest.raises((KeyUnknown, SealBroken)):
        await log.append([followed(system), posted(system, ACCOUNTS[5])])  # nobody registered, so there is no key
    assert await log.ends() == before
    await log.append([followed(system)])
    assert [record.offset for record in await everything(log, topics=["graph"])] == [0, 1]


async def test_an_append_that_fails_does_not_affect_concurrent_appends(system: LogSystem, log: EventLog) -> None:
    system.disk.hold()
    first = asyncio.ensure_future(log.append([registered(system)]))
    await system.disk.waiting.wait()
    good = [asyncio.ensure_future(log.append([followed(system, account)])) for account in ACCOUNTS[:3]]
    bad = asyncio.ensure_future(log.append([followed(system), posted(system, ACCOUNTS[5])]))
    good += [asyncio.ensure_future(log.append([followed(system, account)])) for account in ACCOUNTS[3:]]
    system.disk.release()
    await first
    with pytest.raises((KeyUnknown, SealBroken)):
        await bad
    ends = [await append for append in good]
    records = await everything(log, topics=["graph"])
    assert sorted(record.key for record in records) == sorted(ACCOUNTS)
    for account, positions in zip(ACCOUNTS, ends, strict=True):
        [own] = [record for record in records if record.key == account]
        assert positions == {own.place: own.offset + 1}


async def test_records_survive_a_restart_and_appending_continues_at_the_end(
    system: LogSystem,
) -> None:
    await system.log.append([registered(system), posted(system)])
    await system.restart()
    await system.log.append([posted(system)])
    records = await everything(system.log, topics=["tweets"])
    assert [record.offset for record in records] == [0, 1]
    assert records[0].event == records[1].event


async def test_a_copy_has_its_own_position_and_is_marked_as_a_copy(system: LogSystem, log: EventLog) -> None:
    one, two, other = followed(system), followed(system), followed(system, ACCOUNTS[1])
    await log.append([one, two])
    await log.append([one, other])
    await log.append([two])
    records = await everything(log, limit=2)
    own = [record for record in records if record.key == ACCOUNTS[0]]
    assert ids_of(own) == [item.about.id for item in (one, two, one, two)]
    assert [r.offset for r in own] == sorted(r.offset for r in own)
    assert sorted(ids_of(first_copies(records, {}))) == sorted(item.about.id for item in (one, two, other))


async def test_an_erased_subjects_event_is_read_as_none_and_others_are_read(system: LogSystem, log: EventLog) -> None:
    await log.append([registered(system, account) for account in ACCOUNTS[:2]])
    await log.append([posted(system, account) for account in ACCOUNTS[:2]] + [followed(system)])
    await system.destroy_key(ACCOUNTS[0])
    for reader in (log, system.elsewhere()):
        records = await everything(reader)
        assert len(records) == 5
        gone = {(record.topic, record.key) for record in records if record.event is None}
        assert gone == {("accounts", ACCOUNTS[0]), ("tweets", ACCOUNTS[0])}


def faults(records: list[Record]) -> dict[str, str]:
    """Return the unreadable records by type, and check that they have no event."""
    faulty = [record for record in records if record.fault]
    assert not any(record.event for record in faulty)
    return {record.type: record.fault for record in faulty}


async def test_events_of_a_subject_with_an_unknown_key_are_reported_and_others_are_read(
    system: LogSystem, log: EventLog
) -> None:
    await log.append([registered(system), posted(system), followed(system)])
    await system.lose_key(ACCOUNTS[0])
    for reader in (log, system.elsewhere()):
        read = await everything(reader)
        assert len(read) == 3
        found = faults(read)
        assert found.keys() == {"AccountRegistered", "TweetPosted"}
        assert all("KeyUnknown" in fault and ACCOUNTS[0] in fault for fault in found.values())


async def test_after_a_subjects_first_event_failed_nothing_is_sealed_with_a_lost_key(
    system: LogSystem, log: EventLog
) -> None:
    """Its key was never stored, or it was stored before the event and stays."""
    system.disk.failure = OSError("the disk is on fire")
    with pytest.raises(LogUnavailable):
        await log.append([registered(system)])
    system.disk.failure = None
    if system.keys_come_with_the_log:
        with pytest.raises(KeyUnknown):
            await log.append([posted(system)])
    await log.append([registered(system), posted(system)])
    assert len(await everything(system.elsewhere())) == 2


async def test_an_event_with_a_changed_sealed_part_is_reported_and_others_are_read(
    system: LogSystem, log: EventLog
) -> None:
    """The sealed part of one event is put into another, whose id differs."""
    await log.append([registered(system), posted(system)])
    await system.rewrite("TweetPosted", id=b"\xff" * 16)
    read = await everything(log)
    assert "AccountRegistered" in {record.type for record in read if record.event is not None}
    assert faults(read).keys() == {"TweetPosted"}
    assert "SealBroken" in faults(read)["TweetPosted"]


BAD = id_at(Millis(0), "bad").replace("0", "-", 1)
"""An id with a negative time."""
UNREADABLE = {
    "a newer version": ({"version": 2}, "newer version"),
    "a version that is none": ({"version": -7}, "versions are counted from 1, and this says -7"),
    "an unknown type": ({"type": "AccountTeleported"}, "newer version"),
    "no JSON": ({"value": b'{"follower":'}, "UnreadableEvent"),
    "a field missing": ({"value": b"{}"}, "UnreadableEvent"),
    "an id that is none": ({"value": f'{{"follower": "{ACCOUNTS[0]}", "followee": "{BAD}"}}'.encode()}, "is no id"),
    "another key": ({"value": f'{{"follower": "{ACCOUNTS[1]}", "followee": "{ACCOUNTS[2]}"}}'.encode()}, "its key is"),
    "another topic's type": (
        {"type": "PasswordChanged", "value": f'{{"account": "{ACCOUNTS[0]}"}}'.encode()}, "belongs to topic accounts",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("change", "fault"), UNREADABLE.values(), ids=UNREADABLE)
async def test_an_unreadable_record_has_its_cause_and_others_are_read(
    system: LogSystem, log: EventLog, change: dict[str, Any], fault: str
) -> None:
    before, after = registered(system), registered(system, ACCOUNTS[1])
    await log.append([before, followed(system), after])
    await system.rewrite("AccountFollowed", **change)
    read = await everything(log)
    assert {before.event, after.event} <= {record.event for record in read}
    [faulty] = [record for record in read if record.fault]
    assert faulty.event is None
    assert fault in faulty.fault
    assert (faulty.topic, faulty.key) == ("graph", ACCOUNTS[0])


async def test_waiting_ends_at_once_if_records_exist(system: LogSystem, log: EventLog) -> None:
    await log.append([followed(system)])
    assert await log.wait({}, 0)


async def test_waiting_ends_after_its_time_limit(system: LogSystem, log: EventLog) -> None:
    await log.append([followed(system)])
    assert not await log.wait(await log.ends(), 0.01)


async def test_an_append_wakes_all_waiting_readers_of_the_process(system: LogSystem, log: EventLog) -> None:
    ends = await log.ends()
    waiting = [asyncio.ensure_future(log.wait(ends, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    await log.append([followed(system)])
    assert await asyncio.wait_for(asyncio.gather(*waiting), SOON) == [True, True, True]


async def test_a_reader_that_waits_for_a_later_position_keeps_waiting(system: LogSystem, log: EventLog) -> None:
    first, second = followed(system), followed(system)
    patient = asyncio.ensure_future(log.wait({TopicPartition("graph", n): 1 for n in range(4)}, 60))
    hasty = asyncio.ensure_future(log.wait({}, 60))
    await asyncio.sleep(0)
    await log.append([first])
    assert await asyncio.wait_for(hasty, SOON)
    assert not patient.done()
    await log.append([second])
    assert await asyncio.wait_for(patient, SOON)


async def test_an_append_wakes_waiting_readers_of_other_processes(system: LogSystem, log: EventLog) -> None:
    elsewhere = system.elsewhere()
    waiting = asyncio.ensure_future(elsewhere.wait(await elsewhere.ends(), 60))
    await asyncio.sleep(0)
    positions = await log.append([followed(system)])
    assert await asyncio.wait_for(waiting, SOON)
    assert (await elsewhere.ends()).covers(positions)


async def test_readers_of_other_processes_read_the_same_records(system: LogSystem, log: EventLog) -> None:
    await log.append([registered(system, account) for account in ACCOUNTS])
    await log.append([posted(system, account) for account in ACCOUNTS])
    read, here = await everything(system.elsewhere(), 3), await everything(log, 3)
    # Which partition is read first is no promise.
    assert by_partition(read) == dict(by_partition(here))


async def test_records_are_read_only_when_they_are_durable(system: LogSystem, log: EventLog) -> None:
    system.disk.hold()
    append = asyncio.ensure_future(log.append([followed(system)]))
    await system.disk.waiting.wait()
    assert await log.ends() == await system.elsewhere().ends() == {}
    assert not append.done()
    system.disk.release()
    positions = await append
    assert await log.ends() == positions == Positions(dict.fromkeys(positions, 1))
