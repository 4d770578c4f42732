"""The port of media: what each is, and where the store has it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from events.ids import AccountId, MediaId, TweetId
from events.media import MediaFinished, UploadStarted
from events.tweets import TweetPosted

MOST_USES = 100
"""As many of the tweets that show a medium are looked at."""


class Medium(NamedTuple):
    """A picture or a video. `object` is its key in the store and `size` its bytes, None until it is finished."""

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
    """What the projector writes."""

    def started(self, event: UploadStarted) -> None:
        """A medium is awaited."""
        ...

    def finished(self, event: MediaFinished) -> None:
        """A medium is there, awaited or not."""
        ...

    def deleted(self, media: MediaId) -> None:
        """A medium is gone, its alt text with it; that it was there is remembered."""
        ...

    def used(self, event: TweetPosted) -> None:
        """A tweet shows its media; that it did is remembered when it is deleted."""
        ...


class Media(Protocol):
    """What the query API reads."""

    async def by_id(self, media: MediaId) -> Medium | None:
        """The medium with an id, if there is or was one."""
        ...

    async def used_in(self, media: MediaId) -> list[TweetId]:
        """The newest `MOST_USES` tweets that show the medium, or did until they were deleted."""
        ...
