"""The posts and retweets of each account, newest first. One row per activity, one write per event."""

from __future__ import annotations

from events.engagement import RetweetUndone, TweetRetweeted
from events.event import Envelope, on
from events.tweets import TweetDeleted, TweetPosted
from stores.user_timelines import UserTimelineRows

from .projector import Projector


class UserTimelines(Projector):
    """Activities by account. The home feed merges them on read."""

    model = "user_timelines"
    version = 1

    def __init__(self, rows: UserTimelineRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Add a post or a reply."""
        self.rows.posted(event.author, event.tweet, event.reply_to.author if event.reply_to else None)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Remove the author's entry. Retweets of the tweet stay; reads leave them out."""
        self.rows.deleted(event.author, event.tweet)

    @on(TweetRetweeted)
    def retweeted(self, event: TweetRetweeted, about: Envelope) -> None:
        """Add a retweet at its time."""
        self.rows.retweeted(event.actor, event.retweet, event.tweet)

    @on(RetweetUndone)
    def undone(self, event: RetweetUndone, about: Envelope) -> None:
        """Remove the retweet."""
        self.rows.undone(event.actor, event.retweet)
