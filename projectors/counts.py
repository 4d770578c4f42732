"""Counters of tweets and accounts. One or two writes per event.

Decisions append an event only if it changes something, so counting events counts likes, follows and so on. A counter is
a sum: the order of events of different accounts does not matter, nor whether the tweet is known yet.
"""

from __future__ import annotations

from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.event import Envelope, on
from events.graph import AccountFollowed, AccountUnfollowed
from events.personal import BookmarkRemoved, TweetBookmarked
from events.tweets import TweetDeleted, TweetPosted, TweetRef
from stores.counts import CountRows

from .projector import Projector


class Counts(Projector):
    """Likes, retweets, replies, quotes and bookmarks of tweets; followers, followees and tweets of accounts."""

    model = "counts"
    version = 1

    def __init__(self, rows: CountRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Add one tweet to its author, one reply to its parent and one quote to the tweet that it quotes."""
        self.rows.account(event.author, "tweets", +1)
        self._references(event.reply_to, event.quote_of, +1)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Subtract what `posted` added."""
        self.rows.account(event.author, "tweets", -1)
        self._references(event.reply_to, event.quote_of, -1)

    def _references(self, reply_to: TweetRef | None, quote_of: TweetRef | None, change: int) -> None:
        if reply_to is not None:
            self.rows.tweet(reply_to.tweet, "replies", change)
        if quote_of is not None:
            self.rows.tweet(quote_of.tweet, "quotes", change)

    @on(TweetLiked)
    def liked(self, event: TweetLiked, about: Envelope) -> None:
        """Add one like."""
        self.rows.tweet(event.tweet, "likes", +1)

    @on(TweetUnliked)
    def unliked(self, event: TweetUnliked, about: Envelope) -> None:
        """Subtract one like."""
        self.rows.tweet(event.tweet, "likes", -1)

    @on(TweetRetweeted)
    def retweeted(self, event: TweetRetweeted, about: Envelope) -> None:
        """Add one retweet."""
        self.rows.tweet(event.tweet, "retweets", +1)

    @on(RetweetUndone)
    def retweet_undone(self, event: RetweetUndone, about: Envelope) -> None:
        """Subtract one retweet."""
        self.rows.tweet(event.tweet, "retweets", -1)

    @on(TweetBookmarked)
    def bookmarked(self, event: TweetBookmarked, about: Envelope) -> None:
        """Add one bookmark."""
        self.rows.tweet(event.tweet, "bookmarks", +1)

    @on(BookmarkRemoved)
    def bookmark_removed(self, event: BookmarkRemoved, about: Envelope) -> None:
        """Subtract one bookmark."""
        self.rows.tweet(event.tweet, "bookmarks", -1)

    @on(AccountFollowed)
    def followed(self, event: AccountFollowed, about: Envelope) -> None:
        """Add one follower to the followee, and one followed account to the follower."""
        self.rows.account(event.followee, "followers", +1)
        self.rows.account(event.follower, "following", +1)

    @on(AccountUnfollowed)
    def unfollowed(self, event: AccountUnfollowed, about: Envelope) -> None:
        """Subtract what `followed` added."""
        self.rows.account(event.followee, "followers", -1)
        self.rows.account(event.follower, "following", -1)
