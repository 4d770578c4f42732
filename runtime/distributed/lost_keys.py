"""`minitwitter keys lost` in the distributed profile. Keys are restored from Kafka first, so a lost key is missing
there, too.
"""

from __future__ import annotations

from command_api.postgres.kept import KeptRows, declare_lost
from command_api.postgres.taking_back import TakingBack
from events.codec import Codec
from events.log import Positions
from events.postgres.connections import run
from runtime.distributed.decision_database import decision_database
from runtime.distributed.kafka_clients import ACK_S, kept_reader, kept_topic, log_reader, publisher
from runtime.distributed.settings import DecisionSettings
from runtime.lost_keys import SEALED_TOPICS, Advance, Encoded, LostKey, Sealed
from runtime.settings import Settings

_AT_ONCE = 5_000


async def find(settings: Settings, on_batch: Advance = lambda records: None) -> list[LostKey]:
    """Find the subjects whose key is lost. Raises LogUnavailable, NotSetUp."""
    chosen = DecisionSettings.of(settings)
    async with decision_database(chosen) as (pool, keys):
        await TakingBack(pool, keys, kept_reader(chosen)).take_back_from_the_beginning()
        codec = Codec(keys.sealer)
        sealed = Sealed(codec)
        async with log_reader(chosen, codec, keys, SEALED_TOPICS) as reader:
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
        return sealed.lost()


async def declare(settings: Settings, lost: list[LostKey]) -> None:
    """Mark the keys as destroyed, in PostgreSQL and in Kafka's topic of keys. Raises LogUnavailable."""
    chosen = DecisionSettings.of(settings)
    async with decision_database(chosen) as (pool, keys), publisher(chosen, ack_s=ACK_S) as published:
        await run(pool, lambda connection: declare_lost(connection, [one.subject for one in lost]))
        rows = KeptRows(pool, keys, kept_topic(chosen, published))
        while await rows.publish_waiting():
            pass
