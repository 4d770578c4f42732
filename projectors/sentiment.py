"""Scores of tweets, by tweet and by what they are about. Two writes a tweet, and one a tag and mention."""

from __future__ import annotations

from events.event import Envelope, on
from events.sentiment import ScoreWithdrawn, TweetScored
from stores.sentiment import SentimentRows

from .projector import Projector


class Sentiment(Projector):
    """Fed by the stream of scores. A tweet counts at its own time, for its author, its tags and those it mentions."""

    model = "sentiment"
    version = 1

    def __init__(self, rows: SentimentRows) -> None:
        self.rows = rows

    @on(TweetScored)
    def scored(self, event: TweetScored, about: Envelope) -> None:
        """The first score, or that of an edited text."""
        if event.version > 1:
            self.rows.withdrawn(event.tweet)
        self.rows.scored(event.tweet, event.author, event.score, event.hashtags, event.mentions)

    @on(ScoreWithdrawn)
    def withdrawn(self, event: ScoreWithdrawn, about: Envelope) -> None:
        """The tweet is gone."""
        self.rows.withdrawn(event.tweet)
