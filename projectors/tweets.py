"""Tweets by id, with every text that they had. One row a tweet, one more an edit."""

from __future__ import annotations

from events.event import Envelope, on
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.tweets import TweetRows

from .projector import Projector


class Tweets(Projector):
    """What was written. The text of a deleted tweet goes; that it was there stays, so that it can be called gone."""

    model = "tweets"
    version = 3

    def __init__(self, rows: TweetRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """A tweet."""
        self.rows.posted(event)

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Another text."""
        self.rows.edited(event.tweet, event.version, event.text, event.entities, about.time)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Gone."""
        self.rows.deleted(event.tweet)
