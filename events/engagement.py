"""Engagement: likes and retweets. Topic `engagement`, keyed by the one who acts, so that a viral tweet spreads."""

from __future__ import annotations

from .event import Event, event
from .ids import AccountId, ActivityId, TweetId


@event(topic="engagement", key="actor")
class TweetLiked(Event, frozen=True, kw_only=True):
    """`actor` likes a tweet of `author`."""

    tweet: TweetId
    author: AccountId
    actor: AccountId


@event(topic="engagement", key="actor")
class TweetUnliked(Event, frozen=True, kw_only=True):
    """`actor` takes the like back."""

    tweet: TweetId
    author: AccountId
    actor: AccountId


@event(topic="engagement", key="actor")
class TweetRetweeted(Event, frozen=True, kw_only=True):
    """`actor` passes a tweet on. `retweet` is made of the moment it happened: timelines are ordered by it."""

    retweet: ActivityId
    tweet: TweetId
    author: AccountId
    actor: AccountId


@event(topic="engagement", key="actor")
class RetweetUndone(Event, frozen=True, kw_only=True):
    """`actor` takes the retweet back."""

    retweet: ActivityId
    tweet: TweetId
    author: AccountId
    actor: AccountId
