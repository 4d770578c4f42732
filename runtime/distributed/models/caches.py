"""What a query process remembers, and which events make which of it outdated.

A worker names what a batch made outdated when it tells that the batch has landed (stores/redis/advances.py); a query
process forgets that before a read that waits for the batch goes on. Both sides are here, so that they stay one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
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
from runtime.distributed.models.groups import HOME, STREAMS, TIMELINES
from stores.cached.home_timelines import RememberedHomeTimelines
from stores.cached.remembered import Remembered
from stores.cached.viewers import mark_of, weight_of_barriers
from stores.engagement import Marks
from stores.graph import Barriers
from stores.home_timelines import HomeTimelines
from stores.sentiment import Reading
from stores.tweets import Tweet
from stores.users import Card

TWEETS = 20_000
"""About 1 KB each."""
CARDS, SCORES = 50_000, 50_000
BARRIERS = 200_000
"""One for each account that is known, and one for each that it blocks or mutes."""
MARKS = 100_000

# A name of something remembered: what it is, and its id.
_TWEET, _CARD, _SCORE, _BARRIERS, _MARK = "t", "c", "s", "b", "m"
_ACTED, _VIEWER, _UNDONE = "a", "v", "u"

_Names = Mapping[type[Event], Callable[[Any], str]]
_NAMES: Mapping[str, _Names] = {
    TIMELINES: {
        TweetEdited: lambda event: _TWEET + event.tweet,
        TweetDeleted: lambda event: _TWEET + event.tweet,
        ProfileChanged: lambda event: _CARD + event.account,
        AccountBlocked: lambda event: _BARRIERS + event.blocker,
        AccountUnblocked: lambda event: _BARRIERS + event.blocker,
        AccountMuted: lambda event: _BARRIERS + event.owner,
        AccountUnmuted: lambda event: _BARRIERS + event.owner,
        TweetLiked: lambda event: _MARK + mark_of(event.actor, event.tweet),
        TweetUnliked: lambda event: _MARK + mark_of(event.actor, event.tweet),
        TweetRetweeted: lambda event: _MARK + mark_of(event.actor, event.tweet),
        RetweetUndone: lambda event: _MARK + mark_of(event.actor, event.tweet),
        TweetBookmarked: lambda event: _MARK + mark_of(event.owner, event.tweet),
        BookmarkRemoved: lambda event: _MARK + mark_of(event.owner, event.tweet),
    },
    STREAMS: {
        TweetEdited: lambda event: _SCORE + event.tweet,
    },
    HOME: {
        TweetPosted: lambda event: _ACTED + event.author,
        TweetRetweeted: lambda event: _ACTED + event.actor,
        RetweetUndone: lambda event: _UNDONE + event.retweet,
        AccountFollowed: lambda event: _VIEWER + event.follower,
        AccountUnfollowed: lambda event: _VIEWER + event.follower,
        AccountRegistered: lambda event: _VIEWER + event.account,
        AccountActive: lambda event: _VIEWER + event.account,
    },
}


def outdated(group: str, records: Iterable[Record]) -> Iterator[str]:
    """The names of what is not what it was, once a group has landed these records."""
    names = _NAMES.get(group)
    if names is None:
        return
    for record in records:
        event = record.event
        name = None if event is None else names.get(type(event))
        if name is not None:
            yield name(event)


class _Counted(Protocol):
    asked: int
    missed: int


def _looked_up(rows: _Counted) -> tuple[int, int]:
    return rows.asked, rows.missed


class Memory:
    """Everything that a query process remembers."""

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
        """For metrics: by what is looked up, how often it was and how often it was not at hand."""
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
        """Some of what a group writes is outdated; None: any of it may be."""
        if names is None:
            self._forget_all(group)
            return
        ids: dict[str, list[Any]] = {}
        for name in names:
            ids.setdefault(name[0], []).append(name[1:])
        for kind, those in ids.items():
            self._forget[kind](those)

    def _forget_all(self, group: str) -> None:
        if group == TIMELINES:
            for rows in (self.tweets, self.cards, self.barriers, self.marks):
                rows.clear()
            self.timelines.clear()  # who is muted is one of its rows
        elif group == STREAMS:
            self.scores.clear()
        elif group == HOME:
            self.timelines.clear()

    def _barriers_changed(self, owners: list[AccountId]) -> None:
        self.barriers.forget(owners)
        self.timelines.changed(owners)
