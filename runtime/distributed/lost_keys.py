"""`minitwitter keys lost` in the distributed profile: keys are taken back first, so that only those are lost that Kafka
has not either."""

from __future__ import annotations

from command_api.postgres.kept import KeptRows, declare_lost
from command_api.postgres.taking_back import TakingBack
from events.codec import Codec
from events.kafka.log import KafkaLogReader
from events.kafka.topics import partitions_of
from events.log import Positions
from events.postgres.connections import run
from runtime.distributed.command_store import ACK_S, database, kept_reader, kept_topic, publisher
from runtime.distributed.roles.process import brokers
from runtime.lost_keys import SEALED_TOPICS, Advance, Encoded, LostKey, Sealed
from runtime.settings import Settings

_AT_ONCE = 5_000


async def find(settings: Settings, on_batch: Advance = lambda records: None) -> list[LostKey]:
    """The subjects whose key is lost. Raises LogUnavailable, NotSetUp."""
    async with database(settings) as (pool, keys):
        await TakingBack(pool, keys, kept_reader(settings)).take_back_from_the_beginning()
        assert settings.kafka_url is not None
        codec = Codec(keys.sealer)
        partitions = partitions_of(SEALED_TOPICS, settings.topic_partitions)
        reader = KafkaLogReader(brokers(settings.kafka_url), partitions, codec, keys, prefix=settings.topic_prefix)
        sealed = Sealed(codec)
        try:
            positions, ends = Positions(), await reader.ends()
            while not positions.covers(ends):
                records = await reader.read_stored(positions, _AT_ONCE)
                for record in records:
                    positions[record.place] = record.offset + 1
                subjects = sealed.add(
                    Encoded(
                        f"{record.topic}-{record.partition}@{record.offset}",
                        record.type,
                        record.version,
                        record.value,
                        record.about.id,
                    )
                    for record in records
                    if not record.fault
                )
                await keys.fetch(subjects)
                sealed.forget(subjects - set(keys.sealer.missing(subjects)))
                keys.sealer.trim()
                on_batch(len(records))
        finally:
            await reader.close()
        return sealed.lost()


async def declare(settings: Settings, lost: list[LostKey]) -> None:
    """Have the keys count as destroyed, in PostgreSQL and in Kafka's topic. Raises LogUnavailable."""
    async with database(settings) as (pool, keys):
        await run(pool, lambda connection: declare_lost(connection, [one.subject for one in lost]))
        published = publisher(settings, ack_s=ACK_S)
        try:
            rows = KeptRows(pool, keys, kept_topic(settings, published))
            while await rows.publish_waiting():
                pass
        finally:
            await published.close()
