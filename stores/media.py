"""The port of media: the properties of pictures and videos, and their keys in the object store."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from events.ids import AccountId, MediaId, TweetId
from events.media import MediaFinished, UploadStarted
from events.tweets import TweetPosted

MOST_USES = 100
"""The number of tweets with a medium that are returned at most."""


class Medium(NamedTuple):
    """A picture or a video.

    `object` is its key in the object store, `size` is in bytes; both are None until it is finished.
    """

    id: MediaId
    owner: AccountId
    content_type: str
    alt: str
    object: str | None
    size: int | None
    width: int | None
    height: int | None
    deleted: bool


class MediaRows(Protocol):
    """Rows that the projector writes."""

    def started(self, event: UploadStarted) -> None:
        """Add a medium whose upload was started."""
        ...

    def finished(self, event: MediaFinished) -> None:
        """Add or complete a medium whose processing finished. Its start need not be known."""
        ...

    def deleted(self, media: MediaId) -> None:
        """Mark a medium as deleted and remove its alt text. The row stays."""
        ...

    def used(self, event: TweetPosted) -> None:
        """Record that a tweet shows its media. The rows stay when the tweet is deleted."""
        ...


class Media(Protocol):
    """Reads for the query API."""

    async def by_id(self, media: MediaId) -> Medium | None:
        """Return a medium, deleted or not; None if the id is unknown."""
        ...

    async def used_in(self, media: MediaId) -> list[TweetId]:
        """Return the newest `MOST_USES` tweets that show the medium, deleted ones included."""
        ...
