"""Media: pictures and videos, from the upload to the deletion. Topic `media`, keyed by owner.

The bytes are in an object store, never in the log; events say where.
"""

from __future__ import annotations

from typing import Annotated

import msgspec

from .event import Event, event
from .ids import AccountId, MediaId

MEDIA_TYPES = ("image/jpeg", "image/png", "image/gif", "image/webp", "video/mp4", "video/webm")
"""What is taken; the content decides, not the name."""
Pixels = Annotated[int, msgspec.Meta(ge=1)]


class Attachment(msgspec.Struct, frozen=True, kw_only=True):
    """A finished medium as a tweet carries it: what a reader has to know to make room for it and to tell of it.

    `width` and `height` are pixels as shown, missing for videos. `alt` is what those hear who cannot see it.
    """

    media: MediaId
    content_type: str
    width: Pixels | None = None
    height: Pixels | None = None
    alt: str = ""


@event(topic="media", key="owner", sealed=("alt",), subject="owner")
class UploadStarted(Event, frozen=True, kw_only=True):
    """`owner` was given leave to upload a medium to the store, of this type and no other."""

    media: MediaId
    owner: AccountId
    content_type: str
    alt: str = ""


@event(topic="media", key="owner", sealed=("alt",), subject="owner")
class MediaFinished(Event, frozen=True, kw_only=True):
    """A medium was checked and is in the store under the key `object`, for good: it can be used from now on.

    `content_type` is what the content is, `size` in bytes.
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
    """`owner` withdrew a medium, for good; finished or not."""

    media: MediaId
    owner: AccountId
