"""Fill a log in a directory, and read it as its owner and as another process."""

from pathlib import Path
from typing import Any

import apsw

from events.accounts import AccountRegistered
from events.entities import Entities
from events.event import Envelope, Event
from events.graph import AccountFollowed
from events.ids import AccountId, EventId, HybridClock, Millis, TweetId, id_at
from events.log import LogReader, New, Record
from events.tweets import TweetPosted
from runtime.embedded.log_db import LogDb, open_reader

ROOT = Path(__file__).parents[2]
ALICE, BOB = (AccountId(id_at(Millis(1), name)) for name in ("alice", "bob"))
TWEET = TweetId(id_at(Millis(1), "tweet"))


def opened(directory: Path, **options: Any) -> LogDb:
    directory.mkdir(exist_ok=True)
    return LogDb(directory, ids=HybridClock(), **options)


def new(db: LogDb, event: Event) -> New:
    return New(event, Envelope(EventId(db.ids.issue()), db.ids.now()))


def followed(db: LogDb) -> New:
    return new(db, AccountFollowed(follower=ALICE, followee=BOB))


def posted(db: LogDb, text: str = "a tweet") -> New:
    return new(db, TweetPosted(tweet=TWEET, author=ALICE, text=text, entities=Entities(), conversation=TWEET))


async def filled(directory: Path, tweets: int = 100) -> Path:
    """A log with an account, its tweets and follows, closed and checkpointed."""
    db = opened(directory)
    await db.log.append([new(db, AccountRegistered(account=ALICE, username="alice", display_name="Alice"))])
    for n in range(tweets):
        await db.log.append([posted(db, f"tweet {n} " + "x" * 100), followed(db)])
    await db.close()
    checkpoint(directory)
    return directory


def checkpoint(directory: Path) -> None:
    connection = apsw.Connection(str(directory / "log.db"))
    connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.close()


async def everything(log: LogReader) -> list[Record]:
    return await log.read({}, 1_000_000)


async def read_by_all(directory: Path) -> list[Record]:
    """Return the records that the owner reads, and check that another process reads the same."""
    db = opened(directory)
    try:
        records = await everything(db.log)
    finally:
        await db.close()
    reader = open_reader(directory)
    assert await everything(reader) == records
    reader.table.connection.close()
    return records
