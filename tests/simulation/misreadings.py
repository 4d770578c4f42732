"""Bugs to plant on the way from the log to an answer: in what is derived, and in what is read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import patch

import msgspec

from events.engagement import TweetUnliked
from events.event import BY_CLASS, Envelope
from events.graph import AccountUnfollowed
from events.ids import EventId, at_time, id_at, millis
from events.log import New
from events.tweets import TweetDeleted, TweetEdited
from projectors.counts import Counts
from projectors.graph import Graph
from stores.pages import Page
from stores.sqlite.home_feed import SqliteHomeFeed
from stores.sqlite.shown_tweets import SqliteShownTweets
from stores.sqlite.trends import SqliteTrendRows
from stores.trends import HOUR
from streams.notifications import Notifications
from streams.stream import Stream

from .planting import mutation, without


@mutation
def unfollow_deletes_timeline_rows() -> Iterator[Any]:
    """An unfollow takes its rows out of the home timeline, and following again brings none of them back."""
    dropped: dict[tuple[str, str], str] = {}
    right_unfollowed, right_page = Graph.handlers[AccountUnfollowed], SqliteHomeFeed.page

    def unfollowed(self: Graph, event: AccountUnfollowed, about: Envelope) -> None:
        right_unfollowed(self, event, about)
        dropped[event.follower, event.followee] = at_time(about.id, about.time)

    async def page(self: SqliteHomeFeed, viewer: Any, before: str | None, limit: int) -> Page[Any]:
        found = await right_page(self, viewer, before, limit)
        return Page([a for a in found.items if a.id > dropped.get((viewer, a.by), "")], found.next)

    yield patch.object(Graph, "handlers", Graph.handlers | {AccountUnfollowed: unfollowed})
    yield patch.object(SqliteHomeFeed, "page", page)


@mutation
def window_is_closed_by_a_watermark() -> Iterator[Any]:
    """Tweets that come an hour after something newer count in no trend."""
    newest = [0]
    right = SqliteTrendRows.posted

    def posted(self: SqliteTrendRows, tweet: Any, author: Any, tags: Mapping[str, str]) -> None:
        newest[0] = max(newest[0], millis(tweet))
        if millis(tweet) > newest[0] - HOUR:
            right(self, tweet, author, tags)

    yield patch.object(SqliteTrendRows, "posted", posted)


@mutation
def mention_is_resolved_when_read() -> Iterator[Any]:
    """A mention means whoever has the name when the tweet is read."""
    right_init, right_of = SqliteShownTweets.__init__, SqliteShownTweets.of

    def init(self: Any, connection: Any, names: Mapping[str, str]) -> None:
        right_init(self, connection, names)
        self.named = lambda name: (
            connection.execute(f"SELECT id FROM {names['users']} WHERE folded=?", (name.lower(),)).get
        )

    async def of(self: Any, viewer: Any, tweets: Any) -> Any:
        found = await right_of(self, viewer, tweets)
        for id_, row in found.items():
            entities = msgspec.json.decode(row.entities)
            for mention in entities["mentions"]:
                mention["account"] = self.named(mention["username"])
            found[id_] = row._replace(entities=msgspec.json.encode(entities))
        return found

    yield patch.object(SqliteShownTweets, "__init__", init)
    yield patch.object(SqliteShownTweets, "of", of)


@mutation
def cursor_by_offset() -> Iterator[Any]:
    """A page of the feed begins so many items after the first, whatever came in since."""
    right = SqliteHomeFeed.page

    async def page(self: SqliteHomeFeed, viewer: Any, before: str | None, limit: int) -> Page[Any]:
        start = int(before or 0)
        items = (await right(self, viewer, None, start + limit + 1)).items
        return Page(items[start : start + limit], str(start + limit) if len(items) > start + limit else None)

    yield patch.object(SqliteHomeFeed, "page", page)


@mutation
def deleting_is_not_counted() -> Iterator[Any]:
    """Counters go up with a tweet, and not down again with its deletion."""
    yield without(Counts, TweetDeleted)


@mutation
def notification_stays_after_unlike() -> Iterator[Any]:
    """A like that was taken back is still told of."""
    yield without(Notifications, TweetUnliked)


@mutation
def notified_twice_by_an_edit() -> Iterator[Any]:
    """An edit tells everybody whom the tweet mentions, told before or not."""
    right = Notifications.handlers[TweetEdited]

    def edited(self: Notifications, event: TweetEdited, about: Envelope) -> None:
        with patch.object(type(self._raised), "of", lambda self, actor, about: []):
            right(self, event, about)

    yield patch.object(Notifications, "handlers", Notifications.handlers | {TweetEdited: edited})


@mutation
def derived_ids_by_chance() -> Iterator[Any]:
    """A derived record has an id of the moment it was derived, so that deriving it again makes another one."""
    made = [0]

    def emit(self: Stream, event: Any, source: Envelope, time: Any = None) -> None:
        made[0] += 1
        kind = BY_CLASS[type(event)]
        id_ = EventId(id_at(millis(source.id), kind.topic, kind.key(event), str(made[0])))
        self._emit(New(event, Envelope(id_, source.time if time is None else time, causation=source.id)))

    yield patch.object(Stream, "emit", emit)
