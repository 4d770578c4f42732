"""The port of hashtags: which tweets carry a tag. Tags are folded (events.entities.fold_tag)."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from events.ids import TweetId

from .pages import Page


class HashtagRows(Protocol):
    """What the projector writes."""

    def posted(self, tweet: TweetId, tags: Collection[str]) -> None:
        """A tweet is there, with these tags."""
        ...

    def edited(self, tweet: TweetId, tags: Collection[str]) -> None:
        """A tweet has these tags and no others from now on."""
        ...

    def deleted(self, tweet: TweetId) -> None:
        """A tweet is gone."""
        ...


class Hashtags(Protocol):
    """What the query API reads."""

    async def tweets(self, tag: str, before: str | None, limit: int) -> Page[TweetId]:
        """The tweets that carry a tag, newest first."""
        ...
