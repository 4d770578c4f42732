"""The accounts that liked, retweeted and bookmarked a tweet, and its quotes. One row each, ordered by time."""

from __future__ import annotations

from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.event import Envelope, on
from events.ids import at_time
from events.personal import BookmarkRemoved, TweetBookmarked
from events.tweets import TweetDeleted, TweetPosted
from stores.engagement import EngagementRows

from .projector import Projector


class Engagement(Projector):
    """Likes, retweets, bookmarks and quotes. The rows of a deleted tweet stay; reads leave them out."""

    model = "engagement"
    version = 1

    def __init__(self, rows: EngagementRows) -> None:
        self.rows = rows

    @on(TweetLiked)
    def liked(self, event: TweetLiked, about: Envelope) -> None:
        """Add a like."""
        self.rows.liked(event.actor, event.tweet, at_time(about.id, about.time))

    @on(TweetUnliked)
    def unliked(self, event: TweetUnliked, about: Envelope) -> None:
        """Remove the like."""
        self.rows.unliked(event.actor, event.tweet)

    @on(TweetRetweeted)
    def retweeted(self, event: TweetRetweeted, about: Envelope) -> None:
        """Add a retweet; its id carries its time."""
        self.rows.retweeted(event.actor, event.tweet, event.retweet)

    @on(RetweetUndone)
    def retweet_undone(self, event: RetweetUndone, about: Envelope) -> None:
        """Remove the retweet."""
        self.rows.retweet_undone(event.actor, event.tweet)

    @on(TweetBookmarked)
    def bookmarked(self, event: TweetBookmarked, about: Envelope) -> None:
        """Add a bookmark."""
        self.rows.bookmarked(event.owner, event.tweet, at_time(about.id, about.time))

    @on(BookmarkRemoved)
    def bookmark_removed(self, event: BookmarkRemoved, about: Envelope) -> None:
        """Remove the bookmark."""
        self.rows.bookmark_removed(event.owner, event.tweet)

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Add a quote, if the tweet quotes another."""
        if event.quote_of is not None:
            self.rows.quoted(event.quote_of.tweet, event.tweet)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Remove the quote, if the tweet quoted another."""
        if event.quote_of is not None:
            self.rows.quote_deleted(event.quote_of.tweet, event.tweet)
