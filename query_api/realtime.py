"""The events of open streams: tweets of followed accounts, edits and deletions, notifications, counts, trends.

The hub reads each new record once, after the read models have applied it, and finds the connected viewers that it is
for. The cost is one intersection of sets per batch and stream and one delivery per connected follower; accounts without
a stream cost nothing. The id of an event is the position after it. A client that reconnects with the id continues
there, from the log itself: no event is lost, and only counts, which are a state, are sent twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
from cachetools import LRUCache

from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.graph import AccountFollowed, AccountUnfollowed
from events.ids import AccountId, TweetId, millis
from events.log import LogReader, Positions, Record
from events.notifications import NotificationRaised
from events.trends import TrendsRanked
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from rest import resources
from rest.times import rfc3339
from stores.notifications import Notification

from .stream_events import CountsMoved, Deleted, RankedTag, Trending

MOST_WAITING = 1000
"""Events that may wait for a slow client. At more, they are dropped and the client gets a `reset`."""
MOST_REPLAYED = 5000
"""Records that are read for a client that reconnects. If there are more, it gets a `reset`."""
WATCHED = 200
"""Tweets whose counts a stream gets: the newest ones in the feed or sent by the stream."""
AT_ONCE = 500
"""Records per read of a log."""

SOURCE_TOPICS = frozenset({"tweets", "engagement", "graph"})
DERIVED_TOPICS = frozenset({"notifications", "trends"})
TOPICS = SOURCE_TOPICS | DERIVED_TOPICS
_HOUR_MS = 3_600_000


Told = tuple[int, str, bytes]
"""The index of the record in its batch, the event's name, the event's data."""


class Sent(NamedTuple):
    """One event of a stream. The names are those of stream_events.py, and `reset` and `still-here`."""

    event: str
    data: bytes
    positions: Positions


class HubQueries(NamedTuple):
    """The queries of the hub. Each answers for a whole batch."""

    followees: Callable[[AccountId], Awaitable[Iterable[AccountId]]]
    shown: Callable[[AccountId], Awaitable[Iterable[TweetId]]]
    """The first tweets of the account's feed, newest first."""
    feed_items: Callable[[Sequence[Record], AccountId], Awaitable[Sequence[resources.FeedItem | None]]]
    """An item for each record; None if the viewer must not see it."""
    counts: Callable[[Sequence[TweetId]], Awaitable[Mapping[TweetId, resources.Counts]]]
    tweets: Callable[[Sequence[TweetId], AccountId], Awaitable[Mapping[TweetId, resources.Tweet]]]
    """Without tweets that the viewer must not see."""
    notifications: Callable[[AccountId, Sequence[Notification]], Awaitable[Sequence[resources.Notification | None]]]
    """An item for each notification; None if the viewer must not see it, or a later one has the same item."""


class Subscriber:
    """One open stream. `began` is its first position, `at` the position up to which it has been served."""

    def __init__(
        self, viewer: AccountId, followees: Iterable[AccountId], watched: Iterable[TweetId], began: Positions
    ) -> None:
        self.viewer = viewer
        self.followees = {*followees, viewer}
        self.watched: LRUCache[TweetId, None] = LRUCache(WATCHED)
        self.watched.update(dict.fromkeys(watched))
        self.began = self.at = began
        self.waiting: asyncio.Queue[Sent | None] = asyncio.Queue()
        self._closed = False

    def send(self, sent: Sent) -> None:
        """Queue an event for the client. If too many wait, drop them and queue a `reset`."""
        if self._closed:
            return
        if self.waiting.qsize() >= MOST_WAITING:
            while not self.waiting.empty():
                self.waiting.get_nowait()
            sent = Sent("reset", b'{"reason":"too slow"}', sent.positions)
        self.waiting.put_nowait(sent)

    def gets(self, author: AccountId, replied: AccountId | None) -> bool:
        """Return whether a post belongs to the feed (stores/home_feed.py); `replied` is the replied account or None."""
        if author not in self.followees:
            return False
        return replied is None or author == self.viewer or replied in self.followees

    def watch(self, tweet: TweetId) -> None:
        """Send the counts of a tweet from now on."""
        self.watched[tweet] = None

    def close(self) -> None:
        """End the stream after the queued events."""
        if not self._closed:
            self._closed = True
            self.waiting.put_nowait(None)


class IndexedBatch:
    """Records, indexed once for all subscribers."""

    def __init__(self, records: Sequence[Record], start: Positions) -> None:
        self.records = records
        self.start = start
        self.end = Positions(start)
        self.behind: list[Positions] = []
        """The positions just after each record."""
        self.activities: dict[AccountId, list[int]] = {}
        """The indexes of posts and retweets, by acting account."""
        self.raised: dict[AccountId, list[tuple[int, Notification]]] = {}
        """The notifications, by recipient."""
        self.edited: dict[TweetId, tuple[int, TweetEdited]] = {}
        """The edited tweets, with the newest edit."""
        self.deleted: list[tuple[int, TweetDeleted]] = []
        self._ranked: list[tuple[int, TrendsRanked]] = []
        self._trends: list[Told] | None = None
        self.moved: set[TweetId] = set()
        for n, record in enumerate(records):
            self.end[record.place] = record.offset + 1
            self.behind.append(Positions(self.end))
            self._look_at(n, record)
        self.acting = frozenset(self.activities)

    def _look_at(self, n: int, record: Record) -> None:
        event = record.event
        self.moved.update(_touched(event))
        if isinstance(event, TweetPosted) and not event.imported:
            self.activities.setdefault(event.author, []).append(n)
        elif isinstance(event, TweetRetweeted):
            self.activities.setdefault(event.actor, []).append(n)
        elif isinstance(event, NotificationRaised):
            notification = Notification(event.notification, event.kind, event.actor, event.tweet)
            self.raised.setdefault(event.recipient, []).append((n, notification))
        elif isinstance(event, TweetEdited):
            self.edited[event.tweet] = (n, event)
        elif isinstance(event, TweetDeleted):
            self.deleted.append((n, event))
        elif isinstance(event, TrendsRanked) and event.window.startswith("1h/"):
            # Only windows that just ended: a late event makes old windows be ranked again, an import thousands of them.
            just_ended = millis(record.about.id) - event.end < _HOUR_MS
            self._ranked += [(n, event)] if just_ended else []

    def trends(self) -> list[Told]:
        """Return the trends, which all streams get."""
        if self._trends is None:
            self._trends = [(n, "trend", msgspec.json.encode(_trending(event))) for n, event in self._ranked]
        return self._trends


class Hub:
    """All open streams of one process. `logs` are the log of the source topics and the log of the derived topics.

    `applied` returns the positions of the read models in the source topics. Later records are not sent yet.
    """

    def __init__(self, logs: Sequence[LogReader], views: HubQueries, applied: Callable[[], Positions]) -> None:
        self._sources, self._derived = logs
        self._views = views
        self._applied = applied
        self._subscribers: set[Subscriber] = set()
        self.positions = Positions()
        self._turn = asyncio.Lock()

    @property
    def open(self) -> int:
        """The number of open streams."""
        return len(self._subscribers)

    async def subscribe(self, viewer: AccountId, since: Positions | None) -> Subscriber:
        """Open a stream. `since` are the positions of a reconnecting client, None for a new one."""
        async with self._turn:
            if not self._subscribers:
                ends = self._applied().merged(await self._derived.ends())
                self.positions = Positions((place, end) for place, end in ends.items() if place.topic in TOPICS)
            followees = await self._views.followees(viewer)
            watched = list(await self._views.shown(viewer))[:WATCHED]
            subscriber = Subscriber(viewer, followees, reversed(watched), since or self.positions)
            if since is not None:
                await self._replay(subscriber, since)
            self._subscribers.add(subscriber)
            return subscriber

    def unsubscribe(self, subscriber: Subscriber) -> None:
        """Remove the stream of a client that has left."""
        self._subscribers.discard(subscriber)

    def close(self) -> None:
        """End every stream. Clients reconnect with the id of the last event they received."""
        for subscriber in self._subscribers:
            subscriber.close()
        self._subscribers.clear()

    async def advance(self) -> None:
        """Deliver the records that the read models have applied since the last call."""
        async with self._turn:
            while self._subscribers and (records := await self._read(self.positions, self._applied())):
                batch = IndexedBatch(records, self.positions)
                for subscriber in tuple(self._subscribers):
                    if await self._deliver(batch, subscriber):
                        await asyncio.sleep(0)  # so that a tweet to a thousand streams does not block the event loop
                self.positions = batch.end

    async def _read(self, after: Positions, until: Mapping[Any, int]) -> list[Record]:
        records = await self._sources.read(after, AT_ONCE, SOURCE_TOPICS)
        records = [record for record in records if record.offset < until.get(record.place, 0)]
        return records + await self._derived.read(after, AT_ONCE, DERIVED_TOPICS)

    async def _replay(self, subscriber: Subscriber, since: Positions) -> None:
        now = self.positions
        if sum(max(0, end - since.get(place, 0)) for place, end in now.items()) > MOST_REPLAYED:
            subscriber.send(Sent("reset", b'{"reason":"too long ago"}', now))
            subscriber.at = now
            return
        at = Positions((place, min(since.get(place, 0), end)) for place, end in now.items())
        while records := [record for record in await self._read(at, now) if record.offset < now.get(record.place, 0)]:
            batch = IndexedBatch(records, at)
            await self._deliver(batch, subscriber)
            at = batch.end
        subscriber.at = now

    async def _deliver(self, batch: IndexedBatch, subscriber: Subscriber) -> bool:
        """Send a batch's events to a subscriber. Return whether there were any.

        Counts go first, with the positions at the start of the batch: a client that disconnects in between gets them
        again.
        """
        _follow_the_graph(batch.records, subscriber)
        counts = await self._counts([tweet for tweet in batch.moved if tweet in subscriber.watched])
        told = await self._tweets(batch, subscriber) + await self._edits(batch, subscriber)
        told += _deletions(batch, subscriber) + await self._notifications(batch, subscriber) + batch.trends()
        sent = [Sent("counts", data, batch.start) for data in counts]
        sent += [Sent(event, data, batch.behind[n]) for n, event, data in sorted(told)]
        for event in sent[:-1]:
            subscriber.send(event)
        if sent:
            subscriber.send(sent[-1]._replace(positions=batch.end))
        subscriber.at = batch.end
        return bool(sent)

    async def _tweets(self, batch: IndexedBatch, subscriber: Subscriber) -> list[Told]:
        acting = batch.acting & subscriber.followees
        wanted = [n for actor in acting for n in batch.activities[actor]]
        wanted = sorted(n for n in wanted if _is_for(batch.records[n].event, subscriber))
        if not wanted:
            return []
        told = []
        items = await self._views.feed_items([batch.records[n] for n in wanted], subscriber.viewer)
        for n, item in zip(wanted, items, strict=True):
            if item is not None:
                subscriber.watch(TweetId(item.tweet.id))
                told.append((n, "tweet", msgspec.json.encode(item)))
        return told

    async def _notifications(self, batch: IndexedBatch, subscriber: Subscriber) -> list[Told]:
        raised = batch.raised.get(subscriber.viewer)
        if not raised:
            return []
        items = await self._views.notifications(subscriber.viewer, [notification for _, notification in raised])
        return [
            (n, "notification", msgspec.json.encode(item))
            for (n, _), item in zip(raised, items, strict=True)
            if item is not None
        ]

    async def _edits(self, batch: IndexedBatch, subscriber: Subscriber) -> list[Told]:
        wanted = [
            tweet
            for tweet, (_, event) in batch.edited.items()
            if tweet in subscriber.watched or event.author in subscriber.followees
        ]
        if not wanted:
            return []
        tweets = await self._views.tweets(wanted, subscriber.viewer)
        told = []
        for id_, tweet in tweets.items():
            n, event = batch.edited[id_]
            replied = None if tweet.reply_to is None else AccountId(tweet.reply_to.author_id)
            if id_ in subscriber.watched or subscriber.gets(event.author, replied):
                told.append((n, "tweet.edited", msgspec.json.encode(tweet)))
        return told

    async def _counts(self, tweets: Sequence[TweetId]) -> list[bytes]:
        if not tweets:
            return []
        counts = await self._views.counts(tweets)
        return [msgspec.json.encode(CountsMoved(tweet, moved)) for tweet, moved in counts.items()]


def _trending(event: TrendsRanked) -> Trending:
    tags = [RankedTag(tag.tag, tag.count, tag.authors, tag.expected, tag.score) for tag in event.items]
    return Trending(event.window, rfc3339(event.end), tags)


def _follow_the_graph(records: Iterable[Record], subscriber: Subscriber) -> None:
    for record in records:
        event = record.event
        if isinstance(event, AccountFollowed) and event.follower == subscriber.viewer:
            subscriber.followees.add(event.followee)
        elif isinstance(event, AccountUnfollowed) and event.follower == subscriber.viewer:
            subscriber.followees.discard(event.followee)


def _is_for(event: object, subscriber: Subscriber) -> bool:
    """Return whether an activity of a followee belongs to the subscriber's feed."""
    return not isinstance(event, TweetPosted) or subscriber.gets(event.author, _replied(event))


def _deletions(batch: IndexedBatch, subscriber: Subscriber) -> list[Told]:
    told = []
    for n, event in batch.deleted:
        watched = event.tweet in subscriber.watched
        if watched or subscriber.gets(event.author, _replied(event)):
            subscriber.watched.pop(event.tweet, None)
            told.append((n, "tweet.deleted", msgspec.json.encode(Deleted(event.tweet))))
    return told


def _replied(event: TweetPosted | TweetDeleted) -> AccountId | None:
    return None if event.reply_to is None else event.reply_to.author


def _touched(event: object) -> Iterator[TweetId]:
    """Yield the tweets whose counts an event changes."""
    if isinstance(event, (TweetLiked, TweetUnliked, TweetRetweeted, RetweetUndone)):
        yield event.tweet
    elif isinstance(event, (TweetPosted, TweetDeleted)):
        for ref in (event.reply_to, event.quote_of):
            if ref is not None:
                yield ref.tweet
