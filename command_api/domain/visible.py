"""Check that an account can act on a tweet."""

from __future__ import annotations

from events.ids import TweetId

from ..facts import Tweet
from .errors import TweetGone, TweetNotFound


def visible(wanted: TweetId, tweet: Tweet | None) -> Tweet:
    """Return the tweet. Raises TweetGone, and TweetNotFound also if a block hides the tweet."""
    if tweet is None or tweet.blocked:
        raise TweetNotFound(wanted)
    if tweet.deleted:
        raise TweetGone(wanted)
    return tweet


def known(wanted: TweetId, tweet: Tweet | None) -> Tweet:
    """Return the tweet, even if it is deleted or hidden, for commands that undo something. Raises TweetNotFound."""
    if tweet is None:
        raise TweetNotFound(wanted)
    return tweet
