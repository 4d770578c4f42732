"""`minitwitter import` in the distributed profile: a process that decides beside the others.

It needs PostgreSQL and Kafka. Its writes take the usual way: workers apply them, and the relay publishes what Kafka was
too slow for.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager

from events.codec import Codec, ParsedEvent
from events.event import Envelope
from events.faults import finish, parse
from events.first_copies import Entity
from events.ids import EventId, Millis
from events.kafka.log import KafkaLogReader
from events.kafka.records import shown
from events.log import Positions, TopicPartition
from events.tweets import TweetPosted
from runtime.distributed.command_store import DistributedCommandStore
from runtime.distributed.kafka_clients import log_reader
from runtime.distributed.settings import DecisionSettings
from runtime.importing.batches import Execute
from runtime.importing.history import (
    Fields,
    ImportedAccounts,
    KnownAccount,
    KnownTweet,
    by_tweet,
    known,
    known_tweet,
    ranking,
    source_of,
)
from runtime.importing.importer import Importer
from runtime.importing.messages import Import, Imported
from runtime.settings import Settings

_AT_ONCE = 5000
_ANYWHEN = Envelope(EventId(""), Millis(0))
"""An import accepts events of any time."""


class KafkaHistory:
    """The History port on Kafka. Reads unsealed fields, and opens only texts that must be compared."""

    def __init__(self, reader: KafkaLogReader) -> None:
        self._codec = reader.codec
        self._reader = reader

    async def known_accounts(self) -> dict[str, KnownAccount]:
        """Return all accounts by folded name."""
        return known([fields async for fields in self._fields("accounts", "AccountRegistered")])

    async def known_tweets(self, sources: Collection[str]) -> dict[str, KnownTweet]:
        """Return the imported ones of these tweets."""
        wanted, found = by_tweet(sources), dict[str, ParsedEvent]()
        if not wanted:
            return {}
        async for _, parsed in self._parsed("tweets", "TweetPosted"):
            source = source_of(parsed.fields, wanted)
            if source is not None:
                found.setdefault(source, parsed)
        tweets, listed = {}, list(found.items())
        for after in range(0, len(listed), _AT_ONCE):
            part = listed[after : after + _AT_ONCE]
            await shown({parsed.subject for _, parsed in part if parsed.subject is not None}, self._reader.keys)
            for source, parsed in part:
                event, _ = finish(self._codec, parsed, "tweets", parsed.fields["author"], _ANYWHEN)
                tweets[source] = known_tweet(event if isinstance(event, TweetPosted) else None, parsed.fields)
            self._codec.sealer.trim()
        return tweets

    async def rank(self) -> ImportedAccounts:
        """Rank imported accounts by their imported tweets."""
        registered = [fields async for fields in self._fields("accounts", "AccountRegistered")]
        return ranking(registered, [fields async for fields in self._fields("tweets", "TweetPosted")])

    async def _fields(self, topic: str, kind: str) -> AsyncIterator[Fields]:
        """Yield the time and the unsealed fields of each event of a type."""
        async for time_, parsed in self._parsed(topic, kind):
            yield time_, parsed.fields

    async def _parsed(self, topic: str, kind: str) -> AsyncIterator[tuple[Millis, ParsedEvent]]:
        """Yield the first copy of each readable event of a type, still sealed. Raises LogUnavailable."""
        ends = {place: end for place, end in (await self._reader.ends()).items() if place.topic == topic}
        positions, newest = Positions(), dict[Entity, str]()
        while not positions.covers(ends):
            for record in await self._reader.read_stored(positions, _AT_ONCE, [topic]):
                positions[TopicPartition(topic, record.partition)] = record.offset + 1
                if not record.fault and record.about.id > newest.get((topic, record.key), ""):
                    newest[topic, record.key] = record.about.id
                    if record.type == kind:
                        parsed, _ = parse(self._codec, record.type, record.version, record.value, record.about.id)
                        if parsed is not None:
                            yield record.about.time, parsed


@asynccontextmanager
async def importing_into(settings: Settings) -> AsyncIterator[tuple[Execute, KafkaHistory]]:
    """Return the executor of batches, and the history. Raises BadSettings, LogUnavailable, WrongTopics, NotMigrated."""
    async with DistributedCommandStore.open(DecisionSettings.of(settings)) as command_store:
        importer = Importer(command_store.store, requests=lambda: 0, timer=time.perf_counter)

        async def execute(batch: Import) -> AsyncIterator[Imported]:
            yield await importer.execute(batch)

        keys = command_store.keys
        async with log_reader(command_store.settings, Codec(keys.sealer), keys, ("accounts", "tweets")) as reader:
            yield execute, KafkaHistory(reader)
