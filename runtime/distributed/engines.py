"""Connections to the engines of the read side: Kafka, PostgreSQL, Cassandra and Redis."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field

from events.codec import Codec
from events.ids import Randomness
from events.kafka.log import KafkaLogReader
from events.postgres.connections import Pool
from events.postgres.keys import PostgresKeys
from runtime.discards import Discards
from runtime.distributed.decision_database import decision_database, recover_keys
from runtime.distributed.kafka_clients import log_reader
from runtime.distributed.migrations import check_read_models
from runtime.distributed.models.generations import Generations
from runtime.distributed.settings import DistributedSettings
from stores.cassandra.session import CassandraSession
from stores.postgres.dead_letters import PostgresDeadLetters, pool_of
from stores.postgres.pointers import Pointers
from stores.redis.connection import Client, connect


@dataclass(frozen=True)
class Engines:
    """Connections to all engines, and the current generation of the read models in each store.

    `decisions` connects to the decision state, `letters` to the dead letters. `log` reads every topic.
    """

    settings: DistributedSettings
    generations: Generations
    keys: PostgresKeys
    codec: Codec
    decisions: Pool
    letters: Pool
    cassandra: CassandraSession
    redis: Client
    log: KafkaLogReader
    discards: Discards = field(default_factory=Discards)

    @classmethod
    @asynccontextmanager
    async def open(cls, settings: DistributedSettings, randomness: Randomness = os.urandom) -> AsyncIterator[Engines]:
        """Connect to all engines, and check that topics and tables fit this software; close all at the end.

        If one is unreachable, the others are closed. Raises LogUnavailable, StoreUnavailable, NotSetUp.
        """
        async with AsyncExitStack() as stack:
            decisions, keys = await stack.enter_async_context(decision_database(settings, randomness=randomness))
            await recover_keys(settings, decisions, keys)
            generations = Generations.first(settings).pointed(await Pointers(settings.postgres).read())
            letters = await stack.enter_async_context(pool_of(settings.postgres))
            cassandra = await CassandraSession.connect(generations.address)
            stack.push_async_callback(cassandra.close)
            await check_read_models(settings.postgres, generations, cassandra)
            redis = await stack.enter_async_context(aclosing(connect(settings.redis)))
            codec = Codec(keys.sealer)
            log = await stack.enter_async_context(log_reader(settings, codec, keys))
            yield cls(settings, generations, keys, codec, decisions, letters, cassandra, redis, log)

    async def read_discards(self) -> None:
        """Read the discards since the last call. Raises LogUnavailable."""
        await self.discards.read(self.log)

    def letters_of(self, group: str) -> PostgresDeadLetters:
        """Return the dead letters of a live group."""
        return PostgresDeadLetters(self.letters, group, self.generations.of(group))
