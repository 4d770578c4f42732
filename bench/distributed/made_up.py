"""Invented events, for figures that need no decisions: as records, and as records to be published."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterable, Iterator

from confluent_kafka import KafkaError, Producer

from events.accounts import AccountRegistered
from events.codec import Codec
from events.engagement import TweetLiked, TweetRetweeted
from events.entities import Entities
from events.event import BY_CLASS, Envelope, Event
from events.graph import AccountFollowed
from events.ids import AccountId, ActivityId, EventId, HybridClock, TweetId
from events.kafka.records import headers
from events.log import New, Record
from events.partitioning import partition_of
from events.publishing import Outgoing, outgoing
from events.tweets import TweetPosted

from .installation import PARTITIONS, Installation

_FLUSH_S = 120.0
_OF_A_HUNDRED = ((60, "like"), (80, "tweet"), (95, "follow"), (100, "retweet"))


class MadeUp:
    """Accounts and their activity: of a hundred events 60 likes, 20 tweets, 15 follows and 5 retweets."""

    def __init__(self, accounts: int) -> None:
        self.ids = HybridClock()
        self.accounts = [AccountId(self.ids.issue()) for _ in range(accounts)]
        self._chance = random.Random(1)  # noqa: S311  # a benchmark has to do the same each time
        self._tweets: list[tuple[TweetId, AccountId]] = []
        self._offsets: dict[tuple[str, int], Iterator[int]] = {}

    def registrations(self) -> Iterator[AccountRegistered]:
        """Yield the registration of each account."""
        for number, account in enumerate(self.accounts):
            yield AccountRegistered(account=account, username=f"user_{number}", display_name=f"User {number}")

    def history(self, number: int) -> Iterator[Event]:
        """Yield the activity. Accounts take turns, so that neighbouring records are of different accounts."""
        chance = self._chance
        for n in range(number):
            actor = self.accounts[n % len(self.accounts)]
            roll = chance.randrange(100)
            kind = next(name for limit, name in _OF_A_HUNDRED if roll < limit)
            if kind == "tweet" or not self._tweets:
                yield self.tweet(actor)
                continue
            tweet, author = chance.choice(self._tweets[-5000:])
            if kind == "like":
                yield TweetLiked(tweet=tweet, author=author, actor=actor)
            elif kind == "retweet":
                retweet = ActivityId(self.ids.issue())
                yield TweetRetweeted(retweet=retweet, tweet=tweet, author=author, actor=actor)
            else:
                yield AccountFollowed(follower=actor, followee=chance.choice(self.accounts))

    def tweet(self, author: AccountId) -> TweetPosted:
        """Return a tweet of some account."""
        tweet = TweetId(self.ids.issue())
        self._tweets.append((tweet, author))
        text = f"Waiting for the train again, it is late as always {len(self._tweets)}"
        return TweetPosted(tweet=tweet, author=author, text=text, entities=Entities(), conversation=tweet)

    def about(self) -> Envelope:
        """Return an envelope for an event of now."""
        return Envelope(EventId(self.ids.issue()), self.ids.now(), correlation="bench")

    def record(self, event: Event) -> Record:
        """Return the next record of the event's partition, in a log that does not exist."""
        kind = BY_CLASS[type(event)]
        key = kind.key(event)
        partition = partition_of(key, PARTITIONS)
        offset = next(self._offsets.setdefault((kind.topic, partition), itertools.count()))
        return Record(kind.topic, partition, offset, key, kind.name, kind.version, event, self.about())

    def outgoing(self, event: Event, codec: Codec) -> Outgoing:
        """Return the event as it is published. The codec's sealer has its subject's key."""
        return outgoing(New(event, self.about()), codec)


class NotWritten(Exception):
    """Kafka has not accepted the whole log."""


async def append(installation: Installation, records: Iterable[Outgoing]) -> None:
    """Write a log, as fast as librdkafka can. Raises NotWritten."""
    await asyncio.to_thread(_append, installation, records)


def _append(installation: Installation, records: Iterable[Outgoing]) -> None:
    producer = Producer({"bootstrap.servers": installation.servers, "enable.idempotence": True, "linger.ms": 5})
    failed: list[KafkaError] = []

    def told(error: KafkaError | None, _: object) -> None:
        if error is not None:
            failed.append(error)

    for record in records:
        topic, partition = installation.settings.topic_prefix + record.topic, partition_of(record.key, PARTITIONS)
        while True:
            try:
                producer.produce(
                    topic, record.value, record.key, partition, headers=[*headers(record)], on_delivery=told
                )
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    left = producer.flush(_FLUSH_S)
    if failed or left:
        raise NotWritten(f"{left} records are left, {len(failed)} failed: {failed[:1]}")
