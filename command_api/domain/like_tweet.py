"""Liking: an account likes a tweet once, and not if it or the author blocks the other."""

from __future__ import annotations

import msgspec

from events.engagement import TweetLiked
from events.event import Event
from events.ids import AccountId, TweetId

from ..deciding import Decision
from ..facts import EngagementOf, Facts, Tweet, TweetFor
from .acting import engagement_of_actor, tweet_and_engagement
from .visible import visible


class LikeTweet(msgspec.Struct, frozen=True, gc=False):
    """`actor` likes `tweet`."""

    actor: AccountId
    tweet: TweetId


class State(msgspec.Struct, frozen=True, gc=False):
    """The tweet, or None if there is none, and whether the actor likes it already."""

    tweet: Tweet | None = None
    liked: bool = False


def decide(command: LikeTweet, state: State) -> list[Event]:
    """Return one TweetLiked, or nothing if the like exists. Raises TweetNotFound, TweetGone."""
    tweet = visible(command.tweet, state.tweet)
    if state.liked:
        return []
    return [TweetLiked(tweet=tweet.id, author=tweet.author, actor=command.actor)]


def state(command: LikeTweet, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    engagement = facts[EngagementOf(command.actor, command.tweet)]
    return State(facts[TweetFor(command.tweet, command.actor)], engagement.liked)


LIKE_TWEET = Decision(engagement_of_actor, tweet_and_engagement, state, decide)
