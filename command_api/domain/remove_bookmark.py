"""Removing a bookmark: possible whatever became of the tweet since, deleted or behind a block."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.ids import AccountId, TweetId
from events.personal import BookmarkRemoved

from ..deciding import Decision
from ..facts import EngagementOf, Facts, Tweet, TweetFor
from .acting import personal_of_actor, tweet_and_engagement
from .visible import known


class RemoveBookmark(msgspec.Struct, frozen=True, gc=False):
    """`actor` keeps `tweet` no longer."""

    actor: AccountId
    tweet: TweetId


class State(msgspec.Struct, frozen=True, gc=False):
    """The tweet, and whether the actor keeps it."""

    tweet: Tweet | None = None
    bookmarked: bool = False


def decide(command: RemoveBookmark, state: State) -> list[Event]:
    """The bookmark's end, or nothing where there is none. Raises TweetNotFound."""
    tweet = known(command.tweet, state.tweet)
    if not state.bookmarked:
        return []
    return [BookmarkRemoved(owner=command.actor, tweet=tweet.id, author=tweet.author)]


def state(command: RemoveBookmark, facts: Facts) -> State:
    """What the decision needs of the facts."""
    engagement = facts[EngagementOf(command.actor, command.tweet)]
    return State(facts[TweetFor(command.tweet, command.actor)], engagement.bookmarked)


REMOVE_BOOKMARK = Decision(personal_of_actor, tweet_and_engagement, state, decide)
