"""Removing a like, also from a tweet that is deleted or hidden by a block."""

from __future__ import annotations

import msgspec

from events.engagement import TweetUnliked
from events.event import Event
from events.ids import AccountId, TweetId

from ..deciding import Decision
from ..facts import EngagementOf, Facts, Tweet, TweetFor
from .acting import engagement_of_actor, tweet_and_engagement
from .visible import known


class UnlikeTweet(msgspec.Struct, frozen=True, gc=False):
    """`actor` removes its like of `tweet`."""

    actor: AccountId
    tweet: TweetId


class State(msgspec.Struct, frozen=True, gc=False):
    """The tweet, or None if there is none, and whether the actor likes it."""

    tweet: Tweet | None = None
    liked: bool = False


def decide(command: UnlikeTweet, state: State) -> list[Event]:
    """Return one TweetUnliked, or nothing if there is no like. Raises TweetNotFound."""
    tweet = known(command.tweet, state.tweet)
    if not state.liked:
        return []
    return [TweetUnliked(tweet=tweet.id, author=tweet.author, actor=command.actor)]


def state(command: UnlikeTweet, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    engagement = facts[EngagementOf(command.actor, command.tweet)]
    return State(facts[TweetFor(command.tweet, command.actor)], engagement.liked)


UNLIKE_TWEET = Decision(engagement_of_actor, tweet_and_engagement, state, decide)
