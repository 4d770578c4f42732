"""Media events: pictures and videos, from upload to deletion. Topic `media`, keyed by owner.

The bytes are in an object store, never in the log; the events hold the object's key.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from .event import Event, event
from .ids import AccountId, MediaId

MEDIA_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4", "video/webm")
"""The accepted types. A file's type is read from its content, not from its name."""
Pixels = Annotated[int, msgspec.Meta(ge=1)]


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A finished medium as a tweet carries it: the fields a client needs for its layout and its description.

    `width` and `height` are pixels as shown, missing for videos. `alt` is the description for readers who cannot see
    it.
    """

    media: MediaId
    content_type: str
    width: Pixels | None = None
    height: Pixels | None = None
    alt: str = ""


@event(topic="media", key="owner", sealed=("alt",), subject="owner")
class UploadStarted(Event, frozen=True, kw_only=True):
    """`owner` may upload a medium of this type to the store, and of no other type."""

    media: MediaId
    owner: AccountId
    content_type: str
    alt: str = ""


@event(topic="media", key="owner", sealed=("alt",), subject="owner")
class MediaFinished(Event, frozen=True, kw_only=True):
    """A medium was checked and stored under the key `object`. From now on a tweet or a profile can use it.

    `content_type` is the type of the content, `size` is in bytes.
    """

    media: MediaId
    owner: AccountId
    content_type: str
    object: str
    size: Annotated[int, msgspec.Meta(ge=0)]
    width: Pixels | None = None
    height: Pixels | None = None
    alt: str = ""


@event(topic="media", key="owner")
class MediaDeleted(Event, frozen=True, kw_only=True):
    """`owner` deleted a medium, whether its upload was finished or not."""

    media: MediaId
    owner: AccountId
