"""Undoing a retweet, also of a tweet that is deleted or hidden by a block."""

from __future__ import annotations

import msgspec

from events.engagement import RetweetUndone
from events.event import Event
from events.ids import AccountId, ActivityId, TweetId

from ..deciding import Decision
from ..facts import EngagementOf, Facts, Tweet, TweetFor
from .acting import engagement_of_actor, tweet_and_engagement
from .visible import known


class UndoRetweet(msgspec.Struct, frozen=True, gc=False):
    """`actor` undoes its retweet of `tweet`."""

    actor: AccountId
    tweet: TweetId


class State(msgspec.Struct, frozen=True, gc=False):
    """The tweet and the id of the actor's retweet of it; None if there is none."""

    tweet: Tweet | None = None
    retweet: ActivityId | None = None


def decide(command: UndoRetweet, state: State) -> list[Event]:
    """Return one RetweetUndone, or nothing if there is no retweet. Raises TweetNotFound."""
    tweet = known(command.tweet, state.tweet)
    if state.retweet is None:
        return []
    return [RetweetUndone(retweet=state.retweet, tweet=tweet.id, author=tweet.author, actor=command.actor)]


def state(command: UndoRetweet, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    engagement = facts[EngagementOf(command.actor, command.tweet)]
    return State(facts[TweetFor(command.tweet, command.actor)], engagement.retweet)


UNDO_RETWEET = Decision(engagement_of_actor, tweet_and_engagement, state, decide)
