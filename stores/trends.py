"""The port of trends: the tags that more people use than usual (docs/adr/0006).

A row is the use of a tag by an author in a tweet, at the tweet's own time. All numbers of a window are computed from
the rows when they are read, so a late or imported event changes one row, and every answer with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from math import log
from typing import NamedTuple, Protocol

from events.ids import AccountId, Millis, TweetId

HOUR = 3_600_000
DAY = 24 * HOUR
WINDOWS: dict[str, int] = {"1h": HOUR, "6h": 6 * HOUR, "24h": DAY}
"""The lengths of windows, in milliseconds."""
DAYS_BEFORE = 7
"""The usual strength of a tag is measured in the same hours of this many days before: a week is one cycle."""
CANDIDATES = 200
"""Only this many tags, those with the most author-hours, are counted exactly and can become trends."""
LISTED = 20
"""The maximum number of trends of a window."""
DISPERSION = 25.0
"""How steady tags are. From day to day the uses of a tag vary by a fifth, 1 / sqrt(25), in addition to chance."""
PRIOR = 1.0
"""The expected strength of a tag that was never used: one author. So small numbers are no large surprises."""


class TagNumbers(NamedTuple):
    """The numbers of a tag in a window.

    `repeaters` is the number of `authors` who used the tag in more than one tweet. `author_hours` counts each author
    once for each hour; `before` is the same count for the same hours of the days before, added up.
    """

    tag: str
    uses: int
    authors: int
    repeaters: int
    author_hours: int
    before: int


class WindowNumbers(NamedTuple):
    """The numbers of all tags in a window. `days` is the number of days before with any use of tags in these hours."""

    tags: Sequence[TagNumbers]
    days: int


class RankedTag(NamedTuple):
    """A tag in a ranking."""

    tag: str
    uses: int
    authors: int
    expected: float
    score: float


class TagSample(NamedTuple):
    """The most frequent recent spelling of a tag, and a recent tweet that carries it."""

    written: str
    sample: TweetId


class TagUses(NamedTuple):
    """The uses of a tag, and the number of its authors, in a time step that begins at `start`."""

    start: Millis
    uses: int
    authors: int


class TooMuch(Exception):
    """The range has so many tweets that adding them up would delay all other requests."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most:,} tweets are in that range; ask for a shorter one")


def surprise(observed: float, expected: float) -> float:
    """Return how much likelier `observed` is at its own rate than at the expected rate, in nats.

    It is the log-likelihood ratio of a negative binomial model. For small counts this equals Poisson's; for large
    counts a few per cent more are no surprise, which they would be with Poisson.
    """
    k = DISPERSION
    return observed * log(observed / expected) - (observed + k) * log((observed + k) / (expected + k))


def rank(numbers: WindowNumbers) -> list[RankedTag]:
    """Return the trends of a window, the most surprising first.

    A tag's strength is the number of its authors plus half the number of its repeaters. The expected strength is that
    of the days before. Tags weaker than expected are left out.

    The expected rate comes from the topic's own past: Hendrickson, Kolb, Lehman, Montague, Trend Detection in Social
    Data, 2015. A likelihood ratio is used since it holds for small counts as well: Dunning, Accurate Methods for the
    Statistics of Surprise and Coincidence, 1993.
    """
    ranked = []
    for tag, uses, authors, repeaters, author_hours, before in numbers.tags:
        strength = authors + repeaters / 2
        # Author-hours can be added over days, distinct authors cannot. The ratio in the window itself converts one to
        # the other.
        expected = PRIOR + strength / author_hours * before / max(1, numbers.days)
        if strength >= expected:
            ranked.append(RankedTag(tag, uses, authors, round(expected, 3), round(surprise(strength, expected), 3)))
    ranked.sort(key=lambda r: (-r.score, -r.authors, -r.uses, r.tag))
    return ranked[:LISTED]


class TrendRows(Protocol):
    """Rows that the projector writes. Tags are folded; `tags` maps each to its original spelling."""

    def posted(self, tweet: TweetId, author: AccountId, tags: Mapping[str, str]) -> None:
        """Add a tweet with its tags."""
        ...

    def edited(self, tweet: TweetId, author: AccountId, tags: Mapping[str, str]) -> None:
        """Replace the tags of a tweet. They count at the tweet's own time."""
        ...

    def deleted(self, tweet: TweetId) -> None:
        """Remove a tweet and its uses of tags."""
        ...

    def reached(self, time: Millis, recorded: Millis) -> None:
        """Record the time of an applied event, and the time at which it was appended."""
        ...


class Trends(Protocol):
    """Reads for the query API."""

    async def numbers(self, start: Millis, end: Millis) -> WindowNumbers:
        """Return the numbers of the tags in a window, `end` excluded."""
        ...

    async def shown(self, tags: Collection[str], start: Millis, end: Millis) -> dict[str, TagSample]:
        """Return the spelling and the sample tweet for each tag in a window."""
        ...

    async def history(self, tag: str, start: Millis, end: Millis, step: int) -> list[TagUses]:
        """Return the uses of a tag in steps of whole hours. Raises TooMuch."""
        ...

    async def as_of(self) -> Millis | None:
        """Return the time at which the newest counted tweet, edit or deletion was appended; None before the first."""
        ...
