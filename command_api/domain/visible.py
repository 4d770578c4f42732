"""Which tweets can be acted on."""

from __future__ import annotations

from events.ids import TweetId

from ..facts import Tweet
from .errors import TweetGone, TweetNotFound


def visible(wanted: TweetId, tweet: Tweet | None) -> Tweet:
    """The tweet. Raises TweetNotFound (past a block too: it hides that it is there), TweetGone."""
    if tweet is None or tweet.blocked:
        raise TweetNotFound(wanted)
    if tweet.deleted:
        raise TweetGone(wanted)
    return tweet


def known(wanted: TweetId, tweet: Tweet | None) -> Tweet:
    """The tweet, deleted and hidden or not: what was done to it can be taken back. Raises TweetNotFound."""
    if tweet is None:
        raise TweetNotFound(wanted)
    return tweet
