"""Retweeting: an account retweets a tweet once, and not if it or the author blocks the other."""

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
    """`actor` retweets `tweet`; `retweet` is a new id with the current time."""

    actor: AccountId
    tweet: TweetId
    retweet: ActivityId


class State(msgspec.Struct, frozen=True, gc=False):
    """The tweet and the id of the actor's retweet of it; None if there is none."""

    tweet: Tweet | None = None
    retweet: ActivityId | None = None


def decide(command: RetweetTweet, state: State) -> list[Event]:
    """Return one TweetRetweeted, or nothing if the retweet exists. Raises TweetNotFound, TweetGone."""
    tweet = visible(command.tweet, state.tweet)
    if state.retweet is not None:
        return []
    return [TweetRetweeted(retweet=command.retweet, tweet=tweet.id, author=tweet.author, actor=command.actor)]


def state(command: RetweetTweet, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    engagement = facts[EngagementOf(command.actor, command.tweet)]
    return State(facts[TweetFor(command.tweet, command.actor)], engagement.retweet)


RETWEET_TWEET = Decision(engagement_of_actor, tweet_and_engagement, state, decide)
