"""The port of hashtags: the tweets that carry a tag. Tags are folded (events.entities.fold_tag)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from events.ids import TweetId

from .pages import Page


class HashtagRows(Protocol):
    """Rows that the projector writes."""

    def posted(self, tweet: TweetId, tags: Collection[str]) -> None:
        """Add a tweet with its tags."""
        ...

    def edited(self, tweet: TweetId, tags: Collection[str]) -> None:
        """Replace the tags of a tweet."""
        ...

    def deleted(self, tweet: TweetId) -> None:
        """Remove a tweet."""
        ...


class Hashtags(Protocol):
    """Reads for the query API."""

    async def tweets(self, tag: str, before: str | None, limit: int) -> Page[TweetId]:
        """Return a page of the tweets that carry a tag, newest first."""
        ...
