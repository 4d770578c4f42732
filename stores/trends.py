"""The port of trends: which tags are used by more people than is usual for them (docs/adr/0006).

Rows say who used which tag in which tweet; a tweet's own time places it. All numbers of a window are computed from rows
when they are asked for, so an event that comes late, or is imported, changes one row and with it every answer.
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
"""A tag's usual strength is what it had in the same hours of this many days before the window: a week has one cycle."""
CANDIDATES = 200
"""So many tags, those with most authors by the hour, are looked at closely and can be trends."""
LISTED = 20
"""How many trends a window has at most."""
DISPERSION = 25.0
"""How steady tags are: what one has from day to day varies by a fifth, 1 / sqrt(25), beyond what chance makes of it."""
PRIOR = 1.0
"""What is expected of a tag that was never used: one author. It keeps small numbers from being big surprises."""


class TagNumbers(NamedTuple):
    """A tag in a window, counted.

    `repeaters` are those of its `authors` who used it in more than one tweet. `author_hours` counts each author once
    for each hour; `before` counts them likewise in the same hours of the days before, added up.
    """

    tag: str
    uses: int
    authors: int
    repeaters: int
    author_hours: int
    before: int


class WindowNumbers(NamedTuple):
    """A window, counted. `days` is on how many of the days before any tag was used in these hours."""

    tags: Sequence[TagNumbers]
    days: int


class Ranked(NamedTuple):
    """A tag of a ranking."""

    tag: str
    uses: int
    authors: int
    expected: float
    score: float


class Shown(NamedTuple):
    """How a tag is mostly written lately, and a recent tweet that carries it."""

    written: str
    sample: TweetId


class Uses(NamedTuple):
    """How often a tag was used in a step of time that begins at `start`, and by how many."""

    start: Millis
    uses: int
    authors: int


class TooMuch(Exception):
    """So many tweets are in the range that adding them up would keep everyone else waiting."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most:,} tweets are in that range; ask for a shorter one")


def surprise(observed: float, expected: float) -> float:
    """How much likelier it is, in nats, to see `observed` at its own rate than at the expected one.

    The log-likelihood ratio of a negative binomial model: for small counts it is Poisson's, and where counts are large
    a few per cent more are no surprise, as they would be to Poisson.
    """
    k = DISPERSION
    return observed * log(observed / expected) - (observed + k) * log((observed + k) / (expected + k))


def rank(numbers: WindowNumbers) -> list[Ranked]:
    """The trends of a window, the most surprising first.

    A tag's strength is its authors and half again those who repeat it. Expected of it is what it had on the days
    before. Tags that are not as strong as expected are left out.

    The rate that is expected comes from the topic's own past: Hendrickson, Kolb, Lehman, Montague, Trend Detection in
    Social Data, 2015. A likelihood ratio, since it holds for small counts as well: Dunning, Accurate Methods for the
    Statistics of Surprise and Coincidence, 1993.
    """
    ranked = []
    for tag, uses, authors, repeaters, author_hours, before in numbers.tags:
        strength = authors + repeaters / 2
        # Author-hours add up over days, distinct authors do not: one is turned into the other as in the window itself.
        expected = PRIOR + strength / author_hours * before / max(1, numbers.days)
        if strength >= expected:
            ranked.append(Ranked(tag, uses, authors, round(expected, 3), round(surprise(strength, expected), 3)))
    ranked.sort(key=lambda r: (-r.score, -r.authors, -r.uses, r.tag))
    return ranked[:LISTED]


class TrendRows(Protocol):
    """What the projector writes. Tags are folded; `tags` maps them to what was written."""

    def posted(self, tweet: TweetId, author: AccountId, tags: Mapping[str, str]) -> None:
        """A tweet is there, with these tags."""
        ...

    def edited(self, tweet: TweetId, author: AccountId, tags: Mapping[str, str]) -> None:
        """A tweet has these tags and no others from now on; they count at the tweet's own time."""
        ...

    def deleted(self, tweet: TweetId) -> None:
        """A tweet is gone, and its uses with it."""
        ...

    def reached(self, time: Millis, recorded: Millis) -> None:
        """Something happened at `time` and was appended at `recorded`."""
        ...


class Trends(Protocol):
    """What the query API reads."""

    async def numbers(self, start: Millis, end: Millis) -> WindowNumbers:
        """The tags of a window, `end` not included, counted."""
        ...

    async def shown(self, tags: Collection[str], start: Millis, end: Millis) -> dict[str, Shown]:
        """How to show tags of a window."""
        ...

    async def history(self, tag: str, start: Millis, end: Millis, step: int) -> list[Uses]:
        """A tag's uses by steps of whole hours. Raises TooMuch."""
        ...

    async def as_of(self) -> Millis | None:
        """When the newest tweet, edit or deletion that is counted was appended; None where there is none."""
        ...
