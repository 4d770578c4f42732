"""Short functions that append events to the log of either profile, and read it."""

from collections.abc import Callable
from typing import Any

from events.accounts import AccountRegistered
from events.entities import Entities, Hashtag
from events.event import Envelope, Event
from events.graph import AccountFollowed
from events.ids import AccountId, EventId, Millis, TweetId, id_at
from events.log import (
    LogReader,
    New,
    Positions,
    Record,
    positions_after,
)
from events.tweets import Place, TweetPosted
from tests.contracts.embedded import Embedded
from tests.contracts.kafka_system import KafkaSystem

LogSystem = Embedded | KafkaSystem
"""A log of either profile."""

ACCOUNTS = [AccountId(id_at(Millis(1), f"account {n}")) for n in range(8)]
TWEET = TweetId(id_at(Millis(1), "tweet"))


def new(system: LogSystem, event: Event, **about: Any) -> New:
    """Return an event to append, with the next id."""
    return New(event, Envelope(**{"id": EventId(system.ids.issue()), "time": system.clock(), **about}))


def registered(system: LogSystem, account: AccountId = ACCOUNTS[0]) -> New:
    return new(
        system, AccountRegistered(account=account, username=f"u{account[:8]}", display_name="U", email="u@x.org")
    )


def followed(system: LogSystem, follower: AccountId = ACCOUNTS[0], followee: AccountId = ACCOUNTS[1]) -> New:
    return new(system, AccountFollowed(follower=follower, followee=followee))


def posted(system: LogSystem, author: AccountId = ACCOUNTS[0]) -> New:
    event = TweetPosted(
        tweet=TWEET, author=author, text="hello #tag", entities=Entities((Hashtag("tag", 6, 10),)), conversation=TWEET,
        location=Place(lat=5.6, lon=-0.2), sensitive=True,
    )  # fmt: skip
    return new(system, event)


async def everything(
    log: LogReader, limit: int = 1000, topics: list[str] | None = None, after: Positions | None = None
) -> list[Record]:
    """Read the whole log, or the records after `after`, in batches of `limit`."""
    records: list[Record] = []
    positions = Positions(after or {})
    while batch := await log.read(positions, limit, topics):
        assert len(batch) <= limit
        records += batch
        positions = positions_after(batch, positions)
    return records


def ids_of(records: list[Record]) -> list[str]:
    return [record.about.id for record in records]


def sealed_event_of(account: AccountId) -> Callable[[Record], bool]:
    return lambda record: record.type == "TweetPosted" and record.key == account
