"""The port of sentiment: the score of each tweet, and series of scores by subject."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from events.ids import AccountId, Millis, TweetId

Subject = str | AccountId
"""The subject of a series: `#tag` (folded), `@mention` (lower case), or an author's id."""


def about_tag(tag: str) -> Subject:
    """Return the subject of tweets that carry a tag. The tag is folded."""
    return f"#{tag}"


def about_mention(name: str) -> Subject:
    """Return the subject of tweets that mention a name. The name is in lower case; no account need have it."""
    return f"@{name}"


class Reading(NamedTuple):
    """The sentiment of a tweet: its label and its score from -1 to 1."""

    label: str
    score: float


class SentimentStep(NamedTuple):
    """The sentiment of the tweets in a time step that begins at `start`. `mean` is None if there are none."""

    start: Millis
    tweets: int
    positive: int
    neutral: int
    negative: int
    mean: float | None


class SentimentRows(Protocol):
    """Rows that the projector writes."""

    def scored(
        self, tweet: TweetId, author: AccountId, score: float, hashtags: Collection[str], mentions: Collection[str]
    ) -> None:
        """Store the score of a tweet."""
        ...

    def withdrawn(self, tweet: TweetId) -> None:
        """Remove the score of a tweet."""
        ...


class Sentiment(Protocol):
    """Reads for the query API."""

    async def scores(self, tweets: Collection[TweetId]) -> dict[TweetId, Reading]:
        """Return the sentiment of each tweet. Tweets without a score are left out."""
        ...

    async def series(self, subject: Subject, start: Millis, end: Millis, step: int) -> list[SentimentStep]:
        """Return the sentiment of a subject in steps of `step` milliseconds. Raises stores.trends.TooMuch."""
        ...
