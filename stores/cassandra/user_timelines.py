"""User timelines on Cassandra: one row for each activity, by account and 30 days.

One write an event, two reads a page.
"""

from __future__ import annotations

from collections.abc import Sequence

from events.ids import AccountId, ActivityId, TweetId, from_bytes, to_bytes

from ..pages import Page
from ..user_timelines import Activity, UserTimelineRows, UserTimelines
from .buckets import MONTH_MS, ListedRows, Listing, ListingReader, Shown
from .model import Model
from .session import CassandraSession, Row
from .sink import CassandraSink

TIMELINES = Listing("user_timelines", ("account",), "activity", ("tweet", "reply_to"), MONTH_MS)


class CassandraUserTimelineRows:
    """The UserTimelineRows port."""

    def __init__(self, sink: CassandraSink, keyspace: str) -> None:
        self._rows = ListedRows(sink, keyspace, TIMELINES)

    def posted(self, author: AccountId, tweet: TweetId, reply_to_author: AccountId | None) -> None:
        """Add a posted tweet."""
        self._rows.put((to_bytes(author),), tweet, None, to_bytes(reply_to_author) if reply_to_author else None)

    def deleted(self, author: AccountId, tweet: TweetId) -> None:
        """Remove a deleted tweet."""
        self._rows.remove((to_bytes(author),), tweet)

    def retweeted(self, actor: AccountId, retweet: ActivityId, tweet: TweetId) -> None:
        """Add a retweet."""
        self._rows.put((to_bytes(actor),), retweet, to_bytes(tweet), None)

    def undone(self, actor: AccountId, retweet: ActivityId) -> None:
        """Remove a retweet that was undone."""
        self._rows.remove((to_bytes(actor),), retweet)


class CassandraUserTimelines:
    """The UserTimelines port."""

    def __init__(self, session: CassandraSession, keyspace: str) -> None:
        self._rows = ListingReader(session, keyspace, TIMELINES)

    async def all(self, account: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """Return a page of the account's tweets and retweets."""
        return await self._page(account, before, limit, None)

    async def without_replies(self, account: AccountId, before: str | None, limit: int) -> Page[Activity]:
        """Return a page of the account's tweets and retweets without replies to other accounts."""
        own = to_bytes(account)

        async def shown(rows: Sequence[Row]) -> list[bool]:
            return [reply_to is None or reply_to == own for _, _, reply_to in rows]

        return await self._page(account, before, limit, shown)

    async def _page(self, account: AccountId, before: str | None, limit: int, shown: Shown | None) -> Page[Activity]:
        rows, next_ = await self._rows.page((to_bytes(account),), before, limit, shown)
        return Page([_activity(activity, tweet, account) for activity, tweet, _ in rows], next_)


def _activity(activity: bytes, tweet: bytes | None, by: AccountId) -> Activity:
    id_ = from_bytes(activity)
    if tweet is None:
        return Activity(ActivityId(id_), TweetId(id_), by, False)
    return Activity(ActivityId(id_), TweetId(from_bytes(tweet)), by, True)


MODEL: Model[UserTimelineRows, UserTimelines] = Model(
    ("user_timelines",), CassandraUserTimelineRows, CassandraUserTimelines
)
