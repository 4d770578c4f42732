"""Scores by tweet, author, hashtag and mention. Two writes per tweet, and one per tag and mention."""

from __future__ import annotations

from events.event import Envelope, on
from events.sentiment import ScoreWithdrawn, TweetScored
from stores.sentiment import SentimentRows

from .projector import Projector


class Sentiment(Projector):
    """Scores from the topic `sentiment`. A score counts at the tweet's time, for its author, tags and mentions."""

    model = "sentiment"
    version = 1

    def __init__(self, rows: SentimentRows) -> None:
        self.rows = rows

    @on(TweetScored)
    def scored(self, event: TweetScored, about: Envelope) -> None:
        """Add the first score of a tweet, or replace it by the score of the edited text."""
        if event.version > 1:
            self.rows.withdrawn(event.tweet)
        self.rows.scored(event.tweet, event.author, event.score, event.hashtags, event.mentions)

    @on(ScoreWithdrawn)
    def withdrawn(self, event: ScoreWithdrawn, about: Envelope) -> None:
        """Remove the score of a deleted tweet."""
        self.rows.withdrawn(event.tweet)
