"""Creates clients of Kafka from the settings: for topics, for publishing, and for reading the log."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from math import inf

from confluent_kafka.admin import AdminClient

from events.codec import Codec
from events.ids import HybridClock
from events.kafka import topics
from events.kafka.keys import KafkaKeptReader, KafkaKeptTopic
from events.kafka.log import KafkaLog, KafkaLogReader
from events.kafka.producing import KafkaPublisher
from events.keys import Keys
from events.publishing import Publisher
from events.retries import Backoff, retrying
from events.topics import ON_KAFKA, TOPICS
from runtime.distributed.settings import LogSettings

ACK_S = 30.0
"""Seconds that an operator's command waits for Kafka: longer than a server, where requests queue up."""
TOPICS_SETTLE = Backoff((0.2, 0.5, 1.0, 2.0), repeats=False)
"""Waits between attempts: a broker may know new topics a moment later than the client that created them."""


def admin(settings: LogSettings) -> AdminClient:
    """Return a client that reads Kafka's topics."""
    return AdminClient({"bootstrap.servers": settings.brokers}, logger=logging.getLogger("librdkafka"))


async def check_topics(settings: LogSettings) -> None:
    """Check that Kafka has the required topics. Raises WrongTopics, LogUnavailable."""
    client = admin(settings)
    await retrying(
        lambda: topics.check(client, partitions=settings.topic_partitions, prefix=settings.topic_prefix),
        TOPICS_SETTLE,
        (topics.WrongTopics,),
    )


@asynccontextmanager
async def publisher(
    settings: LogSettings, *, linger_ms: float = 0, ack_s: float = 1.0
) -> AsyncIterator[KafkaPublisher]:
    """Return a client that appends to Kafka; it waits `ack_s` for an acknowledgement."""
    partitions = topics.partitions_of(ON_KAFKA, settings.topic_partitions)
    made = KafkaPublisher(settings.brokers, partitions, prefix=settings.topic_prefix, linger_ms=linger_ms, ack_s=ack_s)
    try:
        yield made
    finally:
        await made.close()


@asynccontextmanager
async def log_reader(
    settings: LogSettings, codec: Codec, keys: Keys, of: Iterable[str] = TOPICS
) -> AsyncIterator[KafkaLogReader]:
    """Return a reader of the named topics of the log; of all topics if none is named."""
    partitions = topics.partitions_of(of, settings.topic_partitions)
    reader = KafkaLogReader(settings.brokers, partitions, codec, keys, prefix=settings.topic_prefix)
    try:
        yield reader
    finally:
        await reader.close()


@asynccontextmanager
async def event_log(settings: LogSettings, codec: Codec, keys: Keys, publisher: Publisher) -> AsyncIterator[KafkaLog]:
    """Return a client that reads every topic of the log, and appends to it."""
    partitions = topics.partitions_of(partitions=settings.topic_partitions)
    log = KafkaLog(settings.brokers, partitions, codec, keys, publisher, prefix=settings.topic_prefix)
    try:
        yield log
    finally:
        await log.close()


def kept_reader(settings: LogSettings) -> KafkaKeptReader:
    """Return a reader of the topic of keys and passwords, to restore them."""
    return KafkaKeptReader(settings.brokers, settings.topic_partitions, prefix=settings.topic_prefix)


def kept_topic(settings: LogSettings, publisher: Publisher) -> KafkaKeptTopic:
    """Return a client that publishes to the topic of keys and passwords."""
    ids = HybridClock(drift_ms=inf)
    return KafkaKeptTopic(settings.brokers, settings.topic_partitions, publisher, ids, prefix=settings.topic_prefix)
