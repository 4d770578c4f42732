"""The command side on PostgreSQL and Kafka: what the command API decides with, and what it publishes through."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import inf
from typing import Any

from confluent_kafka.admin import AdminClient

from command_api.passwords import Passwords
from command_api.postgres.answers import Answers
from command_api.postgres.credentials import PostgresCredentialChanges, asking_credentials
from command_api.postgres.kept import AT_ONCE, KeptKeys, KeptRows
from command_api.postgres.migrating import pending
from command_api.postgres.publishing import Publishing
from command_api.postgres.rebuild import OutboxNotEmpty, catch_up, lacking, lineage
from command_api.postgres.store import PostgresCommandStore
from command_api.postgres.taking_back import TakingBack
from events.codec import Codec
from events.ids import Clock, HybridClock, Randomness, wall_clock
from events.kafka import topics
from events.kafka.keys import KafkaKeptReader, KafkaKeptTopic
from events.kafka.log import KafkaLogReader
from events.kafka.producing import KafkaPublisher
from events.kafka.records import check_size
from events.log import LogUnavailable, NotSetUp
from events.postgres.connections import RETRIED, Connection, Pool, open_pool, run, select
from events.postgres.keys import PostgresKeys
from events.publishing import Publisher
from events.retries import Backoff, retrying
from events.sealing import MasterKeys, Sealer
from events.topics import ON_KAFKA
from runtime.distributed.authentication import Authenticating
from runtime.distributed.consistency.decision_state import check_decisions
from runtime.distributed.event_versions import may_write
from runtime.distributed.roles.process import brokers, required
from runtime.settings import BadSettings, Settings
from runtime.telemetry import logger

FORGET_S = 2.0
"""Seconds between looks for answers that need not be remembered any longer."""

LINGER_MS = 1.0
"""What one transaction wrote goes to the broker in one request: that halves the broker's work for each record."""

TOPICS_SETTLE = Backoff((0.2, 0.5, 1.0, 2.0), repeats=False)
"""A broker may hear of topics that were just made a moment after the one that made them."""


NOTED_S = (0.1, 0.4, 1.0, 2.5)
"""Within these seconds what was published is noted, by whoever did it or by the relay after them."""


class Restored(Exception):
    """The decision state is no longer the one that this process decided on: restored from the past, or folded anew."""


class NotMigrated(NotSetUp):
    """The database has not been brought up to this software."""


def master_keys(settings: Settings) -> MasterKeys:
    """The master keys. Raises BadSettings, and what loading raises."""
    if settings.master_key_file is None:
        raise BadSettings(
            "master_key_file: not set; every process of an installation needs the same one"
            " (`minitwitter keys make-master FILE` makes it)"
        )
    return MasterKeys.load(settings.master_key_file)


def admin(settings: Settings) -> AdminClient:
    """A client that asks Kafka for its topics."""
    assert settings.kafka_url is not None
    return AdminClient({"bootstrap.servers": brokers(settings.kafka_url)}, logger=logging.getLogger("librdkafka"))


ACK_S = 30.0
"""How long a command of an operator waits for Kafka. Nobody waits behind it, as requests do behind a server's."""


def publisher(settings: Settings, *, linger_ms: float = 0, ack_s: float = 1.0) -> KafkaPublisher:
    """What appends to Kafka; it waits `ack_s` for an acknowledgement."""
    assert settings.kafka_url is not None
    partitions = topics.partitions_of(ON_KAFKA, settings.topic_partitions)
    return KafkaPublisher(
        brokers(settings.kafka_url), partitions, prefix=settings.topic_prefix, linger_ms=linger_ms, ack_s=ack_s
    )


async def check_topics(settings: Settings) -> None:
    """Whether Kafka has the topics as they have to be. Raises WrongTopics, LogUnavailable."""
    client = admin(settings)
    await retrying(
        lambda: topics.check(client, partitions=settings.topic_partitions, prefix=settings.topic_prefix),
        TOPICS_SETTLE,
        (topics.WrongTopics,),
    )


async def check_migrated(pool: Pool) -> None:
    """Whether PostgreSQL has this software's tables. Raises NotMigrated, LogUnavailable."""
    waiting = await run(pool, pending)
    if waiting:
        raise NotMigrated(f"PostgreSQL lacks {', '.join(waiting)}; run `minitwitter migrate`")


def log_reader(settings: Settings, keys: PostgresKeys) -> KafkaLogReader:
    """What reads every topic of the log."""
    assert settings.kafka_url is not None
    partitions = topics.partitions_of(partitions=settings.topic_partitions)
    servers, codec = brokers(settings.kafka_url), Codec(keys.sealer)
    return KafkaLogReader(servers, partitions, codec, keys, prefix=settings.topic_prefix)


def kept_reader(settings: Settings) -> KafkaKeptReader:
    """The topic of keys and passwords, for who takes them back."""
    assert settings.kafka_url is not None
    return KafkaKeptReader(brokers(settings.kafka_url), settings.topic_partitions, prefix=settings.topic_prefix)


def kept_topic(settings: Settings, publisher: Publisher) -> KafkaKeptTopic:
    """The topic of keys and passwords, for who publishes them."""
    assert settings.kafka_url is not None
    servers, ids = brokers(settings.kafka_url), HybridClock(drift_ms=inf)
    return KafkaKeptTopic(servers, settings.topic_partitions, publisher, ids, prefix=settings.topic_prefix)


async def have_keys(settings: Settings, pool: Pool, keys: PostgresKeys) -> None:
    """Take back the keys that a database restored from the past lacks, now and whenever one is missing.

    Raises LogUnavailable.
    """
    taking = TakingBack(pool, keys, kept_reader(settings))

    async def recover() -> None:
        taken = await taking.take_back()
        if any(taken):
            logger("minitwitter.keys").warning("took back what the database lacked", **taken._asdict())

    await recover()
    keys.recover = recover


@asynccontextmanager
async def database(settings: Settings) -> AsyncIterator[tuple[Pool, PostgresKeys]]:
    """The command side's database, for a command that ends. Raises LogUnavailable, NotSetUp."""
    required(settings, "kafka_url", "postgres_url")
    assert settings.postgres_url is not None
    pool = open_pool(settings.postgres_url.get_secret_value(), most=4)
    try:
        await pool.open()
        await check_migrated(pool)
        await check_topics(settings)
        yield pool, PostgresKeys(pool, Sealer(master_keys(settings)))
    finally:
        await pool.close()


async def newest_row(pool: Pool) -> int:
    """The number of the newest row that the outbox ever had. Raises LogUnavailable."""

    async def ask(connection: Connection) -> list[tuple[Any, ...]]:
        return await select(
            connection,
            "SELECT coalesce(max(last_value), 0) FROM pg_sequences"
            " WHERE (schemaname, sequencename) = (current_schema(), 'outbox_number_seq')",
        )

    [(newest,)] = await run(pool, ask)
    return int(newest)


class Deciding:
    """Everything that decides, once `start` has come to its end."""

    def __init__(self, settings: Settings, clock: Clock = wall_clock, randomness: Randomness = os.urandom) -> None:
        required(settings, "kafka_url", "postgres_url")
        assert settings.postgres_url is not None
        self.settings = settings
        self.clock = clock
        self.randomness = randomness
        self.ids = HybridClock(clock, randomness)
        self.passwords = Passwords(cost=settings.bcrypt_cost, threads=settings.password_threads)
        self._url = settings.postgres_url.get_secret_value()
        self.pool = open_pool(self._url)
        self.who = Authenticating(settings, self.pool, Sealer(master_keys(settings)), clock, randomness)
        self.store: PostgresCommandStore
        self._publisher: KafkaPublisher | None = None
        self._kafka_is_back = False
        self._opened = False
        self._newest_row = 0
        self._lineage = ""
        self._detail = ""

    async def start(self) -> None:
        """Open the stores. Raises one of AWAY, and then can be called again; WrongTopics, NotMigrated, NewerLog,
        DoesNotFit."""
        if not self._opened:
            await self.pool.open()
            self._opened = True
        await check_migrated(self.pool)
        await check_topics(self.settings)
        await may_write(self._url)
        if self._publisher is None:
            self._publisher = publisher(self.settings, linger_ms=LINGER_MS)
        await have_keys(self.settings, self.pool, self.who.keys)
        await self.who.start()
        email_key = await self.who.keys.secret("email")
        topic = kept_topic(self.settings, self._publisher)
        self._kept = KeptRows(self.pool, self.who.keys, topic)
        self._publishing = Publishing(self.pool, self._publisher, kept=KeptKeys(self.pool, topic))
        store = PostgresCommandStore(
            self.pool,
            self._publishing,
            self.who.keys,
            Answers(email_key, asking_credentials(email_key)),
            email_key,
            PostgresCredentialChanges(self.clock, self.who.keep_ms).changes,
            self.ids,
            owner=str(uuid.uuid4()),
            check=check_size,
            revoked=self.who.revocations.add,
            most_waiting=self.settings.max_waiting_records,
        )
        await self._catch_up(email_key)
        await store.start()
        self._newest_row = await newest_row(self.pool)
        self._lineage = await lineage(self.pool)
        self.store = store

    async def _catch_up(self, email_key: bytes) -> None:
        """Fold what Kafka has and the decision state has not, as after a restore from a backup.

        Raises LogUnavailable also where rows of the outbox have to be published before; DoesNotFit.
        """
        settings = self.settings
        reader = log_reader(settings, self.who.keys)
        try:
            await check_decisions(reader, self.pool, settings.topic_partitions)
            ends = await reader.ends()
            for patience_s in NOTED_S:
                if not await lacking(self.pool, ends, settings.topic_partitions):
                    return
                await asyncio.sleep(patience_s)  # others note what they published a moment later
            log = logger("minitwitter.deciding")
            log.warning("the decision state lacks what stands in the log; folding it", ends=str(ends))
            folded = await catch_up(reader, self.pool, email_key, ends)
            log.warning("folded", events=folded)
        except OutboxNotEmpty as error:
            raise LogUnavailable(str(error)) from error
        finally:
            await reader.close()

    async def run(self) -> None:
        """Look after what other processes do, and forget what is old, until cancelled."""
        await asyncio.gather(self.who.keep_looking(), self._keep_forgetting(), self._keep_asking_for_kafka())

    async def _keep_asking_for_kafka(self) -> None:
        """Ask whether Kafka is back, once it did not take a record: writes may be few."""
        while True:
            await asyncio.sleep(FORGET_S)
            if self._publisher is not None:
                self._kafka_is_back = self._publisher.breaker.is_open and await self._publisher.answers()

    async def _keep_forgetting(self) -> None:
        while True:
            await asyncio.sleep(FORGET_S)
            try:
                await self.store.forget_old_answers()
                written = max(self._newest_row, self._publishing.newest)
                newest = await newest_row(self.pool)
                if newest < written:
                    raise Restored(
                        "PostgreSQL is from the past: its outbox was further; a new start folds what is lacking"
                    )
                if await lineage(self.pool) != self._lineage:
                    raise Restored("another process has folded the decision state anew; a new start goes on with that")
                self._newest_row = newest
                await self._publish_kept()  # nothing that went back with the database
                self._detail = ""
            except LogUnavailable as error:
                self._detail = str(error)

    async def _publish_kept(self) -> None:
        """Publish what waits of keys and passwords. Where that comes to nothing, nothing else waits for it."""
        with contextlib.suppress(LogUnavailable, *RETRIED):
            while await self._kept.publish_waiting() >= AT_ONCE:
                pass

    @property
    def detail(self) -> str:
        """What keeps it from deciding; empty when nothing does."""
        return self.who.detail or self._detail

    @property
    def kafka_detail(self) -> str:
        """What keeps records from Kafka; writes go on all the same."""
        if self._publisher is None or self._kafka_is_back or not self._publisher.breaker.is_open:
            return ""
        return "Kafka does not answer"

    async def stop(self) -> None:
        """Finish what was begun, and close."""
        if hasattr(self, "store"):
            await self.store.close()
        if self._publisher is not None:
            await self._publisher.close()
        self.passwords.close()
        await self.who.close()
        if self._opened:
            await self.pool.close()
