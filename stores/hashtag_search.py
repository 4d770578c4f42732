"""The port of the hashtag search: by prefix, then by similarity (stores/text/trigrams.py), with how often each is used.

First come the tags that begin with what is looked for, the most used first; then the others that are similar enough,
the most similar first. Differences of case and accents are none. A tag that no tweet has any longer is not found.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from events.ids import TweetId

from .pages import Page

MOST_WITH_PREFIX = 5000
"""Tags, in alphabetical order, of which the most used are sought: 1 ms."""


class TagUse(NamedTuple):
    """A hashtag, folded (events.entities.fold_tag), and how many tweets carry it."""

    tag: str
    uses: int


class HashtagSearchRows(Protocol):
    """What the projector writes. Tags are folded, each once."""

    def posted(self, tweet: TweetId, tags: Collection[str]) -> None:
        """A tweet is there, with these tags."""
        ...

    def edited(self, tweet: TweetId, tags: Collection[str]) -> None:
        """A tweet has these tags and no others from now on."""
        ...

    def deleted(self, tweet: TweetId) -> None:
        """A tweet is gone."""
        ...


class HashtagSearch(Protocol):
    """What the query API reads."""

    async def find(self, tag: str, before: str | None, limit: int) -> Page[TagUse]:
        """The tags that `tag` may mean, best first; a leading # means nothing."""
        ...
