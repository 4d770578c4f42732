"""Removing a bookmark, also from a tweet that is deleted or hidden by a block."""

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
    """`actor` removes its bookmark of `tweet`."""

    actor: AccountId
    tweet: TweetId


class State(msgspec.Struct, frozen=True, gc=False):
    """The tweet, or None if there is none, and whether the actor has bookmarked it."""

    tweet: Tweet | None = None
    bookmarked: bool = False


def decide(command: RemoveBookmark, state: State) -> list[Event]:
    """Return one BookmarkRemoved, or nothing if there is no bookmark. Raises TweetNotFound."""
    tweet = known(command.tweet, state.tweet)
    if not state.bookmarked:
        return []
    return [BookmarkRemoved(owner=command.actor, tweet=tweet.id, author=tweet.author)]


def state(command: RemoveBookmark, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    engagement = facts[EngagementOf(command.actor, command.tweet)]
    return State(facts[TweetFor(command.tweet, command.actor)], engagement.bookmarked)


REMOVE_BOOKMARK = Decision(personal_of_actor, tweet_and_engagement, state, decide)
