"""`minitwitter import` into the distributed profile: a process that decides like any other, beside them.

It needs PostgreSQL and Kafka. What it writes goes the way of every write, so workers, or a relay where Kafka was slow,
bring everything up to it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from events.codec import Codec
from events.first_copies import Entity
from events.kafka.log import KafkaLogReader
from events.kafka.topics import partitions_of
from events.log import Positions, TopicPartition
from runtime.control import Import, Reply, Request
from runtime.embedded.importing import Importer
from runtime.importing.batches import Ask
from runtime.importing.history import Fields, Ranking, known, ranking
from runtime.importing.tweets import KnownAccount
from runtime.settings import Settings

from .deciding import Deciding, brokers

_AT_ONCE = 5000


class KafkaHistory:
    """The history in Kafka. Only fields in the clear are looked at, so nothing is opened."""

    def __init__(self, settings: Settings, deciding: Deciding) -> None:
        assert settings.kafka_url is not None
        partitions = partitions_of(partitions=settings.topic_partitions)
        self._codec = Codec(deciding.who.keys.sealer)
        self._reader = KafkaLogReader(
            brokers(settings.kafka_url),
            {topic: partitions[topic] for topic in ("accounts", "tweets")},
            self._codec,
            deciding.who.keys,
            prefix=settings.topic_prefix,
        )

    async def known_accounts(self) -> dict[str, KnownAccount]:
        """All accounts by folded name."""
        return known([fields async for fields in self._fields("accounts", "AccountRegistered")])

    async def rank(self) -> Ranking:
        """Rank imported accounts by what was imported of them."""
        registered = [fields async for fields in self._fields("accounts", "AccountRegistered")]
        return ranking(registered, [fields async for fields in self._fields("tweets", "TweetPosted")])

    async def close(self) -> None:
        """Let go of Kafka."""
        await self._reader.close()

    async def _fields(self, topic: str, kind: str) -> AsyncIterator[Fields]:
        """The first copy of each event of a type. Raises LogUnavailable."""
        ends = {place: end for place, end in (await self._reader.ends()).items() if place.topic == topic}
        positions, newest = Positions(), dict[Entity, str]()
        while not positions.covers(ends):
            for record in await self._reader.read_stored(positions, _AT_ONCE, [topic]):
                positions[TopicPartition(topic, record.partition)] = record.offset + 1
                if record.about.id > newest.get((topic, record.key), ""):
                    newest[topic, record.key] = record.about.id
                    if record.type == kind:
                        parsed = self._codec.parse(record.type, record.version, record.value, record.about.id)
                        yield record.about.time, parsed.fields


@asynccontextmanager
async def importing_into(settings: Settings) -> AsyncIterator[tuple[Ask, KafkaHistory]]:
    """Who executes batches, and the history. Raises BadSettings, LogUnavailable, WrongTopics, NotMigrated."""
    deciding = Deciding(settings)
    try:
        await deciding.start()
        importer = Importer(deciding.store, requests=lambda: 0, timer=time.perf_counter)

        async def ask(request: Request) -> AsyncIterator[Reply]:
            assert isinstance(request, Import)
            yield await importer.execute(request)

        history = KafkaHistory(settings, deciding)
        try:
            yield ask, history
        finally:
            await history.close()
    finally:
        await deciding.stop()
