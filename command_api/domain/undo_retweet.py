"""Taking a retweet back: possible whatever became of the tweet since, deleted or behind a block."""

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
    """`actor` passes `tweet` on no longer."""

    actor: AccountId
    tweet: TweetId


class State(msgspec.Struct, frozen=True, gc=False):
    """The tweet, and the actor's retweet of it, if there is one."""

    tweet: Tweet | None = None
    retweet: ActivityId | None = None


def decide(command: UndoRetweet, state: State) -> list[Event]:
    """The retweet's end, or nothing where there is none. Raises TweetNotFound."""
    tweet = known(command.tweet, state.tweet)
    if state.retweet is None:
        return []
    return [RetweetUndone(retweet=state.retweet, tweet=tweet.id, author=tweet.author, actor=command.actor)]


def state(command: UndoRetweet, facts: Facts) -> State:
    """What the decision needs of the facts."""
    engagement = facts[EngagementOf(command.actor, command.tweet)]
    return State(facts[TweetFor(command.tweet, command.actor)], engagement.retweet)


UNDO_RETWEET = Decision(engagement_of_actor, tweet_and_engagement, state, decide)
