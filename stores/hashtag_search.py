"""The port of the hashtag search: by prefix, then by similarity (stores/text/trigrams.py), with the uses of each tag.

Tags that begin with the searched text come first, the most used first. Then come similar tags, the most similar first.
Case and accents are ignored. A tag that no tweet carries any more is not found.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple, Protocol

from events.ids import TweetId

from .pages import Page

MOST_WITH_PREFIX = 5000
"""How many tags with the prefix are read, in alphabetical order, to find the most used among them. It takes 1 ms."""


class TagUse(NamedTuple):
    """A hashtag, folded (events.entities.fold_tag), and the number of tweets that carry it."""

    tag: str
    uses: int


class HashtagSearchRows(Protocol):
    """Rows that the projector writes. Tags are folded and distinct."""

    def posted(self, tweet: TweetId, tags: Collection[str]) -> None:
        """Add a tweet with its tags."""
        ...

    def edited(self, tweet: TweetId, tags: Collection[str]) -> None:
        """Replace the tags of a tweet."""
        ...

    def deleted(self, tweet: TweetId) -> None:
        """Remove a tweet."""
        ...


class HashtagSearch(Protocol):
    """Reads for the query API."""

    async def find(self, tag: str, before: str | None, limit: int) -> Page[TagUse]:
        """Return a page of the tags that match `tag`, best first. A leading # is ignored."""
        ...
