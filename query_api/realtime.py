"""What open streams are told: tweets of those you follow, your notifications, counts that move, trends.

The hub reads each new record once, when the read models have applied it, and looks up who of the connected it is
for: the cost is one look-up a record and one delivery a connected follower, nothing for those who are away. An event's
id is the position behind it, so a client that comes back with it goes on where it was, out of the log itself.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.graph import AccountFollowed, AccountUnfollowed
from events.ids import AccountId, TweetId
from events.log import LogReader, Positions, Record
from events.notifications import NotificationRaised
from events.trends import TrendsRanked
from events.tweets import TweetPosted
from rest import resources
from rest.times import rfc3339

MOST_WAITING = 1000
"""Events that a slow client may leave waiting; then it is told to read again from the start."""
MOST_REPLAYED = 5000
"""Records that are looked through for a client that comes back."""
WATCHED = 200
"""Tweets, the newest a stream has shown, whose counts it is told of."""

SOURCE_TOPICS = frozenset({"tweets", "engagement", "graph"})
DERIVED_TOPICS = frozenset({"notifications", "trends"})


class Sent(NamedTuple):
    """One event of a stream. `event` is tweet, notification, counts, trend or reset."""

    event: str
    data: bytes
    positions: Positions | None


class CountsMoved(msgspec.Struct, frozen=True):
    """Others did something with a tweet that the stream has shown."""

    tweet_id: str
    counts: resources.Counts


class Notified(msgspec.Struct, frozen=True):
    """A notification, as it is raised."""

    id: str
    kind: str
    actor: resources.Author
    tweet_id: str | None
    at: str


class Trending(msgspec.Struct, frozen=True):
    """The ranking of a window that ended."""

    window: str
    as_of: str
    items: Sequence[Any]


class Views(NamedTuple):
    """What the hub reads, each in batches."""

    followees: Callable[[AccountId], Awaitable[Iterable[AccountId]]]
    feed_items: Callable[[Sequence[Record], AccountId], Awaitable[Sequence[resources.FeedItem]]]
    counts: Callable[[Sequence[TweetId]], Awaitable[Mapping[TweetId, resources.Counts]]]
    authors: Callable[[Sequence[AccountId]], Awaitable[Mapping[AccountId, resources.Author]]]
    hidden: Callable[[AccountId, Sequence[AccountId]], Awaitable[frozenset[AccountId]]]


class Subscriber:
    """One open stream."""

    def __init__(self, viewer: AccountId, followees: set[AccountId]) -> None:
        self.viewer = viewer
        self.followees = followees
        self.watched: OrderedDict[TweetId, None] = OrderedDict()
        self.waiting: asyncio.Queue[Sent | None] = asyncio.Queue(MOST_WAITING + 1)

    def send(self, sent: Sent) -> None:
        """Leave an event for the client; one that is too slow loses what waits and is told to read again."""
        if self.waiting.qsize() >= MOST_WAITING:
            while not self.waiting.empty():
                self.waiting.get_nowait()
            self.waiting.put_nowait(Sent("reset", b'{"reason":"too slow"}', sent.positions))
            return
        self.waiting.put_nowait(sent)

    def watch(self, tweet: TweetId) -> None:
        """Tell of the counts of a tweet from now on."""
        self.watched[tweet] = None
        self.watched.move_to_end(tweet)
        while len(self.watched) > WATCHED:
            self.watched.popitem(last=False)

    def close(self) -> None:
        """End the stream once what waits is sent."""
        if self.waiting.full():
            self.waiting.get_nowait()
        self.waiting.put_nowait(None)


class Hub:
    """All open streams of one process. `logs` hold the source topics and the derived ones."""

    def __init__(self, logs: Sequence[LogReader], views: Views) -> None:
        self._logs = logs
        self._views = views
        self._subscribers: set[Subscriber] = set()
        self.positions = Positions()
        self._turn = asyncio.Lock()

    @property
    def open(self) -> int:
        """How many streams are open."""
        return len(self._subscribers)

    async def subscribe(self, viewer: AccountId, since: Positions | None) -> Subscriber:
        """Open a stream; `since` is where the client left, if it comes back."""
        async with self._turn:
            if not self._subscribers:
                self.positions = await self._ends()
            subscriber = Subscriber(viewer, {*await self._views.followees(viewer), viewer})
            if since is not None:
                await self._replay(subscriber, since)
            self._subscribers.add(subscriber)
            return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """The client is gone."""
        self._subscribers.discard(subscriber)

    def close(self) -> None:
        """End every stream."""
        for subscriber in self._subscribers:
            subscriber.close()

    async def advance(self, applied: Positions) -> None:
        """Deliver what the read models have applied since the last call."""
        if not self._subscribers:
            return
        async with self._turn:
            while records := await self._read(self.positions, applied):
                await self._deliver(records, self._subscribers)

    async def _ends(self) -> Positions:
        ends = Positions()
        for log in self._logs:
            ends = ends.merged(await log.ends())
        return ends

    async def _read(self, after: Positions, applied: Positions | None) -> list[Record]:
        records: list[Record] = []
        for log, topics in zip(self._logs, (SOURCE_TOPICS, DERIVED_TOPICS), strict=True):
            records += await log.read(after, 500, topics)
        if applied is None:
            return records
        return [r for r in records if r.topic in DERIVED_TOPICS or r.offset < applied.get(r.place, 0)]

    async def _replay(self, subscriber: Subscriber, since: Positions) -> None:
        behind = sum(end - since.get(place, 0) for place, end in self.positions.items())
        if behind > MOST_REPLAYED:
            subscriber.send(Sent("reset", b'{"reason":"too long ago"}', self.positions))
            return
        now, self.positions = self.positions, Positions(since)
        while records := [r for r in await self._read(self.positions, None) if r.offset < now.get(r.place, 0)]:
            await self._deliver(records, (subscriber,))
        self.positions = now

    async def _deliver(self, records: Sequence[Record], subscribers: Iterable[Subscriber]) -> None:
        for record in records:
            self.positions[record.place] = record.offset + 1
        at = Positions(self.positions)
        moved = {tweet for record in records if (tweet := _touched(record)) is not None}
        for subscriber in tuple(subscribers):
            self._follow_the_graph(records, subscriber)
            await self._tweets(records, subscriber, at)
            await self._notifications(records, subscriber, at)
            await self._counts([tweet for tweet in moved if tweet in subscriber.watched], subscriber, at)
            for record in records:
                if isinstance(record.event, TrendsRanked) and record.event.window.startswith("1h/"):
                    trending = Trending(record.event.window, rfc3339(record.event.end), record.event.items)
                    subscriber.send(Sent("trend", msgspec.json.encode(trending), at))

    def _follow_the_graph(self, records: Sequence[Record], subscriber: Subscriber) -> None:
        for record in records:
            event = record.event
            if isinstance(event, AccountFollowed) and event.follower == subscriber.viewer:
                subscriber.followees.add(event.followee)
            elif isinstance(event, AccountUnfollowed) and event.follower == subscriber.viewer:
                subscriber.followees.discard(event.followee)

    async def _tweets(self, records: Sequence[Record], subscriber: Subscriber, at: Positions) -> None:
        wanted = [record for record in records if _is_for(record, subscriber.followees)]
        if not wanted:
            return
        for item in await self._views.feed_items(wanted, subscriber.viewer):
            subscriber.watch(TweetId(item.tweet.id))
            subscriber.send(Sent("tweet", msgspec.json.encode(item), at))

    async def _notifications(self, records: Sequence[Record], subscriber: Subscriber, at: Positions) -> None:
        raised = [
            (record, record.event)
            for record in records
            if isinstance(record.event, NotificationRaised) and record.event.recipient == subscriber.viewer
        ]
        if not raised:
            return
        actors = [event.actor for _, event in raised]
        hidden = await self._views.hidden(subscriber.viewer, actors)
        authors = await self._views.authors(actors)
        for record, event in raised:
            author = authors.get(event.actor)
            if author is not None and event.actor not in hidden:
                told = Notified(event.notification, event.kind, author, event.tweet, rfc3339(record.about.time))
                subscriber.send(Sent("notification", msgspec.json.encode(told), at))

    async def _counts(self, tweets: Sequence[TweetId], subscriber: Subscriber, at: Positions) -> None:
        if not tweets:
            return
        for tweet, counts in (await self._views.counts(tweets)).items():
            subscriber.send(Sent("counts", msgspec.json.encode(CountsMoved(tweet, counts)), at))


def _is_for(record: Record, followees: Collection[AccountId]) -> bool:
    """Whether a record is an activity in the feed of someone who follows `followees` (stores/home_feed.py)."""
    event = record.event
    if isinstance(event, TweetPosted):
        return event.author in followees and (event.reply_to is None or event.reply_to.author in followees)
    return isinstance(event, TweetRetweeted) and event.actor in followees


def _touched(record: Record) -> TweetId | None:
    """The tweet whose counts a record moves."""
    event = record.event
    if isinstance(event, (TweetLiked, TweetUnliked, TweetRetweeted, RetweetUndone)):
        return event.tweet
    if isinstance(event, TweetPosted) and event.reply_to is not None:
        return event.reply_to.tweet
    return None
