"""Counters of tweets and accounts. One or two writes an event.

Deciders append only what changes something, so counting the events counts the things; a counter is a sum, so it does
not matter in which order the events of different accounts come, or whether the tweet is known yet.
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
        """One more tweet of its author, reply to its parent, quote of what it quotes."""
        self.rows.account(event.author, "tweets", +1)
        self._references(event.reply_to, event.quote_of, +1)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """One less of each."""
        self.rows.account(event.author, "tweets", -1)
        self._references(event.reply_to, event.quote_of, -1)

    def _references(self, reply_to: TweetRef | None, quote_of: TweetRef | None, change: int) -> None:
        if reply_to is not None:
            self.rows.tweet(reply_to.tweet, "replies", change)
        if quote_of is not None:
            self.rows.tweet(quote_of.tweet, "quotes", change)

    @on(TweetLiked)
    def liked(self, event: TweetLiked, about: Envelope) -> None:
        """One more like."""
        self.rows.tweet(event.tweet, "likes", +1)

    @on(TweetUnliked)
    def unliked(self, event: TweetUnliked, about: Envelope) -> None:
        """One less."""
        self.rows.tweet(event.tweet, "likes", -1)

    @on(TweetRetweeted)
    def retweeted(self, event: TweetRetweeted, about: Envelope) -> None:
        """One more retweet."""
        self.rows.tweet(event.tweet, "retweets", +1)

    @on(RetweetUndone)
    def retweet_undone(self, event: RetweetUndone, about: Envelope) -> None:
        """One less."""
        self.rows.tweet(event.tweet, "retweets", -1)

    @on(TweetBookmarked)
    def bookmarked(self, event: TweetBookmarked, about: Envelope) -> None:
        """One more bookmark."""
        self.rows.tweet(event.tweet, "bookmarks", +1)

    @on(BookmarkRemoved)
    def bookmark_removed(self, event: BookmarkRemoved, about: Envelope) -> None:
        """One less."""
        self.rows.tweet(event.tweet, "bookmarks", -1)

    @on(AccountFollowed)
    def followed(self, event: AccountFollowed, about: Envelope) -> None:
        """One more follower of the one, one more followed by the other."""
        self.rows.account(event.followee, "followers", +1)
        self.rows.account(event.follower, "following", +1)

    @on(AccountUnfollowed)
    def unfollowed(self, event: AccountUnfollowed, about: Envelope) -> None:
        """One less of each."""
        self.rows.account(event.followee, "followers", -1)
        self.rows.account(event.follower, "following", -1)
