"""What open streams are told: tweets of those you follow, posted, edited and deleted; notifications; counts; trends.

The hub reads each new record once, when the read models have applied it, and looks up who of the connected it is
for: the cost is one intersection of sets a batch and stream, one delivery a connected follower, nothing for those who
are away. An event's id is the position behind it, so a client that comes back with it goes on where it was, out of
the log itself: nothing is lost, and nothing but counts, which are a state, is told twice.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

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
"""Events that a slow client may leave waiting; then it is told to read again from the start."""
MOST_REPLAYED = 5000
"""Records that are looked through for a client that comes back."""
WATCHED = 200
"""Tweets, the newest in the feed or shown by the stream, whose counts a stream is told of."""
AT_ONCE = 500
"""Records that are read from a log at once."""

SOURCE_TOPICS = frozenset({"tweets", "engagement", "graph"})
DERIVED_TOPICS = frozenset({"notifications", "trends"})
TOPICS = SOURCE_TOPICS | DERIVED_TOPICS
_HOUR_MS = 3_600_000


Told = tuple[int, str, bytes]
"""The number of a record in its batch, the event's name, its data."""


class Sent(NamedTuple):
    """One event of a stream; stream_events.py has its names, beside `reset` and `still-here`."""

    event: str
    data: bytes
    positions: Positions


class Views(NamedTuple):
    """What the hub reads, each in batches."""

    followees: Callable[[AccountId], Awaitable[Iterable[AccountId]]]
    shown: Callable[[AccountId], Awaitable[Iterable[TweetId]]]
    """The tweets that the feed begins with, newest first."""
    feed_items: Callable[[Sequence[Record], AccountId], Awaitable[Sequence[resources.FeedItem | None]]]
    """One for each record; None where the viewer is not to see it."""
    counts: Callable[[Sequence[TweetId]], Awaitable[Mapping[TweetId, resources.Counts]]]
    tweets: Callable[[Sequence[TweetId], AccountId], Awaitable[Mapping[TweetId, resources.Tweet]]]
    """Less those that the viewer is not to see."""
    notifications: Callable[[AccountId, Sequence[Notification]], Awaitable[Sequence[resources.Notification | None]]]
    """One for each; None where the viewer is not to see it, or a later one stands for it."""


class Subscriber:
    """One open stream. `began` is where it began, `at` how far it has been told."""

    def __init__(
        self, viewer: AccountId, followees: Iterable[AccountId], watched: Iterable[TweetId], began: Positions
    ) -> None:
        self.viewer = viewer
        self.followees = {*followees, viewer}
        self.watched: OrderedDict[TweetId, None] = OrderedDict.fromkeys(watched)
        self.began = self.at = began
        self.waiting: asyncio.Queue[Sent | None] = asyncio.Queue()
        self._closed = False

    def send(self, sent: Sent) -> None:
        """Leave an event for the client; one that is too slow loses what waits and is told to read again."""
        if self._closed:
            return
        if self.waiting.qsize() >= MOST_WAITING:
            while not self.waiting.empty():
                self.waiting.get_nowait()
            sent = Sent("reset", b'{"reason":"too slow"}', sent.positions)
        self.waiting.put_nowait(sent)

    def gets(self, author: AccountId, replied: AccountId | None) -> bool:
        """Whether a post belongs to the feed (stores/home_feed.py); `replied` is the account that it replies to."""
        if author not in self.followees:
            return False
        return replied is None or author == self.viewer or replied in self.followees

    def watch(self, tweet: TweetId) -> None:
        """Tell of the counts of a tweet from now on."""
        self.watched[tweet] = None
        self.watched.move_to_end(tweet)
        while len(self.watched) > WATCHED:
            self.watched.popitem(last=False)

    def close(self) -> None:
        """End the stream once what waits is sent."""
        if not self._closed:
            self._closed = True
            self.waiting.put_nowait(None)


class Batch:
    """Records, with what every subscriber asks of them looked up once."""

    def __init__(self, records: Sequence[Record], start: Positions) -> None:
        self.records = records
        self.start = start
        self.end = Positions(start)
        self.behind: list[Positions] = []
        """The position behind each record."""
        self.activities: dict[AccountId, list[int]] = {}
        """The records of activities, by who posted or retweeted."""
        self.raised: dict[AccountId, list[tuple[int, Notification]]] = {}
        """The notifications, by recipient."""
        self.edited: dict[TweetId, tuple[int, TweetEdited]] = {}
        """The tweets that have another text, with the newest edit."""
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
            # A late event has the windows of long ago ranked again, an import thousands of them.
            just_ended = millis(record.about.id) - event.end < _HOUR_MS
            self._ranked += [(n, event)] if just_ended else []

    def trends(self) -> list[Told]:
        """What everyone is told."""
        if self._trends is None:
            self._trends = [(n, "trend", msgspec.json.encode(_trending(event))) for n, event in self._ranked]
        return self._trends


class Hub:
    """All open streams of one process. `logs` hold the source topics and the derived ones.

    `applied` tells how far the read models have come in the source topics: what they have not applied is not told yet.
    """

    def __init__(self, logs: Sequence[LogReader], views: Views, applied: Callable[[], Positions]) -> None:
        self._sources, self._derived = logs
        self._views = views
        self._applied = applied
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
        """The client is gone."""
        self._subscribers.discard(subscriber)

    def close(self) -> None:
        """End every stream; clients come back with the id of the last event they saw."""
        for subscriber in self._subscribers:
            subscriber.close()
        self._subscribers.clear()

    async def advance(self) -> None:
        """Deliver what the read models have applied since the last call."""
        async with self._turn:
            while self._subscribers and (records := await self._read(self.positions, self._applied())):
                batch = Batch(records, self.positions)
                for subscriber in tuple(self._subscribers):
                    if await self._deliver(batch, subscriber):
                        await asyncio.sleep(0)  # so that a tweet to a thousand streams keeps nobody else waiting
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
            batch = Batch(records, at)
            await self._deliver(batch, subscriber)
            at = batch.end
        subscriber.at = now

    async def _deliver(self, batch: Batch, subscriber: Subscriber) -> bool:
        """Tell a subscriber of a batch; whether there was anything for it.

        Counts go first: they stand where the batch begins, so that a client that gets no further is told them again.
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

    async def _tweets(self, batch: Batch, subscriber: Subscriber) -> list[Told]:
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

    async def _notifications(self, batch: Batch, subscriber: Subscriber) -> list[Told]:
        raised = batch.raised.get(subscriber.viewer)
        if not raised:
            return []
        items = await self._views.notifications(subscriber.viewer, [notification for _, notification in raised])
        return [
            (n, "notification", msgspec.json.encode(item))
            for (n, _), item in zip(raised, items, strict=True)
            if item is not None
        ]

    async def _edits(self, batch: Batch, subscriber: Subscriber) -> list[Told]:
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
    """Whether an activity of a followee is in the subscriber's feed."""
    return not isinstance(event, TweetPosted) or subscriber.gets(event.author, _replied(event))


def _deletions(batch: Batch, subscriber: Subscriber) -> list[Told]:
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
    """The tweets whose counts an event moves."""
    if isinstance(event, (TweetLiked, TweetUnliked, TweetRetweeted, RetweetUndone)):
        yield event.tweet
    elif isinstance(event, (TweetPosted, TweetDeleted)):
        for ref in (event.reply_to, event.quote_of):
            if ref is not None:
                yield ref.tweet
