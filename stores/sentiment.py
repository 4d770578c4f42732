"""The port of sentiment: how tweets read, one by one and over time by what they are about."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from events.ids import AccountId, Millis, TweetId

Subject = str | AccountId
"""What a series is about: `#tag` (folded), `@mention` (lower case), or an author's id."""


def about_tag(tag: str) -> Subject:
    """Tweets that carry a tag, given folded."""
    return f"#{tag}"


def about_mention(name: str) -> Subject:
    """Tweets that mention a name, given in lower case, whether or not an account has it."""
    return f"@{name}"


class Reading(NamedTuple):
    """How a tweet reads."""

    label: str
    score: float


class Mood(NamedTuple):
    """How the tweets of a step of time read that begins at `start`. `mean` is None where there are none."""

    start: Millis
    tweets: int
    positive: int
    neutral: int
    negative: int
    mean: float | None


class SentimentRows(Protocol):
    """What the projector writes."""

    def scored(
        self, tweet: TweetId, author: AccountId, score: float, hashtags: Collection[str], mentions: Collection[str]
    ) -> None:
        """A tweet reads like this."""
        ...

    def withdrawn(self, tweet: TweetId) -> None:
        """It counts no more."""
        ...


class Sentiment(Protocol):
    """What the query API reads."""

    async def scores(self, tweets: Collection[TweetId]) -> dict[TweetId, Reading]:
        """How those of the tweets read that have been scored."""
        ...

    async def series(self, subject: Subject, start: Millis, end: Millis, step: int) -> list[Mood]:
        """Tweets about a subject by steps of `step` milliseconds. Raises stores.trends.TooMuch."""
        ...
