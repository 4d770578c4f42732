"""Sentiment, derived from tweets. Topic `sentiment`, keyed by tweet."""

from __future__ import annotations

from typing import Annotated

import msgspec

from .event import Event, event
from .ids import AccountId, TweetId

THRESHOLD = 0.05
"""A compound score at least this far from 0 is not neutral, as the authors of VADER advise (Hutto & Gilbert, 2014)."""


def label_of(score: float) -> str:
    """Return the label of a score: `negative`, `neutral` or `positive`."""
    if score >= THRESHOLD:
        return "positive"
    return "negative" if score <= -THRESHOLD else "neutral"


@event(topic="sentiment", key="tweet")
class TweetScored(Event, frozen=True, kw_only=True):
    """A tweet's sentiment: VADER's compound score in [-1, 1], and the label that follows from its threshold, 0.05.

    `version` is the version of the tweet that was scored. `hashtags` are folded, `mentions` lower case.
    """

    tweet: TweetId
    author: AccountId
    version: Annotated[int, msgspec.Meta(ge=1)]
    label: str
    score: Annotated[float, msgspec.Meta(ge=-1, le=1)]
    hashtags: tuple[str, ...] = ()
    mentions: tuple[str, ...] = ()


@event(topic="sentiment", key="tweet")
class ScoreWithdrawn(Event, frozen=True, kw_only=True):
    """The tweet was deleted; its score no longer counts."""

    tweet: TweetId
    author: AccountId
