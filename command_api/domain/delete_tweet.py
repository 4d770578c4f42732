"""Deleting: the author deletes a tweet for ever."""

from __future__ import annotations

from typing import Any

import msgspec

from events.event import Event
from events.ids import AccountId, TweetId
from events.tweets import TweetDeleted

from ..deciding import Decision
from ..facts import Facts, Question, Tweet, TweetFor
from .acting import tweets_of_actor
from .errors import NotYours
from .visible import visible


class DeleteTweet(msgspec.Struct, frozen=True, gc=False):
    """`actor` deletes `tweet`."""

    actor: AccountId
    tweet: TweetId


class State(msgspec.Struct, frozen=True, gc=False):
    """The tweet, or None if there is none."""

    tweet: Tweet | None = None


def decide(command: DeleteTweet, state: State) -> list[Event]:
    """Return TweetDeleted. Raises TweetNotFound, NotYours, and TweetGone if it is deleted already."""
    tweet = visible(command.tweet, state.tweet)
    if tweet.author != command.actor:
        raise NotYours("delete")
    return [
        TweetDeleted(tweet=tweet.id, author=command.actor, reply_to=tweet.reply_to, quote_of=tweet.quote_of),
    ]


def questions(command: DeleteTweet) -> tuple[Question[Any], ...]:
    """Ask for the tweet."""
    return (TweetFor(command.tweet, command.actor),)


def state(command: DeleteTweet, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    return State(facts[TweetFor(command.tweet, command.actor)])


DELETE_TWEET = Decision(tweets_of_actor, questions, state, decide)
