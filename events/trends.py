"""Trends, derived from the hashtags of tweets. Topic `trends`, keyed by window."""

from __future__ import annotations

from typing import Annotated

import msgspec

from .event import Event, event
from .ids import Millis


class Trend(msgspec.Struct, frozen=True, kw_only=True):
    """One tag of a ranking. `tag` is folded; stores/trends.py defines the numbers."""

    tag: str
    count: Annotated[int, msgspec.Meta(ge=0)]
    authors: Annotated[int, msgspec.Meta(ge=0)]
    expected: float
    score: float


@event(topic="trends", key="window")
class TrendsRanked(Event, frozen=True, kw_only=True):
    """The ranking of a window after it ended. If a late event changes the counts, the window is ranked again.

    `window` is `<length>/<end>`, as in `1h/2015-02-20T15:00:00.000Z`.
    """

    window: str
    start: Millis
    end: Millis
    items: tuple[Trend, ...]
