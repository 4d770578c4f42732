"""Bookmarking: an account bookmarks a tweet once; only that account sees the bookmark."""

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
    """`actor` bookmarks `tweet`."""

    actor: AccountId
    tweet: TweetId


class State(msgspec.Struct, frozen=True, gc=False):
    """The tweet, or None if there is none, and whether the actor has bookmarked it."""

    tweet: Tweet | None = None
    bookmarked: bool = False


def decide(command: BookmarkTweet, state: State) -> list[Event]:
    """Return one TweetBookmarked, or nothing if the bookmark exists. Raises TweetNotFound, TweetGone."""
    tweet = visible(command.tweet, state.tweet)
    if state.bookmarked:
        return []
    return [TweetBookmarked(owner=command.actor, tweet=tweet.id, author=tweet.author)]


def state(command: BookmarkTweet, facts: Facts) -> State:
    """Build the state from the answers to the questions."""
    engagement = facts[EngagementOf(command.actor, command.tweet)]
    return State(facts[TweetFor(command.tweet, command.actor)], engagement.bookmarked)


BOOKMARK_TWEET = Decision(personal_of_actor, tweet_and_engagement, state, decide)
