"""The log in Kafka for `minitwitter events`. Keys come from PostgreSQL; counting needs neither it nor the
master key.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Iterable
from contextlib import asynccontextmanager

from events.codec import Codec
from events.ids import EventId, millis
from events.kafka.log import KafkaLogReader
from events.kafka.topics import partitions_of
from events.keys import Keys
from events.log import Positions, Record, TopicPartition, positions_after
from events.sealing import MasterKeys, Sealer
from events.topics import LOGGED
from runtime.distributed.decision_database import decision_database, recover_keys
from runtime.distributed.kafka_clients import check_topics, log_reader
from runtime.distributed.settings import DecisionSettings, LogSettings
from runtime.log_inspection import Counted
from runtime.settings import Settings

_AT_ONCE = 5_000


class LookingAtKafka(KafkaLogReader):
    """The Looking port on Kafka."""

    async def find(self, id_: EventId) -> Record | None:
        """Return the first record of an event. Reads from the time in its id on."""
        positions, ends = await self.at_time(millis(id_)), await self.ends()
        while not positions.covers(ends):
            records = await self.read(positions, _AT_ONCE)
            for record in records:
                if record.about.id == id_:
                    return record
            positions = positions_after(records, positions)
        return None

    async def at(self, place: TopicPartition, offset: int) -> Record | None:
        """Return the record at a position. Reads no other partition."""
        records = await self.read((await self.ends()) | {place: offset}, 1, [place.topic])
        return records[0] if records and (records[0].place, records[0].offset) == (place, offset) else None


@asynccontextmanager
async def looking(settings: Settings) -> AsyncIterator[LookingAtKafka]:
    """Open the log. Raises BadSettings, LogUnavailable, NotSetUp, MasterKeyMissing."""
    chosen = DecisionSettings.of(settings)
    async with decision_database(chosen, most=2) as (pool, keys):
        await recover_keys(chosen, pool, keys)
        partitions = partitions_of(LOGGED, chosen.topic_partitions)
        log = LookingAtKafka(chosen.brokers, partitions, Codec(keys.sealer), keys, prefix=chosen.topic_prefix)
        try:
            yield log
        finally:
            await log.close()


async def count(
    settings: Settings, topics: Collection[str] | None, on_batch: Callable[[int], None] = lambda records: None
) -> Counted:
    """Count all events, 100,000 a second, without opening sealed fields. Raises LogUnavailable, NotSetUp."""
    chosen = LogSettings.of(settings)
    await check_topics(chosen)
    keys = _NoKeys()
    counted = Counted()
    async with log_reader(chosen, Codec(keys.sealer), keys, LOGGED if topics is None else topics) as reader:
        positions, ends = Positions(), await reader.ends()
        while not positions.covers(ends):
            records = await reader.read_stored(positions, _AT_ONCE)
            for record in records:
                place = record.place
                if record.offset < ends.get(place, 0):
                    counted[record.topic, record.type] += 1
                positions[place] = record.offset + 1
            on_batch(len(records))
    order = {topic: n for n, topic in enumerate(LOGGED)}
    return Counted(dict(sorted(counted.items(), key=lambda one: (order[one[0][0]], one[0][1]))))


class _NoKeys(Keys):
    """The Keys port without any key, for readers that open nothing."""

    @property
    def sealer(self) -> Sealer:
        """A sealer without keys."""
        return Sealer(MasterKeys.generate())

    async def fetch(self, subjects: Iterable[str]) -> None:
        """Do nothing: there are no keys."""

    async def create(self, subject: str) -> None:
        """Never called: nothing is sealed."""
