"""The caches of a query process, and the cache keys that each event invalidates.

When a worker announces that a batch is committed, it also announces the keys that the batch invalidates
(stores/redis/advances.py). A query process invalidates them before a read that waits for the batch continues. Both
sides are in this module, so that they stay in step.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from events.accounts import AccountRegistered, ProfileChanged
from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.event import Event
from events.graph import AccountBlocked, AccountFollowed, AccountUnblocked, AccountUnfollowed
from events.ids import AccountId, TweetId
from events.log import Record
from events.personal import AccountMuted, AccountUnmuted, BookmarkRemoved, TweetBookmarked
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from events.usage import AccountActive
from runtime.distributed.models.catalogue import group_of
from stores.cached.home_timelines import RememberedHomeTimelines
from stores.cached.remembered import Remembered
from stores.cached.viewers import mark_of, weight_of_barriers
from stores.engagement import Marks
from stores.graph import Barriers
from stores.groups import HOME
from stores.home_timelines import HomeTimelines
from stores.sentiment import Reading
from stores.tweets import Tweet
from stores.users import Card

TWEETS = 20_000
"""About 1 KB each."""
CARDS, SCORES = 50_000, 50_000
BARRIERS = 200_000
"""A row for each account that is known, and for each account that it blocks or mutes."""
MARKS = 100_000

# A cache key: the kind of the row, and its id.
_TWEET, _CARD, _SCORE, _BARRIERS, _MARK = "t", "c", "s", "b", "m"
_ACTED, _VIEWER, _UNDONE = "a", "v", "u"

_Keys = Mapping[type[Event], Callable[[Any], str]]
_KEYS_OF_MODELS: Mapping[str, _Keys] = {
    "tweets": {
        TweetEdited: lambda event: _TWEET + event.tweet,
        TweetDeleted: lambda event: _TWEET + event.tweet,
    },
    "users": {
        ProfileChanged: lambda event: _CARD + event.account,
    },
    "graph": {
        AccountBlocked: lambda event: _BARRIERS + event.blocker,
        AccountUnblocked: lambda event: _BARRIERS + event.blocker,
        AccountMuted: lambda event: _BARRIERS + event.owner,
        AccountUnmuted: lambda event: _BARRIERS + event.owner,
    },
    "engagement": {
        TweetLiked: lambda event: _MARK + mark_of(event.actor, event.tweet),
        TweetUnliked: lambda event: _MARK + mark_of(event.actor, event.tweet),
        TweetRetweeted: lambda event: _MARK + mark_of(event.actor, event.tweet),
        RetweetUndone: lambda event: _MARK + mark_of(event.actor, event.tweet),
        TweetBookmarked: lambda event: _MARK + mark_of(event.owner, event.tweet),
        BookmarkRemoved: lambda event: _MARK + mark_of(event.owner, event.tweet),
    },
    "sentiment": {
        TweetEdited: lambda event: _SCORE + event.tweet,
    },
}
"""The read models whose rows are cached, and the key that each event invalidates."""
_KEYS_OF_HOME: _Keys = {
    TweetPosted: lambda event: _ACTED + event.author,
    TweetRetweeted: lambda event: _ACTED + event.actor,
    RetweetUndone: lambda event: _UNDONE + event.retweet,
    AccountFollowed: lambda event: _VIEWER + event.follower,
    AccountUnfollowed: lambda event: _VIEWER + event.follower,
    AccountRegistered: lambda event: _VIEWER + event.account,
    AccountActive: lambda event: _VIEWER + event.account,
}


def _by_group() -> Mapping[str, Mapping[type[Event], Sequence[Callable[[Any], str]]]]:
    found: dict[str, dict[type[Event], list[Callable[[Any], str]]]] = {}
    for group, keys in (*((group_of(model), keys) for model, keys in _KEYS_OF_MODELS.items()), (HOME, _KEYS_OF_HOME)):
        for event, key in keys.items():
            found.setdefault(group, {}).setdefault(event, []).append(key)
    return found


_KEYS = _by_group()


def outdated(group: str, records: Iterable[Record]) -> Iterator[str]:
    """Cache keys that these records invalidate once the group has applied them."""
    keys = _KEYS.get(group)
    if keys is None:
        return
    for record in records:
        event = record.event
        if event is not None:
            for key in keys.get(type(event), ()):
                yield key(event)


class _Counted(Protocol):
    asked: int
    missed: int


def _looked_up(rows: _Counted) -> tuple[int, int]:
    return rows.asked, rows.missed


class Memory:
    """The caches of a query process."""

    def __init__(self, timelines: HomeTimelines) -> None:
        self.tweets: Remembered[TweetId, Tweet] = Remembered(TWEETS)
        self.cards: Remembered[AccountId, Card] = Remembered(CARDS)
        self.scores: Remembered[TweetId, Reading] = Remembered(SCORES)
        self.barriers: Remembered[AccountId, Barriers] = Remembered(BARRIERS, weight_of_barriers)
        self.marks: Remembered[str, Marks] = Remembered(MARKS)
        self.timelines = RememberedHomeTimelines(timelines)
        self._forget: Mapping[str, Callable[[list[Any]], None]] = {
            _TWEET: self.tweets.forget,
            _CARD: self.cards.forget,
            _SCORE: self.scores.forget,
            _MARK: self.marks.forget,
            _BARRIERS: self._barriers_changed,
            _VIEWER: self.timelines.changed,
            _ACTED: self.timelines.acted,
            _UNDONE: self.timelines.undone,
        }

    def lookups(self) -> dict[str, Callable[[], tuple[int, int]]]:
        """The lookups and misses of each cache, for metrics."""
        kinds: dict[str, _Counted] = {
            "tweets": self.tweets,
            "authors": self.cards,
            "barriers": self.barriers,
            "marks": self.marks,
            "viewers": self.timelines.viewers,
            "timelines": self.timelines,
        }
        return {name: partial(_looked_up, rows) for name, rows in kinds.items()}

    def forget(self, group: str, names: Collection[str] | None) -> None:
        """Invalidate the rows of these keys; with None, all cached rows that the group writes."""
        if names is None:
            self._forget_all(group)
            return
        ids: dict[str, list[Any]] = {}
        for name in names:
            ids.setdefault(name[0], []).append(name[1:])
        for kind, those in ids.items():
            self._forget[kind](those)

    def _forget_all(self, group: str) -> None:
        cached: Mapping[str, Remembered[Any, Any]] = {
            "tweets": self.tweets,
            "users": self.cards,
            "graph": self.barriers,
            "engagement": self.marks,
            "sentiment": self.scores,
        }
        for model in _KEYS_OF_MODELS:
            if group_of(model) == group:
                cached[model].clear()
        if group in (HOME, group_of("graph")):
            self.timelines.clear()  # a viewer's rows include its mutes

    def _barriers_changed(self, owners: list[AccountId]) -> None:
        self.barriers.forget(owners)
        self.timelines.changed(owners)
