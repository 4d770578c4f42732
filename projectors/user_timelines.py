"""What each account posted and passed on, newest first. One row an activity, one write an event."""

from __future__ import annotations

from events.engagement import RetweetUndone, TweetRetweeted
from events.event import Envelope, on
from events.tweets import TweetDeleted, TweetPosted
from stores.user_timelines import UserTimelineRows

from .projector import Projector


class UserTimelines(Projector):
    """Activities by account; the home feed merges them on read."""

    model = "user_timelines"
    version = 1

    def __init__(self, rows: UserTimelineRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """A post, or a reply."""
        self.rows.posted(event.author, event.tweet, event.reply_to.author if event.reply_to else None)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """The author's own entry goes; retweets of it are filtered when read."""
        self.rows.deleted(event.author, event.tweet)

    @on(TweetRetweeted)
    def retweeted(self, event: TweetRetweeted, about: Envelope) -> None:
        """A retweet, at the moment it happened."""
        self.rows.retweeted(event.actor, event.retweet, event.tweet)

    @on(RetweetUndone)
    def undone(self, event: RetweetUndone, about: Envelope) -> None:
        """A retweet taken back."""
        self.rows.undone(event.actor, event.retweet)
