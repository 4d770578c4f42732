"""Retweeting: a tweet is passed on once by each account, and not past a block."""

from __future__ import annotations

import msgspec

from events.engagement import TweetRetweeted
from events.event import Event
from events.ids import AccountId, ActivityId, TweetId

from ..deciding import Decision
from ..facts import EngagementOf, Facts, Tweet, TweetFor
from .acting import engagement_of_actor, tweet_and_engagement
from .visible import visible


class RetweetTweet(msgspec.Struct, frozen=True, gc=False):
    """`actor` passes `tweet` on; `retweet` is a new id, made of this moment."""

    actor: AccountId
    tweet: TweetId
    retweet: ActivityId


class State(msgspec.Struct, frozen=True, gc=False):
    """The tweet, if it is there, and the actor's retweet of it, if there is one."""

    tweet: Tweet | None = None
    retweet: ActivityId | None = None


def decide(command: RetweetTweet, state: State) -> list[Event]:
    """One retweet, or nothing where there is one. Raises TweetNotFound, TweetGone."""
    tweet = visible(command.tweet, state.tweet)
    if state.retweet is not None:
        return []
    return [TweetRetweeted(retweet=command.retweet, tweet=tweet.id, author=tweet.author, actor=command.actor)]


def state(command: RetweetTweet, facts: Facts) -> State:
    """What the decision needs of the facts."""
    engagement = facts[EngagementOf(command.actor, command.tweet)]
    return State(facts[TweetFor(command.tweet, command.actor)], engagement.retweet)


RETWEET_TWEET = Decision(engagement_of_actor, tweet_and_engagement, state, decide)
