"""Tweets by id, with all versions of their text. One row per tweet, and one more per edit."""

from __future__ import annotations

from events.event import Envelope, on
from events.tweets import TweetDeleted, TweetEdited, TweetPosted
from stores.tweets import TweetRows

from .projector import Projector


class Tweets(Projector):
    """The tweets. A deleted tweet loses its text but keeps its row, so that a read can answer that it is gone."""

    model = "tweets"
    version = 3

    def __init__(self, rows: TweetRows) -> None:
        self.rows = rows

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Add a tweet."""
        self.rows.posted(event)

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Add a version of the text."""
        self.rows.edited(event.tweet, event.version, event.text, event.entities, about.time)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Remove the texts and mark the tweet as deleted."""
        self.rows.deleted(event.tweet)
