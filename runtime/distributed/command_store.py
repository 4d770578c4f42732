"""The command store of the distributed profile: decides on PostgreSQL, publishes to Kafka, and removes old answers."""

from __future__ import annotations

import asyncio
import contextlib
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from command_api.passwords import Passwords
from command_api.postgres.answers import QuestionReader
from command_api.postgres.credentials import PostgresCredentialChanges, asking_credentials
from command_api.postgres.kept import AT_ONCE, KeptKeys, KeptRows
from command_api.postgres.publishing import Publishing
from command_api.postgres.rebuild import OutboxNotEmpty, catch_up, lacking, lineage
from command_api.postgres.store import PostgresCommandStore
from events.codec import Codec
from events.ids import Clock, HybridClock, Randomness, wall_clock
from events.kafka.producing import KafkaPublisher
from events.kafka.records import check_size
from events.log import LogUnavailable
from events.postgres.connections import RETRIED, Connection, Pool, run, select
from events.postgres.keys import PostgresKeys
from runtime.distributed.authentication import Authentication
from runtime.distributed.consistency.decision_state import check_decisions
from runtime.distributed.decision_database import decision_database, recover_keys
from runtime.distributed.event_versions import may_write
from runtime.distributed.kafka_clients import kept_topic, log_reader, publisher
from runtime.distributed.settings import DecisionSettings
from runtime.telemetry import logger

MOST_CONNECTIONS = 16
"""Enough that 32 concurrent commands wait little for a connection."""
UPKEEP_S = 2.0
"""Seconds between removals of expired answers."""
LINGER_MS = 1.0
"""The records of one transaction reach the broker in one request: that halves the broker's work for each record."""
NOTED_S = (0.1, 0.4, 1.0, 2.5)
"""Seconds within which the publishing process, or else the relay, stores the position of a record."""


class Restored(Exception):
    """The decision state was restored from a backup, or rebuilt, since this process started to decide on it."""


async def newest_row(pool: Pool) -> int:
    """Return the number of the newest row that the outbox ever had. Raises LogUnavailable."""

    async def ask(connection: Connection) -> list[tuple[Any, ...]]:
        return await select(
            connection,
            "SELECT coalesce(max(last_value), 0) FROM pg_sequences"
            " WHERE (schemaname, sequencename) = (current_schema(), 'outbox_number_seq')",
        )

    [(newest,)] = await run(pool, ask)
    return int(newest)


@dataclass(frozen=True)
class StateIdentity:
    """The identity of the decision state: its lineage, and the newest outbox row at the last check."""

    lineage: str
    newest_row: int

    @classmethod
    async def of(cls, pool: Pool) -> StateIdentity:
        """Read the current identity. Raises LogUnavailable."""
        newest = await newest_row(pool)
        return cls(await lineage(pool), newest)


class DistributedCommandStore:
    """Decides commands; has the clocks, passwords and keys for them. `open` creates one."""

    def __init__(
        self,
        settings: DecisionSettings,
        pool: Pool,
        keys: PostgresKeys,
        publisher: KafkaPublisher,
        authentication: Authentication,
        passwords: Passwords,
        email_key: bytes,
        identity: StateIdentity,
        clock: Clock,
        randomness: Randomness,
    ) -> None:
        self.settings = settings
        self.keys = keys
        self.authentication = authentication
        self.passwords = passwords
        self.clock = clock
        self.randomness = randomness
        self.ids = HybridClock(clock, randomness)
        self._pool = pool
        self._publisher = publisher
        self._identity = identity
        topic = kept_topic(settings, publisher)
        self._kept = KeptRows(pool, keys, topic)
        self._publishing = Publishing(pool, publisher, kept=KeptKeys(pool, topic))
        self.store = PostgresCommandStore(
            pool,
            self._publishing,
            keys,
            QuestionReader(email_key, asking_credentials(email_key)),
            email_key,
            PostgresCredentialChanges(clock, authentication.keep_ms).changes,
            self.ids,
            owner=str(uuid.uuid4()),
            check=check_size,
            revoked=authentication.revocations.add,
            most_waiting=settings.max_waiting_records,
        )
        self._kafka_is_back = False
        self._detail = ""

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: DecisionSettings, clock: Clock = wall_clock, randomness: Randomness = os.urandom
    ) -> AsyncIterator[DistributedCommandStore]:
        """Connect, fold the events that the decision state lacks, and decide until closed.

        Running commands are finished at the end. Raises LogUnavailable, StoreUnavailable, WrongTopics, NotMigrated,
        NewerLog, DoesNotFit.
        """
        async with AsyncExitStack() as stack:
            database = decision_database(settings, most=MOST_CONNECTIONS, randomness=randomness)
            pool, keys = await stack.enter_async_context(database)
            await may_write(settings.postgres)
            published = await stack.enter_async_context(publisher(settings, linger_ms=LINGER_MS))
            await recover_keys(settings, pool, keys)
            authentication = await stack.enter_async_context(
                Authentication.open(settings, pool, keys, clock, randomness)
            )
            email_key = await keys.secret("email")
            await fold_lacking(settings, pool, keys, email_key)
            identity = await StateIdentity.of(pool)
            passwords = Passwords(cost=settings.bcrypt_cost, threads=settings.password_threads)
            stack.callback(passwords.close)
            made = cls(
                settings, pool, keys, published, authentication, passwords, email_key, identity, clock, randomness
            )
            stack.push_async_callback(made.store.close)
            await made.store.start()
            yield made

    async def run(self) -> None:
        """Poll for changes by other processes, and remove old answers, until cancelled. Raises Restored."""
        await asyncio.gather(self.authentication.poll(), self._keep_up(), self._poll_kafka())

    async def _poll_kafka(self) -> None:
        """After Kafka has refused a record, poll until it answers again: the next write may come much later."""
        while True:
            await asyncio.sleep(UPKEEP_S)
            self._kafka_is_back = self._publisher.breaker.is_open and await self._publisher.answers()

    async def _keep_up(self) -> None:
        while True:
            await asyncio.sleep(UPKEEP_S)
            try:
                await self.store.forget_old_answers()
                await self._check_identity()
                await self._publish_kept()  # no state that was restored with the database
                self._detail = ""
            except LogUnavailable as error:
                self._detail = str(error)

    async def _check_identity(self) -> None:
        """Check that the decision state is a continuation of the one at the last check. Raises Restored,
        LogUnavailable.
        """
        written = max(self._identity.newest_row, self._publishing.newest)
        found = await StateIdentity.of(self._pool)
        if found.newest_row < written:
            raise Restored("PostgreSQL is from the past: its outbox was further; a new start folds what is lacking")
        if found.lineage != self._identity.lineage:
            raise Restored("another process has folded the decision state anew; a new start goes on with that")
        self._identity = found

    async def _publish_kept(self) -> None:
        """Publish the waiting keys and passwords. If that fails, nothing else waits for it."""
        with contextlib.suppress(LogUnavailable, *RETRIED):
            while await self._kept.publish_waiting() >= AT_ONCE:
                pass

    @property
    def detail(self) -> str:
        """Why commands cannot be decided; empty if they can."""
        return self.authentication.detail or self._detail

    @property
    def kafka_detail(self) -> str:
        """Why records do not reach Kafka; writes continue all the same."""
        if self._kafka_is_back or not self._publisher.breaker.is_open:
            return ""
        return "Kafka does not answer"


async def fold_lacking(settings: DecisionSettings, pool: Pool, keys: PostgresKeys, email_key: bytes) -> None:
    """Fold the events that are in Kafka and not in the decision state, as after a restore from a backup.

    Raises LogUnavailable, also if rows of the outbox must be published first; DoesNotFit.
    """
    async with log_reader(settings, Codec(keys.sealer), keys) as reader:
        await check_decisions(reader, pool, settings.topic_partitions)
        ends = await reader.ends()
        for patience_s in NOTED_S:
            if not await lacking(pool, ends, settings.topic_partitions):
                return
            await asyncio.sleep(patience_s)  # another process stores a moment later which records it published
        log = logger("minitwitter.command_store")
        log.warning("the decision state lacks what stands in the log; folding it", ends=str(ends))
        try:
            folded = await catch_up(reader, pool, email_key, ends)
        except OutboxNotEmpty as error:
            raise LogUnavailable(str(error)) from error
        log.warning("folded", events=folded)
