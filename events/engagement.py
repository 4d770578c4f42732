"""Engagement: likes and retweets. Topic `engagement`, keyed by actor, so that likes of a viral tweet spread over
partitions.
"""

from __future__ import annotations

from .event import Event, event
from .ids import AccountId, ActivityId, TweetId


@event(topic="engagement", key="actor")
class TweetLiked(Event, frozen=True, kw_only=True):
    """`actor` liked a tweet of `author`."""

    tweet: TweetId
    author: AccountId
    actor: AccountId


@event(topic="engagement", key="actor")
class TweetUnliked(Event, frozen=True, kw_only=True):
    """`actor` removed the like."""

    tweet: TweetId
    author: AccountId
    actor: AccountId


@event(topic="engagement", key="actor")
class TweetRetweeted(Event, frozen=True, kw_only=True):
    """`actor` retweeted a tweet. The id `retweet` carries the time of the retweet; timelines are sorted by it."""

    retweet: ActivityId
    tweet: TweetId
    author: AccountId
    actor: AccountId


@event(topic="engagement", key="actor")
class RetweetUndone(Event, frozen=True, kw_only=True):
    """`actor` removed the retweet."""

    retweet: ActivityId
    tweet: TweetId
    author: AccountId
    actor: AccountId
