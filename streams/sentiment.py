"""Tweets to sentiment: a tweet is scored when it is posted and when it is edited. About 45 us a tweet."""

from __future__ import annotations

from events.entities import Entities, fold_tag
from events.event import Envelope, on
from events.ids import AccountId, TweetId, millis
from events.sentiment import ScoreWithdrawn, TweetScored
from events.tweets import TweetDeleted, TweetEdited, TweetPosted

from .scoring import Scorer
from .stream import Emit, Stream


class Sentiment(Stream):
    """The topic `sentiment`. A score has the time of its tweet, so that it counts in the tweet's window."""

    name = "sentiment"

    def __init__(self, emit: Emit, scorer: Scorer) -> None:
        super().__init__(emit)
        self._scorer = scorer

    @on(TweetPosted)
    def posted(self, event: TweetPosted, about: Envelope) -> None:
        """Score the posted text."""
        self._scored(event.tweet, event.author, 1, event.text, event.entities, about)

    @on(TweetEdited)
    def edited(self, event: TweetEdited, about: Envelope) -> None:
        """Score the edited text, with its tags and mentions."""
        self._scored(event.tweet, event.author, event.version, event.text, event.entities, about)

    @on(TweetDeleted)
    def deleted(self, event: TweetDeleted, about: Envelope) -> None:
        """Withdraw the score."""
        self.emit(ScoreWithdrawn(tweet=event.tweet, author=event.author), about)

    def _scored(
        self, tweet: TweetId, author: AccountId, version: int, text: str, entities: Entities, about: Envelope
    ) -> None:
        label, score = self._scorer.score(text, entities.mentions)
        scored = TweetScored(
            tweet=tweet,
            author=author,
            version=version,
            label=label,
            score=score,
            hashtags=tuple(dict.fromkeys(fold_tag(hashtag.tag) for hashtag in entities.hashtags)),
            mentions=tuple(dict.fromkeys(mention.username.lower() for mention in entities.mentions)),
        )
        self.emit(scored, about, millis(tweet))
