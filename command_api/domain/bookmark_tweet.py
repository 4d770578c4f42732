"""Bookmarking: a tweet is kept for later, once, and nobody else sees that it is."""

from __future__ import annotations

import msgspec

from events.event import Event
from events.ids import AccountId, TweetId
from events.personal import TweetBookmarked

from ..deciding import Decision
from ..facts import EngagementOf, Facts, Tweet, TweetFor
from .acting import personal_of_actor, tweet_and_engagement
from .visible import visible


class BookmarkTweet(msgspec.Struct, frozen=True, gc=False):
    """`actor` keeps `tweet` for later."""

    actor: AccountId
    tweet: TweetId


class State(msgspec.Struct, frozen=True, gc=False):
    """The tweet, if it is there, and whether the actor keeps it already."""

    tweet: Tweet | None = None
    bookmarked: bool = False


def decide(command: BookmarkTweet, state: State) -> list[Event]:
    """One bookmark, or nothing where there is one. Raises TweetNotFound, TweetGone."""
    tweet = visible(command.tweet, state.tweet)
    if state.bookmarked:
        return []
    return [TweetBookmarked(owner=command.actor, tweet=tweet.id, author=tweet.author)]


def state(command: BookmarkTweet, facts: Facts) -> State:
    """What the decision needs of the facts."""
    engagement = facts[EngagementOf(command.actor, command.tweet)]
    return State(facts[TweetFor(command.tweet, command.actor)], engagement.bookmarked)


BOOKMARK_TWEET = Decision(personal_of_actor, tweet_and_engagement, state, decide)
