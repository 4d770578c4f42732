"""Who liked, passed on, kept and quoted what. One row each, ordered by when it happened."""

from __future__ import annotations

from events.engagement import RetweetUndone, TweetLiked, TweetRetweeted, TweetUnliked
from events.event import Envelope, on
from events.ids import at_time
from events.personal import BookmarkRemoved, TweetBookmarked
from events.tweets import TweetDeleted, TweetPosted
from stores.engagement import EngagementRows

from .projector import Projector


class Engagement(Projector):
    """Likes, retweets, bookmarks and quotes. Those of a deleted tweet stay, and are left out when read."""

    model = "engagement"
    version = 1

    def __init__(self, rows: EngagementRows) -> None:
        self.rows = rows

    @on(TweetLiked)
    def liked(self, event: TweetLiked, about: Envelope) -> None:
        """A like."""
        self.rows.liked(event.actor, event.tweet, at_time(about.id, about.time))

    @on(TweetUnliked)
    def unliked(self, event: TweetUnliked, about: Envelope) -> None:
        """A like no longer."""
        self.rows.unliked(event.actor, event.tweet)

    @on(TweetRetweeted)
    def retweeted(self, event: TweetRetweeted, about: Envelope) -> None:
        """A retweet, whose id is made of when it happened."""
        self.rows.retweeted(event.actor, event.tweet, event.retweet)

    @on(RetweetUndone)
    def retweet_undone(self, event: RetweetUndone, about: Envelope) -> None:
        """A retweet no longer."""
        self.rows.retweet_undone(event.actor, event.tweet)

    @on(TweetBookmarked)
    def bookmarked(self, event: TweetBookmarked, about: Envelope) -> None:
        """A bookmark."""
        self.rows.bookmarked(event.owner, event.tweet, at_time(about.id, about.time))

    @on(BookmarkRemoved)
    def bookmark_removed(self, event: BookmarkRemoved, about: Envelope) -> None:
        """A bookmark no longer."""
        self.rows.bookmark_removed(event.owner, event.tweet)

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """A quote, where it quotes."""
        if event.quote_of is not None:
            self.rows.quoted(event.quote_of.tweet, event.tweet)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """A quote no longer, where it quoted."""
        if event.quote_of is not None:
            self.rows.quote_deleted(event.quote_of.tweet, event.tweet)
